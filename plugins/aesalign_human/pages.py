"""The pages as text. Whatever is printed in them is cleaned and escaped, wherever it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from aesalign_core.report.wording import clean
from aesalign_human.scale import STEPS

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_QUESTIONS = {
    "accuracy": "Which row answers the query better?",
    "aesthetic": "Which row looks better?",
    "diversity": "Which row is more varied?",
}


@cache
def static() -> Mapping[str, bytes]:
    """The page's own files, by name."""
    return {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}


def question(aspect: str) -> str:
    """How an aspect is asked for."""
    return _QUESTIONS.get(aspect, f"Which row is better in {aspect}?")


def render(name: str, **values: Any) -> str:
    """A page from its template."""
    return _environment().get_template(f"{name}.html.j2").render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
        loader=PackageLoader("aesalign_human"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(steps=STEPS, question=question, version=_version(), plural=_plural)
    return environment


def _version() -> str:
    """Changes with the style and the script, so that browsers may keep them."""
    return hashlib.sha256(b"".join(static().values())).hexdigest()[:12]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def columns(rows: Sequence[Sequence[object]]) -> int:
    """Photos of the longest row: both rows are laid out alike, so that neither is larger than the other."""
    return max(len(row) for row in rows)
