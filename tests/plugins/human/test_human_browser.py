"""The page in a real browser: keys, clicks, touch, a phone, dark, without JavaScript, and when the server is gone.

Screenshots are left in the test's folder, or in $AESALIGN_SCREENSHOTS if that is set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_page import DESKTOP, PHONE, Open, browser, chromium, open_page
from command_line import CAPTIONS, small_photos
from vote_page import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright", reason="the browser tests need playwright")
pytestmark = pytest.mark.skipif(chromium() is None, reason="the browser tests need chromium, which is not installed")
__all__ = ["browser", "open_page", "small_photos"]

COMPARE = ("compare", "old.jsonl", "new.jsonl", "--judge", "human", "--json")


@pytest.fixture
def systems(small_photos: Path, tmp_path: Path) -> dict[str, str]:
    """Rankings of six queries over real photographs; by sha256, the system whose first photo it is."""
    names = list(CAPTIONS)
    first: dict[str, str] = {}
    lines: dict[str, list[str]] = {"old": [], "new": []}
    for number, (name, caption) in enumerate(CAPTIONS.items()):
        other = names[(number + 1) % len(names)]
        rows = {
            "old": [f"crop3-{other}", f"crop1-{name}", f"crop2-{other}", other, f"crop1-{other}"],
            "new": [name, f"crop1-{name}", f"crop2-{name}", f"crop3-{name}", other],
        }
        for system, row in rows.items():
            paths = [small_photos / photo for photo in row]
            lines[system].append(json.dumps({"query": caption, "hits": [str(path) for path in paths]}))
            first[hashlib.sha256(paths[0].read_bytes()).hexdigest()] = system
    for system, written in lines.items():
        (tmp_path / f"{system}.jsonl").write_text("\n".join(written) + "\n")
    return first


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Page, str], None]:
    """Takes a picture of the page, once all its photos are drawn."""
    folder = Path(os.environ.get("AESALIGN_SCREENSHOTS") or tmp_path / "screenshots")

    def _shoot(page: Page, name: str) -> None:
        assert page.evaluate(
            "Promise.all([...document.images].filter(i => i.src).map(i => i.decode())).then(() => true)"
        )
        page.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 5_000

    return _shoot


def enter(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_selector(".vote, .people")


def new_is_left(page: Page, systems: dict[str, str]) -> bool:
    href = page.locator("#left + .photos a").first.get_attribute("href")
    assert href
    return systems[href.split("/")[2]] == "new"


def answers(page: Page) -> list[str | None]:
    """The words of each question's answer."""
    return [
        ask.locator("input:checked").get_attribute("aria-label") if ask.locator("input:checked").count() else None
        for ask in page.locator(".ask").all()
    ]


