"""Old answers against new ones, on held-out queries: what is measured, and how each query fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aesalign_core.evaluation.metrics import mean_at_k, recall_at_k
from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.report.comparison import ComparedQuery, Measure, Tally
from aesalign_core.report.records import Photo
from aesalign_core.types import Hit, SearchResult
from aesalign_embedded.demo.material import Asked

if TYPE_CHECKING:
    from aesalign_core.protocols import Judge

K = 10
Answers = Sequence[SearchResult]
SHORT = {"underexposure": "dark", "overexposure": "bright", "colour_cast": "colour"}


def measures(
    asked: Asked, old: Answers, new: Answers, *, reward: str, rewards: Mapping[str, float], flaws: Mapping[str, str]
) -> tuple[Measure, ...]:
    """The summary.

    Args:
        asked: The held-out queries.
        old: Their answers before, in order.
        new: Their answers after.
        reward: The reward's name.
        rewards: Of every photo, by id.
        flaws: By path; empty if nobody knows.
    """
    made = [_reward(asked, old, new, reward, rewards)]
    if flaws:
        made.append(_unflawed(asked, old, new, flaws))
    if asked.relevant:
        made += _recall(asked, old, new)
    return tuple(made)


def _reward(asked: Asked, old: Answers, new: Answers, name: str, rewards: Mapping[str, float]) -> Measure:
    before, after = (mean_at_k([[h.id for h in r.hits] for r in answers], rewards, K) for answers in (old, new))
    return Measure(
        f"Reward of the first {K}",
        paired_difference(before, after, groups=asked.groups),
        f"Mean score that the reward {name} gives them.",
        independent=False,
    )


def _unflawed(asked: Asked, old: Answers, new: Answers, flaws: Mapping[str, str]) -> Measure:
    whole = {path: float(not flaw) for path, flaw in flaws.items()}
    before, after = (mean_at_k(_paths(answers), whole, K) for answers in (old, new))
    return Measure(
        f"Unflawed photographs in the first {K}",
        paired_difference(before, after, groups=asked.groups),
        f"Share that is no flawed copy; {np.mean(list(whole.values())):.0%} of all pictures are none.",
        "share",
    )


def _recall(asked: Asked, old: Answers, new: Answers) -> list[Measure]:
    wanted = [asked.relevant[q] for q in asked.held_out]
    told = {
        1: ("Right photograph first (R@1)", "How often the first answer shows what was asked for."),
        K: (f"Right photograph in the first {K} (R@{K})", "How often any of them does."),
    }
    made = []
    for k, (name, explanation) in told.items():
        before, after = (recall_at_k(_paths(answers), wanted, k) for answers in (old, new))
        made.append(Measure(name, paired_difference(before, after, groups=asked.groups), explanation, "share"))
    if max(len(files) for files in wanted) >= K:
        before, after = (_precision(answers, wanted) for answers in (old, new))
        result = paired_difference(before, after, groups=asked.groups)
        made.append(
            Measure(f"Right photograph, share of the first {K}", result, "How much of the row does.", "share")
        )
    return made


def _precision(answers: Answers, wanted: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    rows = zip(_paths(answers), wanted, strict=True)
    return np.array([np.mean([path in files for path in paths[:K]]) for paths, files in rows], dtype=np.float64)


def _paths(answers: Answers) -> list[list[str]]:
    return [[hit.path for hit in result.hits] for result in answers]


def rows(
    asked: Asked, old: Answers, new: Answers, *, rewards: Mapping[str, float], flaws: Mapping[str, str]
) -> tuple[ComparedQuery, ...]:
    """Each query's two rows, for the page."""

    def photo(hit: Hit, query: str) -> Photo:
        flaw = flaws.get(hit.path, "")
        relevant = hit.path in asked.relevant[query] if asked.relevant else None
        path = Path(hit.path)
        return Photo(
            path=path,
            name=f"{path.parent.name}/{path.name}" if flaws else path.name,
            similarity=hit.similarity,
            reward=rewards[hit.id],
            badge=SHORT.get(flaw, flaw),
            relevant=relevant,
        )

    def value(result: SearchResult) -> float:
        return float(np.mean([rewards[hit.id] for hit in result.hits]))

    return tuple(
        ComparedQuery(
            query=query,
            old=tuple(photo(hit, query) for hit in before.hits),
            new=tuple(photo(hit, query) for hit in after.hits),
            old_value=value(before),
            new_value=value(after),
        )
        for query, before, after in zip(asked.held_out, old, new, strict=True)
    )


def tallies(judge: Judge, asked: Asked, old: Answers, new: Answers) -> tuple[Tally, ...]:
    """How often the judge prefers the new row, by aspect; queries it failed on are left out."""
    verdicts = judge.compare(asked.held_out, _paths(old), _paths(new))
    made = []
    for aspect in judge.aspects:
        outcomes = [v.outcome for v in verdicts if v.aspect == aspect]
        wins, similar, losses = (outcomes.count(o) for o in ("win", "similar", "loss"))
        made.append(Tally(f"Judge {judge.name}, {aspect}", wins, similar, losses))
    return tuple(made)


def kept(old: Answers, new: Answers) -> float:
    """Share of the old rows' photos that are still in the new ones."""
    shares = [
        len({h.id for h in a.hits} & {h.id for h in b.hits}) / max(1, len(a.hits))
        for a, b in zip(old, new, strict=True)
    ]
    return float(np.mean(shares))
