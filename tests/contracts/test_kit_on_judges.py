"""Broken judges fail the kit, which says which promise they break."""

from __future__ import annotations

from pathlib import Path

import kit
import pytest

from aesalign_core.authoring.scaffold import scaffold

WHOLE = "test_a_verdict_per_query_and_aspect"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> kit.Failures:
    folder: Path = tmp_path_factory.mktemp("kit")
    plain = scaffold("plain-eye", "judge", folder).folder / "src"
    bodies = dict.fromkeys(("good", "copying", "undecided", "nan", "printing"), 'refused = ({"margin": -1},)')
    return kit.failures(
        folder, "JudgeContract", {"broken": "broken_judges"}, bodies, paths=[plain], only="not test_importing"
    )


def test_what_keeps_every_promise_passes(found: kit.Failures) -> None:
    assert found["good"] == {}


@pytest.mark.parametrize(
    ("component", "test", "said"),
    [
        ("copying", "test_a_verdict_is_on_its_own_rows", "verdicts depend on their batch: on query 2 of 3 it says"),
        ("undecided", WHOLE, "the outcome 'better' is none of 'win', 'loss', 'similar', None"),
        ("nan", WHOLE, "score_new of 'a landscape' is nan: give a finite Python float"),
        (
            "printing",
            "test_judging_prints_nothing_and_reaches_no_network",
            "it prints 'a landscape shapes by the sea",
        ),
    ],
)
def test_a_broken_promise_is_named(found: kit.Failures, component: str, test: str, said: str) -> None:
    assert test in found[component], f"only these failed: {list(found[component])}"
    assert said in found[component][test]