def wait_for_count(page: Page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('.count')?.textContent === text", arg=text)


def test_keys_alone_do_everything(
    serve: Serve, open_page: Open, systems: dict[str, str], shoot: Callable[[Page, str], None], tmp_path: Path
) -> None:
    served = serve(*COMPARE, "--set", "judge.annotators=2")
    page = open_page(served, **DESKTOP)
    shoot(page, "desktop-start")
    page.keyboard.type("ann")  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector(".vote")
    wait_for_count(page, "0 answered · 6 left")
    shoot(page, "desktop-vote")

    page.keyboard.press("Enter")  # nothing is answered, so nothing is sent
    assert answers(page) == [None, None]
    page.keyboard.press("7")
    assert answers(page) == ["right, sure", None]
    page.keyboard.press("ArrowLeft")  # the second question now
    assert answers(page) == ["right, sure", "left, fairly sure"]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert answers(page) == ["right, sure", "left, sure"]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert answers(page) == ["right, sure", "similar"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("2")
    assert answers(page) == ["left, fairly sure", "similar"]
    shoot(page, "desktop-answered")
    assert page.evaluate("document.documentElement.scrollHeight") <= 800 + 60  # next to nothing is below

    query = page.locator("h1").inner_text()
    page.keyboard.press("Enter")
    wait_for_count(page, "1 answered · 5 left")
    assert page.locator("h1").inner_text() != query
    assert page.evaluate("document.activeElement.tagName") == "H1"  # a screen reader reads the query next
    assert page.locator("#status").inner_text() == "1 answered · 5 left"
    assert page.locator("progress").get_attribute("value") == "1"
    assert answers(page) == [None, None]

    page.keyboard.press("b")
    page.wait_for_selector(".flag")
    assert page.locator("h1").inner_text() == query
    assert answers(page) == ["left, fairly sure", "similar"]
    page.keyboard.press("1")
    page.keyboard.press("Enter")  # the newest vote holds
    page.wait_for_selector(".vote:not(:has(.flag))")

    page.keyboard.press("l")
    where = page.locator("dialog .where")
    assert where.inner_text() == "Left row, photo 1 of 5"
    shoot(page, "desktop-enlarged")
    page.keyboard.press("ArrowRight")
    assert where.inner_text() == "Left row, photo 2 of 5"
    page.keyboard.press("ArrowDown")
    assert where.inner_text() == "Right row, photo 2 of 5"
    page.keyboard.press("7")  # is no answer while a photo is enlarged
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert answers(page) == [None, None]

    page.keyboard.press("s")
    wait_for_count(page, "1 answered · 4 left · 1 skipped")
    while page.locator(".vote").count():
        count = page.locator(".count").inner_text()
        best = "1" if new_is_left(page, systems) else "7"
        page.keyboard.press(best)
        page.keyboard.press(best)
        page.keyboard.press("Enter")
        page.wait_for_function("text => document.querySelector('.count').textContent !== text", arg=count)
    shoot(page, "desktop-end")
    assert page.get_by_role("button", name="Look at the skipped again").is_visible()
    assert page.get_by_role("row", name="ann 5 1 0").is_visible()

    page.get_by_role("link", name="All comparisons").click()
    shoot(page, "desktop-all")
    assert page.locator(".state.answered").count() == 5
    done = served.interrupt()
    assert done.code == 0
    # The one that was skipped has no verdict; of all others, at least four are the new system's.
    summary = done.json["aspects"]["aesthetic"]
    assert summary["failures"] == {"only skipped": 1}
    assert (summary["wins"], summary["similar"], summary["losses"]) == (4, 1, 0)


def test_a_second_person_votes_by_touch_on_a_phone_after_a_kill(
    serve: Serve, open_page: Open, systems: dict[str, str], shoot: Callable[[Page, str], None], tmp_path: Path
) -> None:
    first = serve(*COMPARE)
    ann = open_page(first, **DESKTOP)
    enter(ann, "ann")
    ann.locator(".ask").nth(0).get_by_role("radio", name="similar").click()
    ann.locator(".ask").nth(1).get_by_role("radio", name="similar").click()
    ann.get_by_role("button", name="Save and go on").click()
    wait_for_count(ann, "1 answered · 5 left")
    first.kill()
    ann.keyboard.press("4")
    ann.keyboard.press("4")
    ann.keyboard.press("Enter")
    ann.wait_for_selector("#status.wrong")
    assert "Not kept" in ann.locator("#status").inner_text()
    assert answers(ann) == ["similar", "similar"]  # still there, to be sent again
    shoot(ann, "desktop-gone")

    served = serve(*COMPARE)
    page = open_page(served, **PHONE)
    assert page.get_by_role("button", name="ann 1 answered, 5 left").is_visible()
    enter(page, "bo")
    wait_for_count(page, "0 answered · 5 left")  # ann's vote is there, and one is enough
    shoot(page, "phone-vote")
    left, right = (page.locator(f"#{side} + .photos a").first.bounding_box() for side in ("left", "right"))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["width"] == right["width"] > 150
    while page.locator(".vote").count():
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        step = 0 if new_is_left(page, systems) else 6
        count = page.locator(".count").inner_text()
        for number in (0, 1):
            button = page.locator(".ask").nth(number).locator(".step").nth(step)
            box = button.bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["width"] >= 44
            button.tap()
        if count.startswith("0"):
            shoot(page, "phone-answered")
            page.locator(".photos a").nth(5).tap()
            assert page.locator("dialog .where").inner_text() == "Right row, photo 1 of 5"
            shoot(page, "phone-enlarged")
            page.get_by_role("button", name="other row").tap()
            assert page.locator("dialog .where").inner_text() == "Left row, photo 1 of 5"
            page.get_by_role("button", name="Close").tap()
        page.get_by_role("button", name="Save and go on").tap()
        page.wait_for_function("text => document.querySelector('.count').textContent !== text", arg=count)
    shoot(page, "phone-end")
    assert page.get_by_role("row", name="bo 5 0 0").is_visible()
    page.get_by_role("button", name="Finish").tap()
    page.get_by_text("Thank you, bo").wait_for()
    done = served.wait()
    assert done.json["aspects"]["accuracy"]["wins"] == 5
    assert done.json["aspects"]["accuracy"]["similar"] == 1


def test_a_screen_reader_finds_names_for_everything(serve: Serve, open_page: Open, systems: dict[str, str]) -> None:
    page = open_page(serve(*COMPARE), **DESKTOP)
    enter(page, "ann")
    for question in ("Which row answers the query better?", "Which row looks better?"):
        group = page.get_by_role("group", name=question)
        assert group.get_by_role("radio").count() == 7
        for words in ("left, sure", "left, a guess", "similar", "right, fairly sure"):
            assert group.get_by_role("radio", name=words, exact=True).count() == 1
    for side in ("Left", "Right"):
        region = page.get_by_role("region", name=side)
        assert region.get_by_role("img", name=f"{side} row, photo 5 of 5").count() == 1
    assert page.get_by_role("progressbar", name="Your progress").count() == 1
    assert page.locator("#status").get_attribute("aria-live") == "polite"
    assert page.get_by_role("heading", level=1).count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_it_works_without_javascript(serve: Serve, open_page: Open, systems: dict[str, str]) -> None:
    served = serve(*COMPARE)
    page = open_page(served, **DESKTOP, java_script_enabled=False)
    enter(page, "ann")
    assert page.locator(".photos a").first.get_attribute("href").endswith("/large")
    for left in range(6, 0, -1):
        assert page.locator(".count").inner_text() == f"{6 - left} answered · {left} left"
        for ask in page.locator(".ask").all():
            ask.get_by_role("radio", name="similar").check()
        page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("button", name="Finish").click()
    assert page.get_by_text("Thank you, ann").is_visible()
    assert served.wait().json["aspects"]["accuracy"]["similar"] == 6


def test_hostile_queries_do_nothing_in_a_browser(
    serve: Serve, open_page: Open, small_photos: Path, shoot: Callable[[Page, str], None], tmp_path: Path
) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>" + "very" * 60 + " \u202egnol"
    photo = str(small_photos / "cat.jpg")
    for name in ("old", "new"):
        line = json.dumps({"query": hostile, "hits": [photo]}, ensure_ascii=False)
        (tmp_path / f"{name}.jsonl").write_text(line + "\n")
    page = open_page(serve(*COMPARE), **PHONE)
    enter(page, "<b onclick=alert(3)>ann</b>")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.locator("h1").inner_text().startswith("<script>alert(1)</script>")
    shoot(page, "phone-hostile")
    page.goto(page.url.replace("/c/1", "/all"))
    assert page.locator("script").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 375
