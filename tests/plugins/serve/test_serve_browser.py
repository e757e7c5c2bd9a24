"""The search page in a real browser: keys, slider, a dark phone, a token, hostile words, a service that is gone.

Screenshots are left in the test's folder, or in $AESALIGN_SCREENSHOTS if that is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_page import DESKTOP, PHONE, Open, browser, chromium, open_page
from served import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright", reason="the browser tests need playwright")
pytestmark = pytest.mark.skipif(chromium() is None, reason="the browser tests need chromium, which is not installed")
__all__ = ["browser", "open_page"]

QUERY = "a magenta photo"
Shoot = Callable[["Page", str], None]


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Takes a picture of the page, once all its photos are drawn."""
    folder = Path(os.environ.get("AESALIGN_SCREENSHOTS") or tmp_path / "screenshots")

    def _shoot(page: Page, name: str) -> None:
        assert page.evaluate(
            "Promise.all([...document.images].filter(i => i.getAttribute('src')).map(i => i.decode()))"
            ".then(() => true)"
        )
        page.screenshot(path=folder / f"serve-{name}.png")
        assert (folder / f"serve-{name}.png").stat().st_size > 5_000

    return _shoot


def row(page: Page, name: str) -> list[str | None]:
    """Ids of a row's photos."""
    return [tile.get_attribute("data-id") for tile in page.locator(f"#{name} > li").all()]


def found(served: Served, query: str, strength: float) -> list[str]:
    """What the service answers to the same."""
    answer = served.client().get("/search", params={"q": query, "k": 8, "strength": strength})
    return [hit["id"] for hit in answer.json()["hits"]]


def ask(page: Page, query: str) -> None:
    """Types a query."""
    page.get_by_label("What the photos should show").fill(query)
    page.keyboard.press("Enter")
    page.wait_for_selector("#new > li")
    page.wait_for_selector("body:not(.busy)")


def moved(page: Page, key: str, times: int = 1) -> None:
    """Moves the slider by keys, and waits until the row follows."""
    for _ in range(times):
        page.keyboard.press(key)
    value = page.get_by_label("Strength").input_value()
    page.wait_for_function(
        "v => new URLSearchParams(location.search).get('s') === v && !document.body.classList.contains('busy')",
        arg=value,
    )


def test_keys_search_and_move_the_slider_and_only_the_new_row_changes(
    shared: Served, open_page: Open, shoot: Shoot
) -> None:
    page = open_page(shared, **DESKTOP)
    assert page.evaluate("document.activeElement.id") == "q"
    shoot(page, "empty")
    ask(page, QUERY)
    shoot(page, "desktop")
    before = found(shared, QUERY, 0)
    assert row(page, "old") == before
    assert row(page, "new") == found(shared, QUERY, 1) != before
    assert "at strength 1.00" in page.locator("#status").inner_text()

    page.get_by_label("Strength").focus()
    moved(page, "ArrowLeft", 10)
    assert page.locator("#value").inner_text() == "0.50"
    assert row(page, "new") == found(shared, QUERY, 0.5)
    moved(page, "Home")
    assert page.locator("#value").inner_text() == "0.00 before"
    assert row(page, "new") == row(page, "old") == before
    assert page.locator("#new .mark:visible").count() == 0
    moved(page, "End")
    assert row(page, "new") == found(shared, QUERY, 1.5)
    assert row(page, "old") == before
    assert page.locator("#new .mark:visible").count() > 0
    shoot(page, "strongest")

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.locator("#new a").first.click()
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.reload()  # the address holds query and strength
    page.wait_for_selector("#new > li")
    assert page.get_by_label("Strength").input_value() == "1.5"
    assert row(page, "new") == found(shared, QUERY, 1.5)


def test_the_slider_needs_no_pass_of_the_model(shared: Served, open_page: Open) -> None:
    page = open_page(shared, **DESKTOP)
    ask(page, "a white photo, and a slider")

    def passes() -> str:
        lines = shared.client().get("/metrics").text.splitlines()
        return next(line for line in lines if line.startswith("aesalign_batch_texts_count"))

    before = passes()
    page.get_by_label("Strength").focus()
    moved(page, "ArrowRight", 8)
    moved(page, "Home")
    assert passes() == before


def test_a_phone_in_the_dark_shows_both_rows_beside_each_other(shared: Served, open_page: Open, shoot: Shoot) -> None:
    page = open_page(shared, **PHONE)
    ask(page, QUERY)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    left, right = (page.locator(f"#{name} > li").first.bounding_box() for name in ("old", "new"))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["width"] == right["width"] > 150
    for name in ("#ask button", "#q", "#k"):
        box = page.locator(name).bounding_box()
        assert box
        assert box["height"] >= 44
    shoot(page, "phone")


def test_a_screen_reader_finds_names_for_everything(shared: Served, open_page: Open) -> None:
    page = open_page(shared, **DESKTOP)
    ask(page, QUERY)
    assert page.get_by_role("search").count() == 1
    assert page.get_by_role("slider", name="Strength").get_attribute("aria-valuetext") == "1.00 as aligned"
    for region in ("Before alignment", "Aligned"):
        assert page.get_by_role("region", name=region).get_by_role("link").count() == 8
    first = page.locator("#old a").first.get_attribute("aria-label") or ""
    assert first.startswith("Photo 1, magenta-")
    assert page.get_by_role("combobox", name="Photos").count() == 1
    page.keyboard.press("Shift+Tab")
    assert page.locator("#status").get_attribute("role") == "status"


def test_hostile_words_do_nothing(shared: Served, open_page: Open) -> None:
    page = open_page(
        shared, "/?q=%3Cimg%20src=x%20onerror=alert(1)%3E&s=%22%3E%3Cscript%3Ealert(2)%3C/script%3E&k=1e9", **DESKTOP
    )
    page.wait_for_selector("#new > li")
    assert page.locator("#q").input_value() == "<img src=x onerror=alert(1)>"
    assert page.locator("script").count() == 1
    assert len(row(page, "new")) == 8


def test_without_a_run_there_is_one_row(serve: Serve, open_page: Open, shoot: Shoot) -> None:
    page = open_page(serve(run=False), **DESKTOP)
    ask(page, "a red photo")
    assert page.get_by_role("slider").count() == 0
    assert page.locator("section").count() == 1
    assert page.locator("#status").inner_text() == "8 photos, best first."
    shoot(page, "one-row")


def test_a_person_gives_the_token_once(serve: Serve, open_page: Open, shoot: Shoot) -> None:
    token = "correct horse battery"
    page = open_page(serve(environment={"SERVE_TOKEN": token}, token_env="SERVE_TOKEN"), **DESKTOP)
    page.get_by_label("Token").fill("a wrong token")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    shoot(page, "token")
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    ask(page, "a red photo")
    assert token not in page.url


def test_a_service_that_is_gone_is_told(serve: Serve, open_page: Open, shoot: Shoot) -> None:
    served = serve()
    page = open_page(served, **DESKTOP)
    ask(page, QUERY)
    assert served.stop() == 0
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == "The service does not answer."
    assert len(row(page, "new")) == 8  # what was found stays
    shoot(page, "gone")
