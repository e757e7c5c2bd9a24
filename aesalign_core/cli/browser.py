"""Showing a page in the user's browser, or saying where it is."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from aesalign_core.cli import console

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without any of these a Unix machine has no window to open, and what Python finds is a browser of the terminal."""


def open_page(page: Path) -> None:
    """Opens a page; on a machine that cannot, says where it is."""
    if not _open(page.resolve().as_uri()):
        console.note(f"there is no browser to open here; the page is at {page.resolve()}")


def open_address(address: str) -> None:
    """Opens an address; on a machine that cannot, says so."""
    if not _open(address):
        console.note(f"there is no browser to open here; open {address}")


def _open(address: str) -> bool:
    import webbrowser

    has_display = sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in DISPLAYS)
    return has_display and webbrowser.open(address)


def announce(page: Path, *, is_opened: bool) -> None:
    """Says where a page is, and opens it if that was asked for."""
    console.note(f"page: {page}")
    if is_opened:
        open_page(page)


def place_for(name: str, out: Path | None) -> Path:
    """Where a page goes: where the user said, else into a new temporary folder that stays."""
    return out or Path(tempfile.mkdtemp(prefix="aesalign-")) / name
