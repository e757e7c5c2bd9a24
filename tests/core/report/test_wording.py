"""Numbers, verdicts and drawn intervals, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report import charts, wording
from aesalign_core.report.comparison import Measure
from aesalign_core.report.records import Curve

finite = st.floats(-1e6, 1e6, allow_nan=False)


def difference(low: float, middle: float, high: float) -> Difference:
    return Difference(1.0, 1.0 + middle, middle, low, high, 0.95, 10)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(5.312, "number", "5.31"), (0.1234, "number", "0.123"), (-0.5, "number", "−0.500"), (0.625, "share", "62.5%"),
     (float("nan"), "number", "–")],
)  # fmt: skip
def test_values(number: float, unit: str, text: str) -> None:
    assert wording.value(number, unit) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(1.5, "number", "+1.50"), (-0.25, "number", "−0.250"), (0.125, "share", "+12.5 points"),
     (-0.01, "share", "−1.0 points"), (math.inf, "number", "unknown")],
)  # fmt: skip
def test_changes(number: float, unit: str, text: str) -> None:
    assert wording.change(number, unit) == text


def test_intervals() -> None:
    assert wording.interval(difference(0.1, 0.2, 0.3), "share") == "95% interval +10.0 to +30.0 points"


@pytest.mark.parametrize(
    ("lows_and_highs", "text"),
    [
        ([], "Nothing was measured."),
        ([(1, 2)], "Better on 1 of 1 measure."),
        ([(1, 2), (1, 2)], "Better on all 2 measures."),
        ([(1, 2), (-1, 2), (-3, -2)], "Better on 1 of 3 measures, worse on 1, no clear difference on 1."),
        ([(-3, -2)], "Worse on 1 of 1 measure."),
    ],
)
def test_headlines(lows_and_highs: list[tuple[float, float]], text: str) -> None:
    measures = [Measure("m", difference(low, (low + high) / 2, high)) for low, high in lows_and_highs]
    assert wording.headline(measures) == text


def test_what_turns_the_direction_of_words_is_shown_as_such() -> None:
    assert wording.clean("a\u202egpj.exe \u2066b\u2069 \u200fc") == "a\ufffdgpj.exe \ufffdb\ufffd \u200fc"


def test_long_words_are_cut_at_their_end_and_names_in_their_middle() -> None:
    assert wording.short("word " * 10, 12) == "word word w…"
    assert wording.short("word", 12) == "word"
    name = wording.name("x" * 200 + ".jpg")
    assert (len(name), name[-4:]) == (wording.MAX_NAME, ".jpg")
    assert wording.name("short.jpg") == "short.jpg"


@given(st.text(), st.integers(1, 50))
def test_nothing_is_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(wording.short(text, most)) <= most


@given(st.text())
def test_clean_text_is_one_line_that_utf8_can_hold(text: str) -> None:
    cleaned = wording.clean(text)
    cleaned.encode("utf-8")
    assert cleaned.isprintable() or not any(c in cleaned for c in "\n\r\t\0\x1b\u2028")
    assert wording.clean(cleaned) == cleaned


@given(finite, finite, finite)
def test_intervals_are_drawn_inside_the_chart_and_in_order(a: float, b: float, c: float) -> None:
    low, middle, high = sorted((a, b, c))
    drawn = charts.whisker(difference(low, middle, high))
    assert drawn is not None
    assert 0 <= drawn.low <= drawn.middle <= drawn.high <= charts.WIDTH
    assert 0 <= drawn.zero <= charts.WIDTH
    assert (drawn.zero < drawn.low) <= (low > 0)


def test_a_curve_spans_the_chart_from_its_highest_to_its_lowest() -> None:
    drawn = charts.line(Curve("loss", ((0, 2.0), (5, 1.5), (10, 1.0))))
    assert drawn is not None
    assert drawn.points == "0.0,8.0 160.0,60.0 320.0,112.0"
    assert (drawn.first, drawn.last, drawn.steps) == (2.0, 1.0, 10)


def test_a_long_curve_is_thinned_and_a_short_one_is_left_out() -> None:
    drawn = charts.line(Curve("loss", tuple((i, 1 / (i + 1)) for i in range(5_000))))
    assert drawn is not None
    assert len(drawn.points.split()) <= 400
    assert charts.line(Curve("loss", ((1, 0.5), (2, float("nan"))))) is None
