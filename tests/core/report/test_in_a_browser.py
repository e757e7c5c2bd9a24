"""Pages in a real browser: nothing leaves them, nothing is complained of, and keys reach what a mouse does."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from html_pages import HOSTILE, front
from PIL import Image

from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.report.comparison import ComparedQuery, Comparison, Measure, Tally
from aesalign_core.report.grid_page import write_grid
from aesalign_core.report.hits_page import write_hits
from aesalign_core.report.page import write_comparison
from aesalign_core.report.records import Curve, GridExample, Photo
from aesalign_core.types import Hit, SearchResult, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG = "a very long query without an end " * 303  # 9,999 characters
QUERIES = ("a dog", HOSTILE, LONG, "شاطئ عند الغروب", "line\nbreak\ttab", "x" * 300, "100% of %s and %00 größe 写真")
PHONE, DESK = 375, 1280


@dataclass
class Opened:
    """A page in the browser, and what it did that it should not have."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=as_root)
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind, with hostile words and photos that cannot be read."""
    folder = tmp_path_factory.mktemp("pages")
    photos = _photos(folder / "photos")
    rows = [tuple(Photo(p, reward=5.0 + k / 10, similarity=0.3) for k, p in enumerate(photos)) for _ in (0, 1)]
    words = "Row 1 is sharper <b>and</b> better lit / Row 2 is."
    outcomes = {"win": (0.5, 0.4, 0.3, 0.2), "loss": (-0.1, -0.2), None: (-0.3,)}
    said = [(outcome, gain) for outcome, gains in outcomes.items() for gain in gains]
    queries = tuple(
        ComparedQuery(
            query, rows[0], rows[1][::-1], 5.0, 5.0 + gain,
            verdicts=(Verdict(query, "aesthetic", outcome, reason=words),),  # type: ignore[arg-type]
        )
        for query, (outcome, gain) in zip(QUERIES, said, strict=True)
    )  # fmt: skip
    difference = paired_difference([0.0, 0.2, 0.1], [0.5, 0.6, 0.9])
    grid = GridExample("a dog", "a dog, well lit", (rows[0][:4][::-1], rows[0][:4][::-1]), 10, 6, (2, 4), "beauty")
    comparison = Comparison(
        title="new against old", old="old", new="new", queries=queries, front=front(), grids=(grid,),
        measures=(Measure("Reward of the first 10", difference), Measure("R@10", difference, "x", "share")),
        tallies=(Tally("Judge j, aesthetic", 4, 0, 2, difference, 0.5, 0.25, (("refusal", 1),)),),
        curves=(Curve("loss", ((1, 2.0), (2, 1.0), (3, 0.5)), kept=2),), settings=(("Encoder", "embedded"),),
        caveats=("Mind this.",),
    )  # fmt: skip
    hits = tuple(Hit(str(k), str(p), 0.5 - k / 100, 0.5 - k / 100, {"beauty": 5.0}) for k, p in enumerate(photos))
    return {
        "report": write_comparison(folder / "report.html", comparison),
        "grid": write_grid(folder / "grid.html", grid, facts=(("Reward", "beauty"),)),
        "hits": write_hits(folder / "hits.html", [SearchResult(query, hits) for query in QUERIES]),
        "hit": write_hits(folder / "hit.html", [SearchResult(LONG, hits)], reward="beauty"),
    }


def _photos(folder: Path) -> list[Path]:
    """Ten files: eight pictures under awkward names, one cut off, one gone."""
    folder.mkdir()
    names = (
        "<script>alert(1)<",
        "100% %00 %2e",
        "größe 写真 🏖",
        "a'b\"c",
        "\u202egpj.exe",
        "n" * 200,
        "plain",
        "&amp;",
    )
    paths = [folder / f"{name}.png" for name in names]
    for number, path in enumerate(paths):
        size = (120, 80) if number % 2 else (60, 120)
        Image.new("RGB", size, (25 * number, 90, 200 - 20 * number)).save(path)
    broken = folder / "broken.jpg"
    broken.write_bytes(paths[0].read_bytes()[:60])
    return [*paths, broken, folder / "gone.jpg"]


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> Iterator[Any]:
    contexts = []

    def _open(kind: str, *, width: int = DESK, scheme: str = "light", script: bool = True) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        opened = Opened(page)
        address = pages[kind].as_uri()
        page.on("request", lambda r: None if r.url in (address, "about:blank") else opened.requests.append(r.url))
        page.on("console", lambda m: opened.complaints.append(m.text))
        page.on("pageerror", lambda e: opened.complaints.append(str(e)))
        page.goto(address)
        return opened

    yield _open
    for context in contexts:
        context.close()


KINDS = ("report", "grid", "hits", "hit")


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_leaves_the_page_and_nothing_is_complained_of(open_page: Any, kind: str) -> None:
    opened = open_page(kind)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(200)
    assert [url for url in opened.requests if not url.startswith("data:image/webp;base64,")] == []
    assert opened.complaints == []
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_can_be_decoded(open_page: Any, kind: str) -> None:
    page = open_page(kind).page
    sizes = page.evaluate(
        """() => Promise.all([...document.querySelectorAll('symbol image')].map(async element => {
            const image = new Image(); image.src = element.getAttribute('href'); await image.decode();
            return [image.naturalWidth, image.naturalHeight, +element.getAttribute('width')] }))"""
    )
    assert len(sizes) >= 4
    assert all(width == told for width, _, told in sizes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(open_page: Any, kind: str, scheme: str) -> None:
    page = open_page(kind, width=PHONE, scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    frames = page.locator(".frame")
    for place in range(min(frames.count(), 12)):
        frames.nth(place).focus()
        box = frames.nth(place).locator(".tip").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE


@pytest.mark.parametrize("kind", KINDS)
def test_light_and_dark_are_followed_and_words_can_be_read_in_both(open_page: Any, kind: str) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = open_page(kind, scheme=scheme).page
        ink, ground = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        grounds.append(_luminance(ground))
        assert _contrast(ink, ground) > 12
        for selector in (".under", ".hint", ".facts dt", ".eyebrow", ".verdict.lost", ".verdict.gained", ".tip"):
            for element in page.locator(selector).all()[:1]:
                colours = element.evaluate(
                    """e => { const ground = x => { const c = getComputedStyle(x).backgroundColor;
                        return c === 'rgba(0, 0, 0, 0)' && x.parentElement ? ground(x.parentElement) : c };
                        return [getComputedStyle(e).color, ground(e)] }"""
                )
                assert _contrast(*colours) >= 4.5, (scheme, selector, colours)
    assert grounds[0] > 0.8
    assert grounds[1] < 0.05


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [float(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(ink: str, ground: str) -> float:
    darker, lighter = sorted((_luminance(ink), _luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_keyboard_reaches_photos_and_shows_their_scores(open_page: Any) -> None:
    page = open_page("report").page
    tip = page.locator(".query .tip").first
    assert not tip.is_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "frame":
            break
    assert page.evaluate("document.activeElement.className") == "frame"
    assert tip.is_visible()
    assert "reward 5.00" in tip.inner_text()
    assert "similarity 0.300" in tip.inner_text()
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "reward 5.00" in label
    assert "similarity 0.300" in label
    page.keyboard.press("Tab")
    assert not tip.is_visible()
    assert page.locator(".query .tip").nth(1).is_visible()


def test_the_mouse_shows_the_same(open_page: Any) -> None:
    page = open_page("report").page
    photo = page.locator(".query .new .frame").nth(3)
    photo.hover()
    tip = photo.locator(".tip")
    assert tip.is_visible()
    assert "before" in tip.inner_text()
    box = tip.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)  # what is shown can be reached
    assert tip.is_visible()


def test_links_skip_what_somebody_does_not_want_to_tab_through(open_page: Any) -> None:
    page = open_page("report").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the pictures"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the next query"
    headings = []
    for _ in range(6):
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        headings.append(page.evaluate("document.activeElement.closest('article,details,section')?.id ?? ''"))
    assert headings[:3] == ["q2", "q3", "q4"]
    assert all(page.evaluate(f"!!document.getElementById('{name}')") for name in headings if name)
    targets = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(page.evaluate("id => !!document.querySelector(id)", target) for target in targets)


def test_a_fold_opens_with_a_key(open_page: Any) -> None:
    page = open_page("report").page
    fold = page.locator("details.whole").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("d => d.open")
    assert "The whole query," in fold.inner_text()


def test_pointing_at_a_photo_of_a_grid_fades_what_it_is_preferred_to(open_page: Any) -> None:
    page = open_page("grid").page
    first = page.locator(".grid .frame").first
    first.focus()
    page.wait_for_timeout(200)
    shades = page.locator(".grid .mat").evaluate_all("all => all.map(e => +getComputedStyle(e).opacity)")
    assert shades == [1] + [0.3] * 7


def test_without_scripts_everything_is_there(open_page: Any) -> None:
    opened = open_page("report", script=False)
    page = opened.page
    assert page.locator("h1").inner_text() == "new against old"
    assert page.locator(".photo").count() >= 2 * 10 * len(QUERIES)
    page.locator(".query .frame").first.hover()
    assert page.locator(".query .tip").first.is_visible()
    page.locator("summary").last.click()
    assert opened.complaints == []


def test_pictures_that_cannot_be_shown_say_why(open_page: Any) -> None:
    page = open_page("report").page
    missing = page.locator(".query .missing")
    words = " ".join(missing.all_inner_texts())
    assert "no such file" in words
    assert missing.count() >= 4
    gone = page.locator(".query .old .frame").nth(9)
    gone.focus()
    assert "no such file" in gone.locator(".tip").inner_text()
    assert "no such file" in (gone.get_attribute("aria-label") or "")


def test_names_are_words_in_their_own_direction(open_page: Any) -> None:
    page = open_page("report").page
    text = page.locator(".query .tip b").all_text_contents()
    assert "<script>alert(1)<.png" in text
    assert "100% %00 %2e.png" in text
    assert "\ufffdgpj.exe.png" in text
    assert page.locator("h3 bdi", has_text="شاطئ").evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert "alert" not in page.title()


def test_paper_shows_what_is_folded_and_no_tips(open_page: Any) -> None:
    page = open_page("report").page
    page.emulate_media(media="print")
    assert page.locator("details.fold .row").first.is_visible()
    assert not page.locator(".contents").is_visible()


def test_headings_go_down_step_by_step(open_page: Any) -> None:
    for kind in KINDS:
        page = open_page(kind).page
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
