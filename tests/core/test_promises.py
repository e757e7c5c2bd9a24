"""What a component returns is looked at where it comes in, and an error says whose it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from aesalign_core import promises
from aesalign_core.errors import AlignmentError, EvaluationError, ModelError, PluginError
from aesalign_core.protocols import ObjectiveOutput
from aesalign_core.types import Match, Verdict

MATCH = Match("a", "a.jpg", 0.5, {})


def encoder(rows: Any) -> Any:
    return SimpleNamespace(name="odd", dim=3, encode_texts=lambda texts: rows, encode_pixels=lambda pixels: rows)


@pytest.mark.parametrize("rows", [None, "text", [["a"] * 3] * 2, np.ones((1, 3)), np.ones((2, 4)), np.ones(6)])
def test_embeddings(rows: Any) -> None:
    with pytest.raises(ModelError, match=r"^encoder 'odd' gave embeddings "):
        promises.embedded_texts(encoder(rows), ["a", "b"])
    with pytest.raises(ModelError, match=r"^encoder 'odd' gave embeddings "):
        promises.embedded_photos(encoder(rows), [np.zeros(1), np.zeros(1)])
    assert promises.embedded_texts(encoder(np.ones((2, 3))), ["a", "b"]).dtype == np.float32


@pytest.mark.parametrize("found", [None, [], [[MATCH]], [[MATCH], ["a"]], [[MATCH], MATCH], [[MATCH], None], "ab"])
def test_matches(found: Any) -> None:
    with pytest.raises(PluginError, match=r"^the retriever types.SimpleNamespace gave no list of matches for each"):
        promises.matches_of(SimpleNamespace(), found, 2)
    assert promises.matches_of(SimpleNamespace(), ([MATCH], []), 2) == [[MATCH], []]


def test_what_an_objective_says() -> None:
    named: Any = SimpleNamespace(name="odd")
    with pytest.raises(AlignmentError, match=r"^the objective 'odd' gives NoneType, and not an ObjectiveOutput"):
        promises.output_of(named, None)
    nothing = torch.zeros(())
    with pytest.raises(AlignmentError, match=r"^the objective 'odd' gives a loss without gradients"):
        promises.output_of(named, ObjectiveOutput(nothing, nothing, nothing, nothing))
    output = ObjectiveOutput(torch.zeros((), requires_grad=True), nothing, nothing, nothing)
    assert promises.output_of(named, output) is output


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "does not give a verdict per query and aspect, in order"),
        ([None], "does not give a verdict per query and aspect, in order"),
        ([Verdict("b", "aesthetic", "win")], "does not give a verdict per query and aspect, in order"),
        ([Verdict("a", "aesthetic", "tie")], "gave the outcome 'tie', and not one of "),  # type: ignore[arg-type]
    ],
)
def test_verdicts(found: Any, reason: str) -> None:
    judge: Any = SimpleNamespace(name="odd", aspects=("aesthetic",))
    with pytest.raises(EvaluationError, match=f"^the judge 'odd' {reason}"):
        promises.verdicts_of(judge, ["a"], found)
    assert len(promises.verdicts_of(judge, ["a"], [Verdict("a", "aesthetic", None)])) == 1
