"""The cache of answers: hits ask nobody, processes share it, and what is damaged costs nothing but a request."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aesalign_core.errors import LlmError
from aesalign_core.testing.llm_server import LlmServer, Step, good
from aesalign_litellm.cache import FILE, AnswerCache, key_of

if TYPE_CHECKING:
    from conftest import Context, Make


def test_what_was_asked_is_not_asked_again(make: Make, llm_server: LlmServer) -> None:
    first = make().rephrase(["a dog", "a cat"], strategy="k_list")
    second = make().rephrase(["a cat", "a bird", "a dog"], strategy="k_list")
    assert [m.cached for m in first] == [False, False]
    assert [m.cached for m in second] == [True, False, True]
    assert second[2].text == first[0].text
    assert len(llm_server.requests) == 3


def test_equal_queries_of_a_batch_are_asked_once(make: Make, llm_server: LlmServer) -> None:
    made = make().rephrase(["a dog"] * 5, strategy="k_list")
    assert len({m.text for m in made}) == 1
    assert len(llm_server.requests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"model": "openai/other"},
        {"temperature": 1.0},
        {"seed": 1},
        {"max_tokens": 401},
        {"expectations": 4},
        {"answer_format": "text"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_whatever_changes_the_answer_is_another_question(
    make: Make, llm_server: LlmServer, change: dict[str, Any]
) -> None:
    make().rephrase(["a dog"], strategy="k_list")
    assert not make(**change).rephrase(["a dog"], strategy="k_list")[0].cached
    assert not make().rephrase(["a dog"], strategy="detail")[0].cached
    assert len(llm_server.requests) == 3


@pytest.mark.parametrize("change", [{"concurrency": 1}, {"timeout": 9.0}, {"retries": 0}, {"max_requests": 5}])
def test_what_does_not_is_not(make: Make, llm_server: LlmServer, change: dict[str, Any]) -> None:
    make().rephrase(["a dog"], strategy="k_list")
    assert make(**change).rephrase(["a dog"], strategy="k_list")[0].cached


def test_answers_that_failed_are_asked_again_and_drifted_ones_are_not(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step("prose"), Step('{"description": "Stocks fell"}'))
    assert make().rephrase(["a dog"], strategy="detail")[0].fallback == "answer is no JSON"
    drifted = make(min_similarity=0.5).rephrase(["a dog"], strategy="detail")[0]
    again = make(min_similarity=0.5).rephrase(["a dog"], strategy="detail")[0]
    assert drifted.fallback == again.fallback == "drifted from the query: cosine 0.00, less than 0.5"
    assert again.cached
    assert len(llm_server.requests) == 2


def test_another_process_finds_the_answers_with_neither_key_nor_litellm(
    make: Make, llm_server: LlmServer, tmp_path: Path
) -> None:
    make().rephrase(["a dog"], strategy="k_list")
    program = f"""
import sys
from aesalign_litellm.rephraser import LitellmRephraser as R
class Context:
    def warn(self, message): print(message)
r = R(R.Settings(model="openai/local-model", api_base={llm_server.base!r}, api_key_env="UNSET_HERE",
      cache={str(tmp_path / "cache")!r}, min_similarity=None), Context())
made = r.rephrase(["a dog"], strategy="k_list")[0]
print(made.text, made.cached, "litellm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "a dog, soft light, a fine a dog, calm background True False\n"
    assert len(llm_server.requests) == 1


def test_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    program = """
import sys; from pathlib import Path; from aesalign_core.errors import LlmError
from aesalign_litellm.cache import AnswerCache
cache = AnswerCache(Path(sys.argv[1]), warn=lambda m: sys.exit(m))
for i in range(60): cache.put(f"{sys.argv[2]}-{i}", {"i": i}); assert cache.get(f"{sys.argv[2]}-{i}") == {"i": i}
"""
    run: Callable[[str], Any] = lambda name: subprocess.run(  # noqa: E731
        [sys.executable, "-c", program, str(tmp_path), name], capture_output=True, text=True, check=False
    )
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(run, "abc"):
            assert done.returncode == 0, done.stderr
    cache = AnswerCache(tmp_path, warn=pytest.fail)
    assert [cache.get(f"{name}-59") for name in "abc"] == [{"i": 59}] * 3


def test_a_damaged_entry_is_asked_again(make: Make, llm_server: LlmServer, tmp_path: Path, context: Context) -> None:
    make().rephrase(["a dog"], strategy="k_list")
    for value in ("{", '"text"', '{"expectations": "x"}', "[" * 5000):
        with sqlite3.connect(tmp_path / "cache" / FILE) as database:
            database.execute("UPDATE answers SET value = ?", (value,))
        database.close()
        assert not make().rephrase(["a dog"], strategy="k_list")[0].cached
    assert make().rephrase(["a dog"], strategy="k_list")[0].cached
    assert not context.warnings


def test_a_cache_that_cannot_be_used_costs_one_warning(make: Make, tmp_path: Path, context: Context) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE).write_bytes(b"no database" * 100)
    made = make().rephrase(["a dog", "a cat"], strategy="k_list")
    assert [m.fallback for m in made] == [None, None]
    assert len(context.warnings) == 1
    assert context.warnings[0].startswith("answers are not cached: ")
    (tmp_path / "file").touch()
    assert make(cache=str(tmp_path / "file")).rephrase(["a dog"], strategy="k_list")[0].fallback is None
    assert len(context.warnings) == 2


def test_the_cache_belongs_to_its_owner_and_holds_no_question(make: Make, tmp_path: Path) -> None:
    make().rephrase(["a very private query"], strategy="kw_dict")
    folder = tmp_path / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"private" not in b"".join(f.read_bytes() for f in folder.iterdir())


def test_the_default_place_is_the_users_cache_folder(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    make(cache=None).rephrase(["a dog"], strategy="k_list")
    assert list((tmp_path / "home").rglob(FILE)) or sys.platform != "linux"


def test_keys_are_exact() -> None:
    messages = [{"role": "user", "content": "a dog"}]
    key = key_of("m", messages, {"t": 0})
    assert key == key_of("m", [dict(reversed(messages[0].items()))], {"t": 0})
    assert len(key) == 64
    others = [
        key_of("n", messages, {"t": 0}),
        key_of("m", messages, {"t": 1}),
        key_of("m", [*messages, *messages], {"t": 0}),
    ]
    assert len({key, *others}) == 4


def test_what_was_paid_for_before_a_stop_is_kept(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(good), Step(status=401))
    with pytest.raises(LlmError, match="refused the API key"):
        make(concurrency=1).rephrase(["a dog", "a cat"], strategy="k_list")
    assert make().rephrase(["a dog"], strategy="k_list")[0].cached
