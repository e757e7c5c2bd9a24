"""What is counted of verdicts, by hand, and the judges that give them out of turn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.hpir import Item
from aesalign_core.evaluation.judging import BATCH, judge_rows, summarise
from aesalign_core.evaluation.row_choices import judge_choices
from aesalign_core.types import Row, Verdict

Outcome = Literal["win", "similar", "loss"]


def verdicts(*outcomes: Outcome | None, flipped: Sequence[bool | None] = ()) -> list[Verdict]:
    flips = [*flipped, *[None] * (len(outcomes) - len(flipped))]
    return [
        Verdict(f"q{k}", "aesthetic", outcome, reason="refusal: no" if outcome is None else "", flipped=flip)
        for k, (outcome, flip) in enumerate(zip(outcomes, flips, strict=True))
    ]


class Longer:
    """The longer row wins."""

    name = "longer"
    aspects = ("length", "evenness")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        self.batches.append(len(queries))
        found = []
        for query, before, after in zip(queries, old, new, strict=True):
            outcome: Outcome = (
                "win" if len(after) > len(before) else "loss" if len(after) < len(before) else "similar"
            )
            found += [Verdict(query, "length", outcome), Verdict(query, "evenness", None, reason="blind: cannot")]
        return found


def test_counts_and_rates_by_hand() -> None:
    found = summarise(verdicts("win", "win", "win", "loss", "similar", "similar", None, None))
    assert (found.wins, found.similar, found.losses, found.judged) == (3, 2, 1, 6)
    assert found.failures == {"refusal": 2}
    assert found.win_rate == 3 / 4
    assert found.win_and_similar_rate == 5 / 6
    assert found.net is not None
    assert found.net.difference == pytest.approx((3 - 1) / 6)
    assert found.net.low < found.net.difference < found.net.high
    # Two-sided: P(0, 1, 3 or 4 heads of 4) = (1 + 4 + 4 + 1) / 16.
    assert found.p_value == pytest.approx(10 / 16)
    assert found.flip_rate is None


def test_nothing_won_or_lost_has_no_win_rate() -> None:
    found = summarise(verdicts("similar", "similar", flipped=[True, True]))
    assert (found.win_rate, found.p_value, found.win_and_similar_rate, found.flip_rate) == (None, None, 1.0, 1.0)


def test_one_verdict_has_no_interval_and_is_still_json() -> None:
    found = summarise(verdicts("win"))
    assert found.net is not None
    assert (found.net.low, found.net.high) == (-math.inf, math.inf)
    net = json.loads(json.dumps(found.as_dict(), allow_nan=False))["net"]
    assert (net["difference"], net["low"], net["high"], net["verdict"]) == (1, None, None, "undecided")


def test_no_verdicts_no_numbers() -> None:
    found = summarise(verdicts(None, None))
    assert (found.net, found.win_rate, found.win_and_similar_rate, found.failures) == (
        None,
        None,
        None,
        {"refusal": 2},
    )


def test_flips_are_counted_among_verdicts_asked_twice() -> None:
    found = summarise(verdicts("similar", "win", "loss", "win", None, flipped=[True, False, False, None, True]))
    assert (found.flips, found.asked_twice, found.flip_rate) == (1, 3, 1 / 3)


def test_ten_wins_and_no_loss_are_beyond_doubt() -> None:
    found = summarise(verdicts(*["win"] * 10))
    assert found.p_value == pytest.approx(2 / 2**10)


def test_a_judge_is_given_batches_and_every_aspect_is_summed_up() -> None:
    judge, told = Longer(), []
    queries = [f"q{k}" for k in range(BATCH + 3)]
    old, new = [["a"]] * len(queries), [["a", "b"]] * (len(queries) - 1) + [[]]
    found = judge_rows(judge, queries, old, new, progress=lambda done, total: told.append((done, total)))
    assert judge.batches == [BATCH, 3]
    assert told == [(BATCH, BATCH + 3), (BATCH + 3, BATCH + 3)]
    assert (found.aspects["length"].wins, found.aspects["length"].losses) == (BATCH + 2, 1)
    assert found.aspects["evenness"].failures == {"blind": BATCH + 3}
    assert len(found.verdicts) == 2 * len(queries)
    assert json.loads(json.dumps(found.as_dict()))["aspects"]["length"]["wins"] == BATCH + 2


def test_a_judge_that_wants_all_the_work_at_once_is_given_it() -> None:
    class Patient(Longer):
        def compare_all(
            self,
            queries: Sequence[str],
            old: Sequence[Row],
            new: Sequence[Row],
            *,
            progress: Callable[[int, int], None] | None = None,
        ) -> list[Verdict]:
            if progress:
                progress(3, 70)
            return self.compare(queries, old, new)

    judge, told = Patient(), []
    queries = [f"q{k}" for k in range(2 * BATCH)]
    found = judge_rows(
        judge, queries, [["a"]] * len(queries), [["b"]] * len(queries), progress=lambda *n: told.append(n)
    )
    assert judge.batches == [2 * BATCH]
    assert told == [(3, 70)]
    assert found.aspects["length"].similar == 2 * BATCH
    items = [Item(query="twice", first=("a",), second=("b", "c"))] * (BATCH + 1)
    assert judge_choices(judge, items)["length"] == ["second"] * (BATCH + 1)
    assert judge.batches[1:] == [BATCH + 1]


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(EvaluationError, match="2 queries, but 1 old"):
        judge_rows(Longer(), ["a", "b"], [["x"]], [["x"], ["y"]])
    with pytest.raises(EvaluationError, match="'a' comes twice"):
        judge_rows(Longer(), ["a", "a"], [["x"], ["x"]], [["x"], ["y"]])
    with pytest.raises(EvaluationError, match="0 queries"):
        judge_rows(Longer(), [], [], [])


def test_a_judge_that_leaves_a_query_out_is_refused() -> None:
    class Forgetful(Longer):
        def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
            return super().compare(queries, old, new)[:-1]

    with pytest.raises(EvaluationError, match="a verdict per query and aspect"):
        judge_rows(Forgetful(), ["a"], [["x"]], [["x"]])
