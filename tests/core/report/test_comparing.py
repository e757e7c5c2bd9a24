"""From rows and what is known beside them to a comparison, against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from html_pages import Page, comparison

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.judging import judge_rows
from aesalign_core.evaluation.questions import Question
from aesalign_core.evaluation.run_files import Listed
from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.evaluation.systems import System
from aesalign_core.report.comparing import Evidence, compare
from aesalign_core.report.evidence import rewards_in
from aesalign_core.report.page import render
from aesalign_core.types import Row, Verdict

SCORES = {"a": 1.0, "b": 2.0, "c": 6.0}


def system(name: str, **rows: str) -> System:
    """Rows as strings of one-letter photos."""
    return System(name, {query: tuple(Listed(p, 0.5, 0.5) for p in row) for query, row in rows.items()})


OLD = system("old", dogs="ab", cats="bc", none="")
NEW = system("new", dogs="bc", cats="ba", none="c")
ASKED = tuple(Question(query, query) for query in OLD.rows)


class Judge:
    """The row that holds `c` is better; nobody can tell without photos."""

    name = "tester:fun"
    aspects = ("fun",)

    def compare(self, queries: list[str], old: list[Row], new: list[Row]) -> list[Verdict]:
        def verdict(query: str, before: Row, after: Row) -> Verdict:
            if not before or not after:
                return Verdict(query, "fun", None, reason="empty row: nothing there")
            difference = ("c" in after) - ("c" in before)
            outcome = {1: "win", 0: "similar", -1: "loss"}[difference]
            return Verdict(query, "fun", outcome, reason=f"because {query}")  # type: ignore[arg-type]

        return [verdict(*triple) for triple in zip(queries, old, new, strict=True)]


def test_rewards_of_rows_and_their_difference() -> None:
    made = compare(OLD, NEW, ASKED, Evidence(rewards={"beauty": SCORES}, trained="beauty"), k=2)
    values = {q.query: (q.old_value, q.new_value) for q in made.queries}
    assert values["dogs"] == (1.5, 4.0)
    assert values["cats"] == (4.0, 1.5)
    (measure,) = made.measures
    expected = paired_difference([1.5, 4.0], [4.0, 1.5], groups=["dogs", "cats"])
    assert measure.result == expected
    assert "2 of 3 queries" in measure.explanation  # a row of nothing has no mean
    assert not measure.independent
    assert any("trained on the reward beauty" in caveat for caveat in made.caveats)
    assert [q.query for q in made.by_gain()] == ["dogs", "none", "cats"]


def test_a_photo_without_a_reward_leaves_its_row_without_one() -> None:
    asked = (*ASKED[:2], Question("same", "same"))
    old, new = (System(s.name, {**s.rows, "same": (Listed("a"), Listed("b"))}) for s in (OLD, NEW))
    made = compare(old, new, asked, Evidence(rewards={"beauty": {"a": 1.0, "b": 2.0}}), k=2)
    assert [math.isfinite(q.old_value) for q in made.queries] == [True, False, True]
    assert [math.isfinite(q.new_value) for q in made.queries] == [False, True, True]
    (measure,) = made.measures
    assert (measure.result.units, measure.result.old) == (1, 1.5)


def test_right_photos_are_ticked_and_recalled() -> None:
    asked = (
        Question("dogs", "photo c", frozenset("c")),
        Question("cats", "photo c", frozenset("c")),
        Question("none", "none"),
    )
    made = compare(OLD, NEW, asked, Evidence(), k=2)
    by_name = {m.name.rpartition("(")[2].rstrip(")"): m.result for m in made.measures}
    # dogs: c is found second by the new one only; cats: second by the old one only.
    assert list(by_name) == ["R@1", "R@2"]
    assert (by_name["R@1"].old, by_name["R@1"].new) == (0.0, 0.0)
    assert (by_name["R@2"].old, by_name["R@2"].new) == (0.5, 0.5)
    assert by_name["R@2"].units == 1  # both captions are of one photo
    assert "2 of 3" in made.measures[0].explanation
    assert made.value == "share of right photos"
    dogs = made.queries[0]
    assert (dogs.old_value, dogs.new_value) == (0.0, 0.5)
    assert [p.relevant for p in dogs.new] == [False, True]
    assert [p.relevant for p in made.queries[2].new] == [None]


def test_several_right_photos_are_a_success_if_any_is_found() -> None:
    made = compare(OLD, NEW, (Question("dogs", "dogs", frozenset("cz")),), Evidence(), k=2)
    assert [m.name.rpartition("(")[2] for m in made.measures] == ["Success@1)", "Success@2)"]
    assert (made.measures[1].result.old, made.measures[1].result.new) == (0.0, 1.0)


def test_captions_that_are_the_same_words_are_asked_twice_and_shown_once() -> None:
    asked = (Question("dogs", "b", frozenset("b")), Question("dogs", "c", frozenset("c")))
    made = compare(OLD, NEW, asked, Evidence(), k=2)
    (dogs,) = made.queries
    assert [p.relevant for p in dogs.new] == [True, True]
    first = made.measures[0].result
    assert (first.old, first.new, first.units) == (0.0, 0.5, 2)  # b is first now, c is not


def test_a_judge_orders_queries_and_is_tallied_with_its_failures() -> None:
    queries = list(OLD.rows)
    judgement = judge_rows(Judge(), queries, OLD.paths(queries), NEW.paths(queries))  # type: ignore[arg-type]
    made = compare(OLD, NEW, ASKED, Evidence(judgement=judgement, rewards={"beauty": SCORES}, trained="fun"), k=2)
    (tally,) = made.tallies
    assert (tally.wins, tally.similar, tally.losses, tally.failures) == (1, 0, 1, (("empty row", 1),))
    assert tally.net == judgement.aspects["fun"].net
    assert [q.query for q in made.by_gain()] == ["dogs", "none", "cats"]
    assert [v.reason for v in made.queries[0].verdicts] == ["because dogs"]
    assert any("rests on the very reward" in caveat for caveat in made.caveats)


def test_without_anything_that_says_which_is_better_there_is_no_page() -> None:
    with pytest.raises(EvaluationError, match="which row is better") as error:
        compare(OLD, NEW, ASKED, Evidence(), k=2)
    assert "--judge" in error.value.hint


def test_names_that_are_equal_are_told_apart() -> None:
    made = compare(OLD, System("old", NEW.rows), ASKED, Evidence(rewards={"beauty": SCORES}), k=2)
    assert made.old != made.new


def test_scores_are_shown_where_they_are_not_the_similarity() -> None:
    rows = {"q": (Listed("a", 0.7, 0.5), Listed("b", 0.5, 0.5), Listed("c", 3.0))}
    made = compare(System("x", rows), System("y", rows), (Question("q", "q"),), Evidence(rewards={"r": SCORES}), k=3)
    assert [(p.score, p.similarity) for p in made.queries[0].old] == [(0.7, 0.5), (None, 0.5), (3.0, None)]


def test_the_share_of_photos_that_stayed() -> None:
    made = compare(OLD, NEW, ASKED, Evidence(rewards={"beauty": SCORES}), k=2)
    assert dict(made.facts)["Kept of the rows before"] == "50% of their photos"


def test_lists_may_tell_rewards_themselves() -> None:
    rows = {"q": (Listed("a", rewards={"x": 1.0}), Listed("b", rewards={"x": 2.0, "y": 3.0}))}
    found = rewards_in([System("s", rows)], "y")
    assert found == {"y": {"b": 3.0}, "x": {"a": 1.0, "b": 2.0}}
    assert list(found) == ["y", "x"]
    assert rewards_in([OLD, NEW], "x") == {}


def test_paths_stay_paths() -> None:
    made = compare(OLD, NEW, ASKED, Evidence(rewards={"beauty": SCORES}), k=2)
    assert made.queries[0].new[1].path == Path("c")


def test_each_aspect_has_its_verdict_and_a_reason_they_share_is_said_once(tmp_path: Path) -> None:
    shared = "Row 2 is sharper."
    verdicts = (
        Verdict("dogs", "accuracy", "similar", reason=shared, flipped=True),
        Verdict("dogs", "aesthetic", "win", reason=shared, flipped=False),
    )
    (query,) = compare(OLD, NEW, ASKED[:1], Evidence(rewards={"r": SCORES}), k=2).queries
    shown = Page(render(comparison(tmp_path / "none", queries=(replace(query, verdicts=verdicts),)))).text
    assert "accuracy no different aesthetic better" in shown
    assert "accuracy no different, as the order of the rows changed the verdict" in shown
    assert shown.count(shared) == 1
    apart = (verdicts[0], replace(verdicts[1], reason="Row 2 is warmer.", score_old=2.0, score_new=4.5))
    shown = Page(render(comparison(tmp_path / "none", queries=(replace(query, verdicts=apart),)))).text
    assert "changed the verdict: Row 2 is sharper." in shown
    assert "aesthetic better, 2.00 → 4.50: Row 2 is warmer." in shown
    assert "asked twice" in shown


def test_without_rewards_and_right_photos_no_number_is_promised() -> None:
    queries = list(OLD.rows)
    judgement = judge_rows(Judge(), queries, OLD.paths(queries), NEW.paths(queries))  # type: ignore[arg-type]
    made = compare(OLD, NEW, ASKED, Evidence(judgement=judgement), k=2)
    assert made.value == ""
    assert "The number beside a row" not in Page(render(made)).text
