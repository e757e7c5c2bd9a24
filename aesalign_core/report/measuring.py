"""The summary of a comparison: what is measured of two systems' rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from aesalign_core.evaluation.judging import Judgement
from aesalign_core.evaluation.metrics import mean_at_k, recall_at_k
from aesalign_core.evaluation.questions import Question
from aesalign_core.evaluation.run_files import Listed
from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.evaluation.systems import System
from aesalign_core.report import wording
from aesalign_core.report.comparison import Measure, Tally

DEPTHS = (1, 5, 10)
Scored = Mapping[str, float]
"""A reward by the path of a photo."""


def recall(questions: Sequence[Question], old: System, new: System, *, k: int) -> list[Measure]:
    """How often a right photo is among the first 1, 5, 10, as far as rows reach, where right photos are known.

    That is R@k of captions, which have one right photo each, and Success@k where there may be several.
    """
    asked = [question for question in questions if question.right is not None]
    if not asked:
        return []
    wanted, units = [question.right or () for question in asked], [question.unit for question in asked]
    rows = [system.paths([question.query for question in asked]) for system in (old, new)]
    part = "" if len(asked) == len(questions) else f" Over {len(asked):,} of {len(questions):,} queries."
    short = "R" if all(len(right) <= 1 for right in wanted) else "Success"
    made = []
    for depth in dict.fromkeys(min(depth, k) for depth in DEPTHS):
        before, after = (recall_at_k(found, wanted, depth) for found in rows)
        where = "first" if depth == 1 else f"in the first {depth}"
        name = f"A right photo {where} ({short}@{depth})"
        told = ("How often the first answer shows it." if depth == 1 else "How often any of them does.") + part
        made.append(Measure(name, paired_difference(before, after, groups=units), told, "share"))
    return made


def reward(
    name: str, scores: Scored, questions: Sequence[Question], old: System, new: System, *, k: int, is_trained: bool
) -> Measure | None:
    """The mean reward of both systems' rows, over the questions where every photo has one; None if there is none."""
    asked = [q for q in questions if all(math.isfinite(mean(s.rows[q.query], scores)) for s in (old, new))]
    if not asked:
        return None
    rows = (system.paths([question.query for question in asked]) for system in (old, new))
    before, after = (mean_at_k(found, scores, k) for found in rows)
    part = "" if len(asked) == len(questions) else f" Over {len(asked):,} of {len(questions):,} queries."
    return Measure(
        f"Reward of the first {k}: {name}",
        paired_difference(before, after, groups=[question.unit for question in asked]),
        f"Mean score that the reward {name} gives them.{part}",
        independent=not is_trained,
    )


def mean(row: Sequence[Listed], scores: Scored) -> float:
    """The mean reward of a row; not a number if it is empty, or a photo has none."""
    values = [scores.get(photo.path, math.nan) for photo in row]
    return math.fsum(values) / len(values) if values else math.nan


def tallies(judgement: Judgement) -> tuple[Tally, ...]:
    """How often a judge preferred the new row, by aspect."""
    return tuple(
        Tally(
            judge=f"Judge {judgement.judge}, {aspect}",
            wins=summary.wins,
            similar=summary.similar,
            losses=summary.losses,
            net=summary.net,
            p_value=summary.p_value,
            flip_rate=summary.flip_rate,
            failures=tuple((wording.short(reason, 200), count) for reason, count in summary.failures.items()),
        )
        for aspect, summary in judgement.aspects.items()
    )
