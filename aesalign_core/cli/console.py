"""What people see: tables on stdout, progress on stderr. JSON never mixes with either."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

from aesalign_core import launcher

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[int, int], None]
PhaseReport = Callable[..., None]
WATCHED = ("loss", "accuracy", "margin")
"""Which of a training step's numbers fit beside its bar."""


def out() -> Console:
    """Rich, on stdout."""
    from rich.console import Console

    return Console(highlight=False)


def note(message: str) -> None:
    """A line for people, on stderr."""
    typer.echo(message, err=True)


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """One document."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def print_json_line(document: Mapping[str, Any]) -> None:
    """One line of JSON lines."""
    typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> None:
    """Prints a table; columns whose positions are in `numbers` are aligned right. Cells are never read as markup."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(columns):
        drawn.add_column(name, justify="right" if position in numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*[Text(cell) for cell in row])
    out().print(drawn)


@contextmanager
def progress(label: str) -> Iterator[Report]:
    """A bar with a rate and the time left; where stderr is no terminal, one line at the end.

    Yields:
        A call that takes (done, total).
    """
    if not sys.stderr.isatty():
        last = (0, 0)

        def remember(done: int, total: int) -> None:
            nonlocal last
            last = (done, total)

        yield remember
        if last[1]:
            note(f"{label}: {last[0]} of {last[1]}")
        return
    with _bar() as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def stdout_kept() -> Iterator[None]:
    """Keeps stdout for the result: Ray prints what befalls its workers there, whatever it is told."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def phases() -> Iterator[PhaseReport]:
    """Bars for work that has several phases, one after the other, each with numbers to watch.

    Of several processes of a launcher the first shows them.

    Yields:
        A call that takes (phase, done, total) and optionally a mapping of numbers.
    """
    if launcher.rank() != 0:
        yield lambda *_: None
        return
    if not sys.stderr.isatty():
        seen: dict[str, str] = {}
        yield lambda phase, done, total, numbers=None: _keep(seen, phase, done, total, numbers or {})
        for line in seen.values():
            note(line)
        return
    tasks: dict[str, Any] = {}
    with _bar() as bar:

        def report(phase: str, done: int, total: int, numbers: Mapping[str, float] | None = None) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total)
            bar.update(tasks[phase], completed=done, total=total, description=_label(phase, numbers or {}))

        yield report


def _keep(seen: dict[str, str], phase: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
    seen[phase] = f"{_label(phase, numbers)}: {done} of {total}"


def _label(phase: str, numbers: Mapping[str, float]) -> str:
    shown = [f"{name} {numbers[name]:.3f}" for name in WATCHED if name in numbers]
    return f"{phase} ({', '.join(shown)})" if shown else phase


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")  # there is none before the second step

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    ]
    return Progress(*columns, console=Console(stderr=True))
