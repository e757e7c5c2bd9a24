"""Pages in a real browser, which must do nothing wrong there and load nothing from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 375, "height": 667}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
    "color_scheme": "dark", "reduced_motion": "reduce",
}  # fmt: skip


class Served(Protocol):
    """A page that is served.

    Attributes:
        url: Of it.
        origins: What addresses of all that it loads begin with.
    """

    @property
    def url(self) -> str: ...

    @property
    def origins(self) -> tuple[str, ...]: ...


def chromium() -> str | None:
    """A browser that is installed."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium that is installed, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, as which containers run tests.
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens what is served in a browser of its own; nothing goes wrong in it, and nothing comes from elsewhere."""
    contexts, problems = [], []

    def _open(served: Served, path: str = "", **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda r: None if r.url.startswith(served.origins) else problems.append(r.url))
        page.goto(served.url + path)
        return page

    yield _open
    for context in contexts:
        context.close()
    assert not problems
