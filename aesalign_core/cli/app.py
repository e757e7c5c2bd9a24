"""The Typer application, and the one place where an exception becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import Annotated, Any

import typer

from aesalign_core import launcher
from aesalign_core.blame import guilty
from aesalign_core.cli import (
    align,
    demo,
    doctor,
    evaluate,
    export,
    grid,
    index,
    judge,
    pairs,
    plugins,
    reindex,
    rephrase,
    report,
    score,
    search,
    serve,
)
from aesalign_core.cli.options import DEBUG
from aesalign_core.errors import AesalignError
from aesalign_core.messages import describe
from aesalign_core.plugins import DISABLE, registry

INTERRUPTED = 130
GRACE = 10.0
"""Seconds that a launcher has to end the others once one process failed."""


class Interrupted(Exception):  # noqa: N818 - the user's wish, no error
    """Ctrl-C, with what was done until then."""


class Interruptible(typer.core.TyperGroup):
    """Hands Ctrl-C on with its words: typer makes a bare exit code of it."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a verb."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(str(error)) from error


app = typer.Typer(
    name="aesalign",
    cls=Interruptible,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Align image search with human preference: relevant [i]and[/i] beautiful, in one model.\n\n"
    "Start with [bold]aesalign demo[/bold], then index your own photos.",
)


def _version(value: bool) -> None:
    if value:
        from aesalign_core import __version__

        typer.echo(f"aesalign {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options of the program itself."""


for verb in (demo, index, reindex, search, rephrase, score, pairs, grid, align, export, report, serve):
    app.command(verb.NAME)(verb.command)
app.add_typer(evaluate.app, name="eval")
app.add_typer(judge.app, name="judge")
app.add_typer(plugins.app, name="plugins")
app.command(doctor.NAME)(doctor.command)


def _fail(message: str, code: int) -> int:
    print(f"aesalign: {message}", file=sys.stderr)  # noqa: T201
    if os.environ.get(DEBUG):
        traceback.print_exc()
    return code


def _invoke() -> Any:
    return typer.main.get_command(app).main(standalone_mode=False)


def run() -> None:
    """Runs the command line and exits: 0 done, 1 expected failure, 2 usage, 130 interrupted."""
    try:
        result = _invoke()
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except AesalignError as error:
        _let_the_first_tell()
        code = _fail(f"error: {error}", 1)
    except (Interrupted, KeyboardInterrupt, typer.Abort) as stop:
        if launcher.local_rank():
            sys.exit(INTERRUPTED)
        code = _fail(str(stop) or "interrupted; run the same command again to go on", INTERRUPTED)
    except BrokenPipeError:
        # The reader left (`| head`): not an error. Python must not try to flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        _let_the_first_tell()
        code = _usage_or_bug(error)
    sys.exit(code)


def _let_the_first_tell() -> None:
    """Of several processes on a machine that fail for one reason, the first tells it, and the launcher ends the rest.

    One that failed alone is still there after the wait, and tells its own reason.
    """
    if launcher.local_rank():
        time.sleep(GRACE)


def _usage_or_bug(error: Exception) -> int:
    show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(exit_code, int):  # click's usage errors
        show()
        return exit_code
    if isinstance(error, MemoryError):
        return _fail("error: out of memory (try a smaller --batch-size)", 1)
    where = f"{DEBUG}=1 or --debug shows where"
    if offer := guilty(error, registry()):
        out = f"tell its authors, or leave it out by {DISABLE}={offer.plugin}"
        return _fail(
            f"error: plugin {offer.plugin!r} of {offer.distribution} failed: {describe(error)} ({where}; {out})", 1
        )
    return _fail(f"internal error: {describe(error)} ({where}; please report it)", 1)
