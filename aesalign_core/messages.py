"""Wording that many modules share: hints, one-line exceptions, warnings."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from aesalign_core import launcher

_JOINERS = "\u200c\u200d"  # invisible, but part of how Persian, Hindi and others are written


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the known names nearest to a misspelled one."""
    unique = sorted(set(known))
    close = get_close_matches(name, unique, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "known: " + (", ".join(unique) or "none")


def describe(error: BaseException) -> str:
    """An exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def one_line(text: str, *, limit: int | None = None) -> str:
    """What a stranger wrote (a model, a server) as one line that can be shown anywhere.

    Control and invisible characters go (a terminal would obey them, a reader would not see them), white space becomes
    single spaces.

    Args:
        text: Anything.
        limit: Most characters; the last of a longer text is `…`.
    """
    line = " ".join("".join(map(_visible, unicodedata.normalize("NFC", text))).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in ("Cf", "Cs", "Co", "Cn") and character not in _JOINERS else character


def warn(message: str) -> None:
    """One warning line on stderr; of several processes of a launcher the first says it."""
    if launcher.rank() == 0:
        print(f"aesalign: warning: {message}", file=sys.stderr)  # noqa: T201


def note(message: str) -> None:
    """One line on stderr that people should know; of several processes of a launcher the first says it."""
    if launcher.rank() == 0:
        print(f"aesalign: {message}", file=sys.stderr, flush=True)  # noqa: T201
