"""Pictures inside the terminal, where it can show any."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesalign_core.cli import console
from aesalign_core.errors import AesalignError

if TYPE_CHECKING:
    from PIL import Image

EXTRA = "pictures"
COLUMNS = 5
"""Photos beside each other, unless they have an order of their own."""

Show = Annotated[bool, typer.Option("--show", help="Show the photos in the terminal, if it can (kitty, sixel).")]
Blocks = Annotated[bool, typer.Option("--blocks", help="With --show: coarse coloured blocks, in any terminal.")]
Open = Annotated[bool, typer.Option("--open", help="Open a page with the photos in a browser.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write that page to this HTML file.")]


class Pictures:
    """Prints photos. Whether that is possible is found out before any work is done.

    Args:
        blocks: Draw blocks, whatever the terminal can do.

    Raises:
        AesalignError: Output is no terminal, the library is missing, or the terminal shows no pictures.
    """

    def __init__(self, *, blocks: bool) -> None:
        if not (sys.stdin.isatty() and sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns):
            raise AesalignError("--show needs a terminal", hint="write a page instead: --out FILE, or --open")
        try:
            # The terminal is asked what it can do while this is imported.
            from textual_image import renderable
        except ImportError:
            raise AesalignError(
                "--show needs the library textual-image", hint=f"pip install 'aesalign[{EXTRA}]', or use --open"
            ) from None
        self._kind: Any = renderable.HalfcellImage if blocks else renderable.Image
        if not blocks and self._kind not in (renderable.TGPImage, renderable.SixelImage):
            raise AesalignError(
                "this terminal shows no pictures: it knows neither kitty's protocol nor sixels",
                hint="--open shows them in a browser, --show --blocks draws them coarsely",
            )

    def rows(self, rows: Sequence[Sequence[Path]]) -> None:
        """Prints photos that have an order in two directions."""
        from aesalign_core.report.contact_sheet import sheet

        self._print(sheet(rows), columns=max(map(len, rows)))

    def list(self, photos: Sequence[Path]) -> None:
        """Prints photos in their order, `COLUMNS` beside each other."""
        from aesalign_core.report.contact_sheet import sheet

        for start in range(0, len(photos), COLUMNS):
            row = photos[start : start + COLUMNS]
            self._print(sheet([row], first=start + 1), columns=len(row))

    def _print(self, picture: Image.Image, *, columns: int) -> None:
        share = min(100, round(100 * columns / COLUMNS))
        console.out().print(self._kind(picture, width=f"{share}%", height="auto"))


def check_flags(*, show: bool, blocks: bool, json: bool) -> None:
    """Refuses flags that contradict each other.

    Raises:
        BadParameter: They do.
    """
    if blocks and not show:
        raise typer.BadParameter("--blocks belongs to --show")
    if show and json:
        raise typer.BadParameter("--show is for people: what prints JSON (--json, --queries) prints nothing else")
