"""HPIR files, and agreement with people, worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.agreement import (
    agreement,
    agreement_difference,
    bradley_terry,
    ceiling,
    cohens_kappa,
    decided_aspects,
)
from aesalign_core.evaluation.hpir import Choice, Item, Label, consensus, read_hpir, write_hpir

LOOKS = "aesthetic"


def label(who: str, choice: Choice, confidence: float = 1.0, aspect: str = LOOKS) -> Label:
    return Label(annotator=who, aspect=aspect, choice=choice, confidence=confidence)


def item(query: str, *labels: Label) -> Item:
    return Item(query=query, first=("a.jpg",), second=("b.jpg",), labels=labels)


SURE = item("sure", label("ann", "second"), label("bo", "second"), label("cy", "second"))  # net 1
SPLIT = item("split", label("ann", "first"), label("bo", "second"))  # net 0
UNSURE = item("unsure", label("ann", "first", 1.0), label("bo", "second", 0.5))  # net (-1 + 0.5) / 1.5 = -1/3
LEANING = item("leaning", label("ann", "first"), label("bo", "similar"))  # net -1/2
ITEMS = [SURE, SPLIT, UNSURE, LEANING]


def test_consensus_by_hand() -> None:
    nets = [consensus(i.of(LOOKS)) for i in ITEMS]
    assert [n.net for n in nets if n] == pytest.approx([1, 0, -1 / 3, -1 / 2])
    assert [n.choice for n in nets if n] == ["second", "similar", "first", "first"]
    assert consensus([label("ann", "first", 0.0)]) is None
    assert consensus([]) is None


def test_an_aspect_is_decided_if_people_prefer_a_row_somewhere() -> None:
    accuracy = item("q", label("ann", "first", aspect="accuracy"), label("bo", "second", aspect="accuracy"))
    assert decided_aspects([*ITEMS, accuracy]) == [LOOKS]
    with pytest.raises(EvaluationError, match="no item says which row people prefer"):
        decided_aspects([accuracy, SPLIT])
    assert decided_aspects([item("q", label("ann", "first", aspect="accuracy"), label("ann", "second"))]) == [
        "accuracy", LOOKS
    ]  # fmt: skip


def test_weighted_agreement_by_hand() -> None:
    # Weights 1, 0, 1/3, 1/2. Right, either, wrong, half.
    found = agreement(ITEMS, ["second", "first", "second", "similar"], LOOKS)
    assert found.agreement == pytest.approx((1 * 1 + 0 + 0 + 0.5 * 0.5) / (1 + 1 / 3 + 1 / 2))
    assert (found.items, found.missing) == (4, 0)
    assert found.low <= found.agreement <= found.high
    right = agreement(ITEMS, ["second", "first", "first", "first"], LOOKS)
    assert (right.agreement, right.low, right.high) == (1, 1, 1)
    assert agreement(ITEMS, ["first", "first", "second", "second"], LOOKS).agreement == 0


def test_two_systems_are_compared_by_the_same_weights() -> None:
    old: list[Choice | None] = ["first", "first", "second", "similar"]
    new: list[Choice | None] = ["second", "second", "first", "similar"]
    found = agreement_difference(ITEMS, old, new, LOOKS)
    assert found.old == pytest.approx(agreement(ITEMS, old, LOOKS).agreement)
    assert found.new == pytest.approx(agreement(ITEMS, new, LOOKS).agreement)
    # Weights 1, 0, 1/3, 1/2: the first and the third are won, the second does not count.
    assert found.difference == pytest.approx((1 + 1 / 3) / (1 + 1 / 3 + 1 / 2))
    assert found.units == 3
    some = agreement_difference(ITEMS, ["first", None, None, None], new, LOOKS)
    assert (some.difference, some.units, some.verdict) == (1, 1, "undecided")
    with pytest.raises(EvaluationError, match="no item says"):
        agreement_difference(ITEMS, [None, "first", None, None], new, LOOKS)


def test_items_without_a_choice_are_counted_as_missing() -> None:
    found = agreement(ITEMS, ["second", None, "second", None], LOOKS)
    assert (found.items, found.missing) == (2, 2)
    assert found.agreement == pytest.approx(1 / (1 + 1 / 3))


def test_the_ceiling_is_each_person_against_the_others() -> None:
    # SURE: each agrees with two others of one mind: 3 of weight 3.
    assert ceiling([SURE], LOOKS) == 1
    # SPLIT: each contradicts the other: 0 of weight 2.
    assert ceiling([SPLIT], LOOKS) == 0
    # LEANING: ann against bo's "similar" weighs nothing; bo's "similar" against ann is a half of weight 1.
    assert ceiling([LEANING], LOOKS) == 0.5
    assert ceiling([SURE, SPLIT, LEANING], LOOKS) == pytest.approx(3.5 / 6)
    assert ceiling([item("alone", label("ann", "first"))], LOOKS) is None


def test_cohens_kappa_by_hand() -> None:
    one: list[Choice] = ["first", "first", "second", "second"]
    other: list[Choice] = ["first", "second", "second", "second"]
    # p_o = 3/4; p_e = 1/2 · 1/4 + 1/2 · 3/4 = 1/2.
    assert cohens_kappa(one, other) == pytest.approx(0.5)
    assert cohens_kappa(one, one) == 1
    assert cohens_kappa(["first"], ["first"]) is None  # chance alone would always agree
    assert cohens_kappa([], []) is None


@given(st.lists(st.tuples(*[st.sampled_from(["first", "similar", "second"])] * 2), min_size=1, max_size=40))
def test_kappa_is_that_of_scikit_learn(pairs: Sequence[tuple[Choice, Choice]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    if len({*one, *other}) > 1:
        expected = cohen_kappa_score(one, other)
        assert cohens_kappa(one, other) == pytest.approx(expected, abs=1e-9)


def test_bradley_terry_by_hand() -> None:
    # Of two systems: log odds of the wins; 3 : 1 without a prior.
    assert bradley_terry(np.array([[0, 3], [1, 0]]), prior=0) == pytest.approx([math.log(3) / 2, -math.log(3) / 2])
    # Nobody is ahead in a circle.
    circle = bradley_terry(np.array([[0, 2, 1], [1, 0, 2], [2, 1, 0]]))
    assert circle == pytest.approx([0, 0, 0], abs=1e-9)
    # Who never lost stays finite.
    assert np.isfinite(bradley_terry(np.array([[0, 9], [0, 0]]))).all()


def test_bradley_terry_finds_the_strengths_that_made_the_duels() -> None:
    strengths = np.array([1.0, 0.2, -0.4, -0.8])
    odds = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))
    np.fill_diagonal(odds, 0)
    assert bradley_terry(odds * 1000, prior=0) == pytest.approx(strengths, abs=1e-6)


@pytest.mark.parametrize("table", [[[0, 1]], [[0.0]], [[0, -1], [1, 0]], [[0, np.nan], [1, 0]]])
def test_no_table_of_duels(table: Any) -> None:
    with pytest.raises(EvaluationError):
        bradley_terry(np.array(table))


def test_nobody_prefers_anything() -> None:
    with pytest.raises(EvaluationError, match="no item says"):
        agreement([SPLIT], ["first"], LOOKS)
    with pytest.raises(EvaluationError, match="no item says"):
        agreement(ITEMS, ["first"] * 4, "diversity")
    with pytest.raises(EvaluationError, match="4 items, but 1"):
        agreement(ITEMS, ["first"], LOOKS)


def test_a_file_that_was_written_is_read_back(tmp_path: Path) -> None:
    write_hpir(tmp_path / "h.jsonl", ITEMS)
    assert read_hpir(tmp_path / "h.jsonl") == ITEMS
    below = read_hpir(tmp_path / "h.jsonl", photos_root=Path("/photos"))
    assert below[0].first == ("/photos/a.jpg",)


def test_no_letter_of_a_query_ends_a_line(tmp_path: Path) -> None:
    odd = [item("one\u2028two\x85three\x0bfour\x1c", label("a\u2029b", "first"))]
    write_hpir(tmp_path / "h.jsonl", odd)
    assert read_hpir(tmp_path / "h.jsonl") == odd


GOOD = {"query": "a", "first": ["x"], "second": ["y"], "labels": []}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "line 2: line: Invalid JSON"),
        ({**GOOD, "first": []}, "line 2: first: "),
        ({**GOOD, "third": 1}, "line 2: third: "),
        ({**GOOD, "query": ""}, "line 2: query: "),
        ({**GOOD, "labels": [{"annotator": "a", "aspect": LOOKS, "choice": "both"}]}, r"labels\.0\.choice"),
        ({**GOOD, "labels": [{"annotator": "a", "aspect": LOOKS, "choice": "first", "confidence": 2}]}, "confidence"),
        ({**GOOD, "labels": [label("a", "first").model_dump()] * 2}, "'a' labels 'aesthetic' twice"),
    ],
)
def test_a_broken_line_is_named_with_its_field(tmp_path: Path, line: Any, reason: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    (tmp_path / "h.jsonl").write_text(f"{json.dumps(GOOD)}\n{text}\n")
    with pytest.raises(EvaluationError, match=reason):
        read_hpir(tmp_path / "h.jsonl")


def test_no_items_no_text_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    for name, reason in (("empty", "holds no item"), ("bytes", "not UTF-8"), ("none", "No such file")):
        with pytest.raises(EvaluationError, match=reason):
            read_hpir(tmp_path / name)
