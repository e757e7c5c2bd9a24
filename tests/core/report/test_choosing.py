"""Which queries are shown where: gains first, then losses, and what a judge or relevance change of that."""

from __future__ import annotations

from pathlib import Path

import pytest
from html_pages import Page, compared, comparison
from PIL import Image

from aesalign_core.report.choosing import choose
from aesalign_core.report.comparison import ComparedQuery
from aesalign_core.report.page import render
from aesalign_core.report.records import Photo
from aesalign_core.types import Verdict


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(path)
    return path


def test_gains_come_first_then_losses_and_nothing_is_shown_twice(photo: Path) -> None:
    gains = [0.5, -0.1, 2.0, 0.0, -3.0, 1.0, 0.2, 0.3, 0.4]
    shown = choose(comparison(photo, queries=tuple(compared(photo, g, f"q{g}") for g in gains)), highlights=3)
    assert [q.gain for q in shown.gains] == [2.0, 1.0, 0.5]
    assert [q.gain for q in shown.losses] == [-3.0, -0.1]
    assert [q.gain for q in shown.rest] == [0.4, 0.3, 0.2, 0.0]
    assert shown.left_out == 0


def test_a_query_that_shows_fewer_right_photos_is_a_loss_whatever_it_gained(photo: Path) -> None:
    right, wrong = Photo(photo, relevant=True), Photo(photo, relevant=False)
    queries = (
        ComparedQuery("kept", (right, wrong), (wrong, right), 0.0, 1.0),
        ComparedQuery("betrayed", (right, right), (wrong, wrong), 0.0, 9.0),
        ComparedQuery("one less", (right, right), (right, wrong), 0.0, -5.0),
        ComparedQuery("hopeless", (wrong, wrong), (wrong, wrong), 0.0, 8.0),
        ComparedQuery("found", (wrong, wrong), (right, wrong), 0.0, 0.5),
    )
    page = comparison(photo, queries=queries)
    shown = choose(page)
    assert [q.query for q in shown.gains] == ["kept", "found"]
    assert [q.query for q in shown.losses] == ["betrayed", "one less"]
    assert [q.query for q in shown.rest] == ["hopeless"]
    assert "count as gains" in " ".join(Page(render(page)).words)
    unknown = comparison(photo, queries=(ComparedQuery("q", (Photo(photo),), (Photo(photo),), 0.0, 1.0),))
    assert "count as gains" not in " ".join(Page(render(unknown)).words)


def test_too_many_queries_keep_the_extremes_of_both_ends_and_say_so(photo: Path) -> None:
    page = comparison(photo, queries=tuple(compared(photo, float(g), f"q{g}") for g in range(-60, 61)))
    shown = choose(page, most=100)
    assert sorted(q.gain for q in shown.all) == [float(g) for g in [*range(-60, -10), *range(11, 61)]]
    assert shown.left_out == 21
    assert "21 queries between the gains and the losses are left out" in " ".join(Page(render(page)).words)


def judged(photo: Path, query: str, gain: float, *outcomes: str | None) -> ComparedQuery:
    verdicts = tuple(Verdict(query, f"aspect {k}", outcome) for k, outcome in enumerate(outcomes))  # type: ignore[arg-type]
    return ComparedQuery(query, (Photo(photo),), (Photo(photo),), 0.0, gain, verdicts=verdicts)


def test_a_judge_orders_by_net_then_by_value(photo: Path) -> None:
    queries = (
        judged(photo, "loved", -5.0, "win", "win"),
        judged(photo, "liked", 0.1, "win", "similar"),
        judged(photo, "liked more", 0.2, "similar", "win"),
        judged(photo, "even", 9.0, "win", "loss"),
        judged(photo, "unjudged", 9.0, None, None),
        judged(photo, "half judged", 9.0, None, "loss"),
        judged(photo, "hated", 9.0, "loss", "loss"),
    )
    shown = choose(comparison(photo, queries=queries))
    assert [q.query for q in shown.gains] == ["loved", "liked more", "liked"]
    assert [q.query for q in shown.losses] == ["hated", "half judged"]
    assert [q.query for q in shown.rest] == ["even", "unjudged"]
    assert [q.net for q in shown.losses] == [-1.0, -1.0]


def test_a_judge_is_not_followed_where_right_photos_were_lost(photo: Path) -> None:
    right, wrong = Photo(photo, relevant=True), Photo(photo, relevant=False)
    win = (Verdict("q", "aesthetic", "win"),)
    lost = ComparedQuery("q", (right,), (wrong,), 0.0, 1.0, verdicts=win)
    shown = choose(comparison(photo, queries=(lost,)))
    assert not shown.gains
    assert shown.losses == [lost]


def test_both_gains_and_losses_have_their_place_however_many_of_either(photo: Path) -> None:
    queries = [compared(photo, float(g), f"q{g}") for g in range(1, 200)] + [compared(photo, -0.001, "the one")]
    shown = choose(comparison(photo, queries=tuple(queries)))
    assert [q.query for q in shown.losses] == ["the one"]
    assert len(shown.gains) == 5
