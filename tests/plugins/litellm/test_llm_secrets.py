"""Keys: sent to the server that they are for, and found nowhere else."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aesalign_core import recipe as recipes
from aesalign_core.errors import AesalignError, RecipeError, SettingsError
from aesalign_core.settings import validate
from aesalign_core.testing.llm_server import KEY, KEY_VARIABLE, LlmServer, Step
from aesalign_litellm.redaction import HIDDEN, redact
from aesalign_litellm.settings import RephraserSettings

if TYPE_CHECKING:
    from conftest import Context, Make

# A server that repeats the key in every error, as some do.
LEAKY = f'{{"error": {{"message": "bad key {KEY}; header Authorization: Bearer {KEY}"}}}}'.encode()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_no_error_warning_log_or_file(
    make: Make,
    llm_server: LlmServer,
    context: Context,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    llm_server.script(Step(), Step(status=status, body=LEAKY))
    rephraser = make(retries=1, concurrency=1)
    told = ""
    try:
        told += repr(rephraser.rephrase(["a dog", "a cat"], strategy="k_list"))
    except AesalignError as error:
        told += "".join(traceback.format_exception(error)) + error.hint
    assert llm_server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    output = capfd.readouterr()
    told += " ".join(context.warnings) + caplog.text + output.out + output.err + repr(rephraser.settings)
    assert KEY not in told
    assert KEY.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_a_dumped_recipe_holds_the_name_of_the_variable_only(llm_server: LlmServer) -> None:
    text = recipes.dumps(
        recipes.parse(
            {"rephraser": {"use": "litellm", "model": "openai/x", "api_key_env": KEY_VARIABLE}}, where="test"
        )
    )
    assert KEY_VARIABLE in text
    assert KEY not in text


@pytest.mark.parametrize(
    "values",
    [
        {"api_key_env": KEY},
        {"api_key_env": "gsk_abcdefghijklmnop"},
        {"api_base": f"http://user:{KEY}@host/v1"},
        {"api_base": f"https://host/v1?key={KEY}"},
        {"api_key": KEY},
        {"model": {"key": KEY}},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_without_repeating_it(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        validate(RephraserSettings, {"model": "openai/x", **values}, where="[rephraser]")
    assert KEY not in str(caught.value)
    assert "gsk_" not in str(caught.value)


def test_a_recipe_with_a_key_is_refused_without_repeating_it(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[rephraser]\nuse = "litellm"\nmodel = "openai/x"\napi_key = "{KEY}"\n')
    with pytest.raises(RecipeError, match=r"unknown key 'api_key'.*did you mean 'api_key_env'") as caught:
        recipes.load(path)
    assert KEY not in str(caught.value)


def test_a_providers_own_key_does_not_go_to_another_server(
    make: Make, llm_server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-openai-key-123")
    make(api_key_env=None).rephrase(["a dog"], strategy="k_list")
    assert "real" not in llm_server.requests[0].headers["Authorization"]


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-abcd1234efgh5678",
        "sk-proj-abc_DEF-1234567890 is wrong",
        "{'Authorization': 'Bearer abcdefghij'}",
        'authorization: "Basic abcdefghij"',
        "x-api-key: abcdefghij",
        "http://user:abcdefghij@host/v1",
        "AIzaSyA-abcdefghij",
        f"value {KEY} of a variable",
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str) -> None:
    hidden = redact(text)
    assert HIDDEN in hidden
    assert not re.search(r"abcd1234|abc_DEF|abcdefghij|SECRET", hidden)


@pytest.mark.parametrize("text", ["a skateboarder at dusk", "task-based skylines", "hf radio", "Bearer", "sk-8"])
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_given_secrets_are_hidden_and_short_ones_would_garble() -> None:
    assert redact("token=tiger-lily and a", secrets=["tiger-lily", "a"]) == f"token={HIDDEN} and a"


def test_validating_a_recipe_imports_neither_litellm_nor_torch(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[rephraser]\nuse = "litellm"\nmodel = "openai/x"\nmax_cost = 1.5\n')
    program = f"""
import sys
from pathlib import Path
from aesalign_core import recipe
recipe.load(Path({str(path)!r}))
import aesalign_litellm.rephraser
print(sorted({{"litellm", "openai", "httpx", "torch", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_litellm_is_quiet_and_fetches_no_price_list(llm_server: LlmServer, tmp_path: Path) -> None:
    program = f"""
import os, sys
os.environ["K"] = "sk-abcdefgh12345678"
from aesalign_litellm.rephraser import LitellmRephraser as R
class Context:
    def warn(self, message): pass
r = R(R.Settings(model="openai/local", api_base={llm_server.base!r}, api_key_env="K", retries=0,
      cache={str(tmp_path)!r}, min_similarity=None), Context())
for strategy in ("k_list", "detail"):
    r.rephrase(["a dog"], strategy=strategy)
assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
"""
    llm_server.script(Step(status=500), Step('{"description": "a dog runs"}'))
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=False)
    # Development mode shows unclosed sessions and coroutines that were never awaited.
    shown = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("Executing <Task")]
    assert (done.returncode, shown) == (0, [])
    assert len(llm_server.requests) == 2
