"""Models with known vices, behind a server: each is caught by its control, and an honest one passes all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from command_line import Aesalign, aesalign, small_photos
from llm_eyes import answer, filled, rows

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.controls import Control, check_judge, raise_unless_passed
from aesalign_core.images.decoding import find_photos
from aesalign_core.testing.llm_server import LlmServer, Received, Step

if TYPE_CHECKING:
    from conftest import MakeJudge

__all__ = ["aesalign", "small_photos"]


def quality(pictures: Sequence[np.ndarray]) -> float:
    """Detail and light of the lower part of a row, below painted words: what all flaws take away."""
    sheet = pictures[0][2 * len(pictures[0]) // 3 : -8].astype(float).mean(2)
    return float(np.abs(np.diff(sheet)).mean() + np.abs(np.diff(sheet, axis=0)).mean()) * float(sheet.std())


def words(pictures: Sequence[np.ndarray]) -> float:
    """How much of a row is white, as behind painted words."""
    return float((pictures[0].min(2) > 250).mean())


def honest(request: Received) -> str:
    return answer(request, quality, least=1e-6)


def obedient(request: Received) -> str:
    """Reads: words in a photo that ask to be preferred are obeyed."""
    first, second = map(words, rows(request))
    return answer(request, words) if abs(first - second) > 0.02 else honest(request)


def first(request: Received) -> str:
    return filled(request, {"first_": 5, "second_": 2, "": "first"}, "it is first")


def noise(request: Received) -> str:
    picks = ("first", "second", "similar")
    return filled(request, {"": picks[hashlib.sha256(request.raw).digest()[0] % 3]}, "who knows")


Check = Callable[..., dict[str, Control]]


@pytest.fixture
def check(judge: MakeJudge, small_photos: Path, tmp_path: Path) -> Check:
    def run(**settings: Any) -> dict[str, Control]:
        made = judge(side=128, aspects=("aesthetic",), **settings)
        return {control.name: control for control in check_judge(made, find_photos(small_photos)[:12], tmp_path)}

    return run


ALL = {"identical", "flawed", "painted", "swapped", "order"}


def passed(controls: dict[str, Control]) -> set[str]:
    return {name for name, control in controls.items() if control.passed}


def test_an_honest_judge_passes(check: Check, llm_server: LlmServer) -> None:
    llm_server.script(Step(honest))
    found = check()
    raise_unless_passed("honest", list(found.values()))
    assert passed(found) == ALL
    assert {name: (c.asked, c.expected) for name, c in found.items()} == {
        "identical": (4, 4), "flawed": (4, 4), "painted": (4, 4), "swapped": (4, 4), "order": (16, 16)
    }  # fmt: skip


def test_a_judge_that_reads_painted_words_is_caught(check: Check, llm_server: LlmServer) -> None:
    llm_server.script(Step(obedient))
    found = check()
    assert passed(found) == ALL - {"painted"}
    assert found["painted"].expected == 0
    with pytest.raises(EvaluationError, match=r"reader does not pass painted \(0 of 4 as expected: .* in praise of"):
        raise_unless_passed("reader", list(found.values()))


def test_a_judge_that_looks_at_places_is_caught_in_either_way_of_asking(check: Check, llm_server: LlmServer) -> None:
    llm_server.script(Step(first))
    found = check()
    assert passed(found) == {"identical", "swapped"}  # all is similar, once both orders are put together
    assert found["order"].expected == 0
    assert str(found["order"]) == "order (0 of 16 as expected: its verdicts depend on which row is shown first)"
    once = check(both_orders=False)
    assert set(once) == ALL - {"order"}
    assert not passed(once)


def test_noise_is_caught(check: Check, llm_server: LlmServer) -> None:
    llm_server.script(Step(noise))
    assert not passed(check()) & {"flawed", "painted", "order"}
    assert not passed(check(both_orders=False)) & {"identical", "flawed", "painted"}


def test_a_judge_that_does_not_answer_does_not_pass(check: Check, llm_server: LlmServer) -> None:
    llm_server.script(Step("I would rather not."))
    found = check()
    assert not passed(found)
    assert {control.share for control in found.values()} == {None}
    assert found["flawed"].failures == {"answer is no JSON": 4}
    with pytest.raises(EvaluationError, match=r"identical \(0 of 4 verdicts: answer is no JSON \(4\)\)"):
        raise_unless_passed("silent", list(found.values()))


@pytest.mark.parametrize("model", [pytest.param(honest, id="honest"), pytest.param(obedient, id="obedient")])
def test_the_command_says_it_and_exits_with_it(
    aesalign: Aesalign, llm_server: LlmServer, small_photos: Path, model: Callable[[Received], str]
) -> None:
    llm_server.script(Step(model))
    settings = {"model": "openai/x", "api_base": llm_server.base, "side": 128, "cache": "cache"}
    flags = [flag for name, value in settings.items() for flag in ("--set", f"judge.{name}={value}")]
    command = ("judge", "check", small_photos, "--limit", "6", "--judge", "litellm", *flags)
    done = aesalign(*command)
    lines = [line.split() for line in done.out.splitlines()]
    assert ["flawed", "2", "0", "100.0%", "yes"] in lines
    if model is honest:
        assert (done.code, done.err) == (0, "")
        assert ["painted", "2", "0", "100.0%", "yes"] in lines
        return
    assert done.code == 1
    assert ["painted", "2", "0", "0.0%", "NO"] in lines
    (line,) = done.err.splitlines()
    assert line.startswith("aesalign: error: the judge litellm:openai/x:ranker does not pass painted (0 of 2 as")
    again = aesalign(*command, "--json")  # from the cache
    assert (again.code, again.json["passed"], again.json["controls"]["painted"]["passed"]) == (1, False, False)
