"""From two systems' answers, and whatever is known beside them, to what a page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.judging import Judgement
from aesalign_core.evaluation.questions import Question
from aesalign_core.evaluation.run_files import Listed
from aesalign_core.evaluation.systems import System
from aesalign_core.report import measuring, wording
from aesalign_core.report.comparison import ComparedQuery, Comparison, Measure
from aesalign_core.report.measuring import Scored
from aesalign_core.report.records import Curve, FrontPlot, GridExample, Photo
from aesalign_core.types import Verdict

Pairs = tuple[tuple[str, str], ...]
_NO_SCORES: Scored = {}


@dataclass(frozen=True)
class Evidence:
    """What is known beside two systems' rows. All of it is optional, but something must say which row is better.

    Attributes:
        judgement: Of a judge; queries are then ordered by it.
        rewards: By name and path; the first is the one that is shown with photos, and orders queries without a judge.
        trained: The reward that the new system was trained on; empty: not known, or none.
        grids: That it was trained on.
        curves: Of its training.
        settings: Of its training.
        front: Recall against reward.
        no_front: Why there is none.
        facts: Label and value.
        caveats: A sentence each.
    """

    judgement: Judgement | None = None
    rewards: Mapping[str, Scored] = field(default_factory=dict)
    trained: str = ""
    grids: tuple[GridExample, ...] = ()
    curves: tuple[Curve, ...] = ()
    settings: Pairs = ()
    front: FrontPlot | None = None
    no_front: str = ""
    facts: Pairs = ()
    caveats: tuple[str, ...] = ()


def compare(
    old: System, new: System, questions: Sequence[Question], evidence: Evidence, *, k: int, title: str = ""
) -> Comparison:
    """Puts together everything on the page.

    Args:
        old: What is compared with; it answered every question.
        new: What is compared; likewise.
        questions: What both were asked.
        evidence: What else is known.
        k: Photos of a row.
        title: Of the page; empty: made of the names.

    Raises:
        EvaluationError: Nothing says which row is better.
    """
    reward, scores = next(iter(evidence.rewards.items()), ("", _NO_SCORES))
    rows = _rows(old, new, questions, scores, evidence.judgement)
    if not evidence.judgement and not any(math.isfinite(row.gain) for row in rows):
        raise EvaluationError(
            "nothing says which row is better",
            hint="add --judge reward, or --gallery for its rewards, or --captions of the queries",
        )
    names = old.name, new.name if new.name != old.name else f"{new.name} (new)"
    return Comparison(
        title=title or f"{Path(names[1]).name} against {Path(names[0]).name}",
        old=names[0],
        new=names[1],
        measures=tuple(_measures(old, new, questions, evidence, k)),
        queries=rows,
        value=_value(reward if scores else "", questions),
        lede=f"The same {wording.plural(len(rows), 'query')}, asked of two systems; each row shows up to {k} photos.",
        facts=(("Kept of the rows before", _kept(rows)), *evidence.facts),
        tallies=measuring.tallies(evidence.judgement) if evidence.judgement else (),
        grids=evidence.grids,
        curves=evidence.curves,
        settings=evidence.settings,
        front=evidence.front,
        no_front=evidence.no_front,
        caveats=(*evidence.caveats, *_caveats(evidence)),
    )


def _value(reward: str, questions: Sequence[Question]) -> str:
    if reward:
        return f"mean reward ({reward})"
    return "share of right photos" if any(question.right is not None for question in questions) else ""


def _measures(old: System, new: System, questions: Sequence[Question], evidence: Evidence, k: int) -> list[Measure]:
    made = [
        measuring.reward(name, scores, questions, old, new, k=k, is_trained=name == evidence.trained)
        for name, scores in evidence.rewards.items()
    ]
    return [*(measure for measure in made if measure), *measuring.recall(questions, old, new, k=k)]


def _rows(
    old: System, new: System, questions: Sequence[Question], scores: Scored, judgement: Judgement | None
) -> tuple[ComparedQuery, ...]:
    right: dict[str, frozenset[str] | None] = {}
    for question in questions:  # captions of several photos may be the same words
        known = right.get(question.query)
        right[question.query] = question.right if known is None else known | (question.right or frozenset())
    said: dict[str, list[Verdict]] = {}
    for verdict in judgement.verdicts if judgement else ():
        said.setdefault(verdict.query, []).append(verdict)

    def value(row: Sequence[Listed], wanted: frozenset[str] | None) -> float:
        if scores or wanted is None or not row:
            return measuring.mean(row, scores)
        return float(np.mean([photo.path in wanted for photo in row]))

    return tuple(
        ComparedQuery(
            query=query,
            old=_photos(old.rows[query], scores, wanted),
            new=_photos(new.rows[query], scores, wanted),
            old_value=value(old.rows[query], wanted),
            new_value=value(new.rows[query], wanted),
            verdicts=tuple(said.get(query, ())),
        )
        for query, wanted in right.items()
    )


def _photos(row: Sequence[Listed], scores: Scored, wanted: frozenset[str] | None) -> tuple[Photo, ...]:
    return tuple(
        Photo(
            path=Path(photo.path),
            score=None if photo.score == photo.similarity else photo.score,
            similarity=photo.similarity,
            reward=scores.get(photo.path),
            relevant=None if wanted is None else photo.path in wanted,
        )
        for photo in row
    )


def _kept(rows: Sequence[ComparedQuery]) -> str:
    shares = [len({p.path for p in row.old} & {p.path for p in row.new}) / len(row.old) for row in rows if row.old]
    return f"{np.mean(shares):.0%} of their photos" if shares else "nothing: they were empty"


def _caveats(evidence: Evidence) -> list[str]:
    told = []
    if evidence.trained in evidence.rewards:
        told.append(
            f"The new system was trained on the reward {evidence.trained}, and that is what its measure reports. "
            "That it rises shows that alignment works, not that people would agree."
        )
    if evidence.front:
        told.append(
            "The plot of recall against reward is read off these captions. If the new system learnt from the same "
            "captions or photos, it flatters it; re-ranking learns nothing."
        )
    if evidence.judgement and evidence.trained and evidence.judgement.judge.endswith(f":{evidence.trained}"):
        told.append(f"The judge {evidence.judgement.judge} rests on the very reward that was trained on.")
    return told
