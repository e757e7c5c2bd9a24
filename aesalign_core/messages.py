"""Wording that many modules share: hints, one-line exceptions, warnings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches


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


def warn(message: str) -> None:
    """One warning line on stderr."""
    print(f"aesalign: warning: {message}", file=sys.stderr)  # noqa: T201


def note(message: str) -> None:
    """One line on stderr that people should know."""
    print(f"aesalign: {message}", file=sys.stderr, flush=True)  # noqa: T201
