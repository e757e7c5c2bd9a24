"""The front plot's coordinates, by hand, and its words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from html_pages import Page, comparison, front
from PIL import Image

from aesalign_core.report import front_chart
from aesalign_core.report.front_chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw
from aesalign_core.report.page import render
from aesalign_core.report.records import FrontPoint


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a.png"
    Image.new("RGB", (60, 40)).save(path)
    return path


def test_points_lie_where_their_numbers_say() -> None:
    drawn = draw(front())
    strong, weak = drawn.lines
    # Gains 0 to 0.4 with a margin of 6 % on either side; recall 0.72 (the weak line's last drawn) to 0.8.
    assert strong.dots[0].x == pytest.approx(LEFT + 0.06 / 1.12 * (WIDTH - LEFT - RIGHT), abs=0.1)
    assert strong.dots[2].x == pytest.approx(LEFT + 1.06 / 1.12 * (WIDTH - LEFT - RIGHT), abs=0.1)
    height = HEIGHT - BOTTOM - TOP
    assert strong.dots[0].y == pytest.approx(TOP + 0.06 / 1.12 * height, abs=0.1)
    assert weak.dots[1].y == pytest.approx(TOP + 1.06 / 1.12 * height, abs=0.1)
    assert drawn.floor == pytest.approx(TOP + (0.06 + 0.03 * 0.8 / 0.08) / 1.12 * height, abs=0.2)
    assert strong.points.split()[0] == f"{strong.dots[0].x},{strong.dots[0].y}"


def test_what_loses_too_much_recall_is_not_drawn_but_told(photo: Path) -> None:
    assert [len(line.dots) for line in draw(front()).lines] == [3, 2]  # 0.4 is less than 85 % of 0.8
    words = Page(render(comparison(photo, front=front()))).text
    assert "w 0.2 40.0%" in words


def test_axes_have_round_ticks_within_the_plot() -> None:
    drawn = draw(front())
    assert [tick.label for tick in drawn.across] == ["0", "+0.1", "+0.2", "+0.3", "+0.4"]
    assert [tick.label for tick in drawn.up] == ["72%", "74%", "76%", "78%", "80%"]
    assert all(LEFT <= tick.place <= WIDTH - RIGHT for tick in drawn.across)


def test_a_front_that_goes_nowhere_can_be_drawn() -> None:
    still = (FrontPoint("0", 0.0, 0.0), FrontPoint("1", 0.0, 0.0))
    plot = front()
    flat = replace(plot, lines=tuple(replace(line, points=still) for line in plot.lines))
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= HEIGHT for line in draw(flat).lines for dot in line.dots)


def test_the_plot_is_told_in_words_and_as_a_table(photo: Path) -> None:
    page = Page(render(comparison(photo, front=front("RUN <b>"))))
    assert "RUN <b> at 97% of the recall: +0.300 σ (95% interval +0.200 to +0.400)" in page.text
    assert "and more was to be had" in page.text
    assert "so it is better at equal recall" in page.text
    assert "the same 50 captions, an even choice of 200" in page.text
    rows = sum(tag == "tr" for tag, _ in page.elements)
    assert rows == 1 + 6  # a heading, and every point of both lines
    assert "strength 2 76.0% +0.400" in page.text
    titles = [words for words in page.words if "strength 1: R@10" in words]
    assert titles == ["RUN <b>, strength 1: R@10 80.0%, reward +0.200 σ"]


@pytest.mark.parametrize(
    ("difference", "words"),
    [((-0.3, -0.4, -0.2), "it is worse"), ((0.1, -0.1, 0.3), "there is no clear difference")],
)
def test_the_verdict_follows_the_interval(photo: Path, difference: tuple[float, float, float], words: str) -> None:
    assert words in Page(render(comparison(photo, front=replace(front(), difference=difference)))).text


def test_why_there_is_no_front_is_said(photo: Path) -> None:
    words = Page(render(comparison(photo, no_front="without captions nobody knows <what>"))).text
    assert "Not drawn: without captions nobody knows <what>." in words
    assert "Recall against reward" not in Page(render(comparison(photo))).text
    assert front_chart.LOWEST == 0.85
