"""The picture of the voting page in the docs, taken in a real browser:

    PYTHONPATH=tests/support python -m vote_picture docs/images/voting.webp

Its photographs are those that scikit-image carries.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from browser_page import chromium
from PIL import Image, ImageEnhance, ImageFilter
from vote_page import Served, start

from aesalign_embedded.demo.sources import SOURCES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUERIES = ("something red", "an animal", "a journey")
Change = Callable[[Image.Image], Image.Image]


def _dark(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.35)


def _dull(image: Image.Image) -> Image.Image:
    return ImageEnhance.Contrast(ImageEnhance.Color(image).enhance(0.3)).enhance(0.6)


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(5))


def _same(image: Image.Image) -> Image.Image:
    return image


ROWS: dict[str, tuple[tuple[str, Change], ...]] = {
    "old": (("motorcycle", _dark), ("coffee", _blurred), ("cat", _same), ("astronaut", _dull), ("launch pad", _same)),
    "new": (("coffee", _same), ("motorcycle", _same), ("astronaut", _same), ("cat", _same), ("launch pad", _same)),
}


def rows(folder: Path) -> None:
    """Writes photos and rankings."""
    sources = {source.name: source.path() for source in SOURCES}
    for system, row in ROWS.items():
        paths = [folder / f"{system}-{name}.jpg" for name, _ in row]
        for path, (name, change) in zip(paths, row, strict=True):
            change(Image.open(sources[name]).convert("RGB")).save(path, quality=92)
        lines = [json.dumps({"query": query, "hits": [str(path) for path in paths]}) for query in QUERIES]
        (folder / f"{system}.jsonl").write_text("\n".join(lines) + "\n")


def _shot(browser: Browser, served: Served) -> bytes:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(served.url)
    page.get_by_label("Your name").fill("ann")
    page.keyboard.press("Enter")
    page.wait_for_selector(".vote")
    for answered, query in enumerate((*QUERIES[1:], QUERIES[0]), 1):
        page.goto(f"{served.origin}/all")
        page.get_by_role("link", name=query).click()
        page.wait_for_selector(".vote")
        page.keyboard.press("4")
        page.keyboard.press("7")  # where the seed puts the better row of the last one
        if query != QUERIES[0]:
            page.keyboard.press("Enter")
            page.wait_for_selector(f'.count:has-text("{answered} answered")')
    page.evaluate("Promise.all([...document.images].filter(i => i.src).map(i => i.decode())).then(() => true)")
    return page.screenshot()


def take(target: Path) -> None:
    """Serves, answers one comparison, and takes the picture of another half answered."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        rows(folder)
        served = start(folder, "compare", "old.jsonl", "new.jsonl", "--judge", "human", "--set", "judge.seed=1")
        try:
            shot = _shot(playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"]), served)
        finally:
            served.kill()
    Image.open(BytesIO(shot)).save(target, quality=88, method=6)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
