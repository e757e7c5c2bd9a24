"""How well a retriever or a judge agrees with people, and how well people agree with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.hpir import Choice, Consensus, Item, consensus
from aesalign_core.evaluation.statistics import RESAMPLES, Difference, paired_difference

_CHOICES: tuple[Choice, ...] = ("first", "similar", "second")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """With people, on one aspect.

    Attributes:
        aspect: Which.
        items: Items on which people have an opinion and the system has, too.
        missing: Items on which people have one and the system has none.
        agreement: Share of the weight of people's opinions that the system shares; `similar` counts half.
        low: Lower end of its 95 % bootstrap interval over items.
        high: Upper end.
        kappa: Cohen's κ of the system's choices and people's, over first, similar and second; None where it is
            undefined.
        ceiling: The agreement of each person with all others, the same way; None without two opinions on an item.
    """

    aspect: str
    items: int
    missing: int
    agreement: float
    low: float
    high: float
    kappa: float | None
    ceiling: float | None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def agreement(items: Sequence[Item], choices: Sequence[Choice | None], aspect: str) -> Agreement:
    """Compares a system's choices with people's.

    Each item counts by how sure people are, `Consensus.weight`: where their votes cancel nobody can be wrong.

    Args:
        items: n, labelled.
        choices: (n) of the system; None where it has none.
        aspect: Whose labels count.

    Raises:
        EvaluationError: No item with a label of this aspect has a choice, or all votes cancel.
    """
    if len(items) != len(choices):
        raise EvaluationError(f"{len(items)} items, but {len(choices)} choices")
    people = [consensus(item.of(aspect)) for item in items]
    both = [(p, c) for p, c in zip(people, choices, strict=True) if p is not None and c is not None]
    weights = np.array([p.weight for p, _ in both], dtype=np.float64)
    if not weights.sum():
        raise EvaluationError(f"no item says which row people prefer in {aspect!r}", hint="label some items first")
    shared = np.array([_shared(p, c) for p, c in both], dtype=np.float64)
    low, high = _interval(shared, weights)
    return Agreement(
        aspect=aspect,
        items=len(both),
        missing=sum(p is not None for p in people) - len(both),
        agreement=float(np.average(shared, weights=weights)),
        low=low,
        high=high,
        kappa=cohens_kappa([p.choice for p, _ in both], [c for _, c in both]),
        ceiling=ceiling(items, aspect),
    )


def agreement_difference(
    items: Sequence[Item], old: Sequence[Choice | None], new: Sequence[Choice | None], aspect: str
) -> Difference:
    """Agreement with people of a new system less that of an old one, over the items on which both have a choice.

    Args:
        items: n, labelled.
        old: (n) choices of the old system; None where it has none.
        new: (n) of the new one.
        aspect: Whose labels count.

    Raises:
        EvaluationError: No item with a label of this aspect has both choices, or all votes cancel.
    """
    people = [consensus(item.of(aspect)) for item in items]
    found = [(p, o, n) for p, o, n in zip(people, old, new, strict=True) if p and p.weight and o and n]
    if not found:
        raise EvaluationError(f"no item says which row people prefer in {aspect!r}", hint="label some items first")
    return paired_difference(
        [_shared(p, o) for p, o, _ in found],
        [_shared(p, n) for p, _, n in found],
        weights=[p.weight for p, _, _ in found],
    )


def decided_aspects(items: Sequence[Item]) -> list[str]:
    """The aspects in which people prefer a row of at least one item, in order of their names.

    Raises:
        EvaluationError: There is none.
    """
    aspects = sorted({label.aspect for item in items for label in item.labels})
    said = {aspect: [consensus(item.of(aspect)) for item in items] for aspect in aspects}
    decided = [aspect for aspect in aspects if any(one is not None and one.weight for one in said[aspect])]
    if not decided:
        raise EvaluationError("no item says which row people prefer", hint="label some items first")
    return decided


def ceiling(items: Sequence[Item], aspect: str) -> float | None:
    """The agreement of each annotator with the consensus of all others, weighted as any system's.

    None if no item has labels of two annotators, or the others' votes always cancel.
    """
    total = shared = 0.0
    for item in items:
        labels = item.of(aspect)
        for number, label in enumerate(labels):
            others = consensus(labels[:number] + labels[number + 1 :])
            if others is not None and label.confidence:
                total += others.weight
                shared += others.weight * _shared(others, label.choice)
    return shared / total if total else None


def cohens_kappa(one: Sequence[Choice], other: Sequence[Choice]) -> float | None:
    """κ = (p_o − p_e) / (1 − p_e) (Cohen, 1960); None where chance alone would always agree, or there is nothing.

    Args:
        one: (n) choices.
        other: (n) choices on the same items.
    """
    if not one:
        return None
    table = np.zeros((3, 3))
    for a, b in zip(one, other, strict=True):
        table[_CHOICES.index(a), _CHOICES.index(b)] += 1
    table /= table.sum()
    observed, expected = float(np.trace(table)), float(table.sum(1) @ table.sum(0))
    return (observed - expected) / (1 - expected) if expected < 1 else None


def bradley_terry(wins: NDArray[np.floating[Any]], *, prior: float = 0.5, rounds: int = 10_000) -> Floats:
    """Strengths of n systems from their duels: the i-th beats the j-th with probability p_i / (p_i + p_j).

    By the MM algorithm of Hunter (2004). `prior` wins each way between all pairs keep a system that won or lost
    everything finite; a tie is half a win for each.

    Args:
        wins: (n, n), how often the row's system beat the column's.
        prior: Virtual wins of each over each.
        rounds: At most.

    Returns:
        (n,) log-strengths, mean 0.

    Raises:
        EvaluationError: Not a square table of at least two systems, or a number that is negative or not finite.
    """
    table = np.array(wins, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) < 2:
        raise EvaluationError("duels are a square table of at least two systems")
    if not (np.isfinite(table).all() and (table >= 0).all()):
        raise EvaluationError("a number of wins is negative or not finite")
    table += prior
    np.fill_diagonal(table, 0.0)
    duels, won = table + table.T, table.sum(1)
    strengths = np.ones(len(table))
    for _ in range(rounds):
        sums = strengths[:, None] + strengths[None, :]
        updated = won / (duels / sums).sum(1)
        updated /= np.exp(np.log(updated).mean())
        done = bool(np.abs(np.log(updated / strengths)).max() < 1e-12)
        strengths = updated
        if done:
            break
    logs: Floats = np.log(strengths) - np.log(strengths).mean()
    return logs


def _shared(people: Consensus, choice: Choice) -> float:
    return 0.5 if choice == "similar" else float(choice == people.choice)


def _interval(shared: Floats, weights: Floats) -> tuple[float, float]:
    """Percentile bootstrap of a weighted mean over items."""
    if len(shared) < 2:
        return 0.0, 1.0  # one item says nothing about spread
    rng = np.random.default_rng(0)
    counts = rng.multinomial(len(shared), np.full(len(shared), 1 / len(shared)), size=RESAMPLES) * weights
    totals = counts.sum(1)
    means = (counts @ shared)[totals > 0] / totals[totals > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
