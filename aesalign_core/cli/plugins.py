"""`aesalign plugins`: what is installed, a package to start from, and a check that runs none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import console
from aesalign_core.cli.options import Debug, Json
from aesalign_core.hookspecs import KINDS

app = typer.Typer()


@app.callback(invoke_without_command=True)
def command(context: typer.Context, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List every component and the package it comes from; with a verb, write or check a plugin package.

    Broken and disabled plugins are listed with the reason.

    Example: [bold]aesalign plugins --json[/bold]
    """
    if context.invoked_subcommand:
        return
    from aesalign_core.plugins import listing, registry

    records = list(listing(registry()))
    if json:
        console.print_json(records)
        return
    rows = [
        [r["kind"], r["name"], f"{r['distribution']} {r['version']}", r["status"], r["reason"] or r["summary"]]
        for r in records
    ]
    console.table("", ["kind", "name", "package", "status", "summary"], rows)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the component, such as fine-light.")],
    kind: Annotated[str, typer.Option("--kind", help=", ".join(KINDS) + ".")],
    out: Annotated[Path, typer.Option("--out", help="Where the package's folder is made.")] = Path(),
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Write a plugin package that works and passes its own tests at once, to be changed into yours.

    Example: [bold]aesalign plugins new fine-light --kind reward[/bold]
    """
    from aesalign_core.authoring.scaffold import scaffold

    chosen = next((k for k in KINDS if k == kind), None)
    if chosen is None:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    made = scaffold(name, chosen, out)
    if json:
        console.print_json(made.as_dict())
        return
    for file in made.files:
        typer.echo(str(made.folder / file))
    typer.echo(f"\nNext: pip install -e '{made.folder}[test]' && pytest {made.folder}")


@app.command()
def check(
    package: Annotated[
        str | None, typer.Argument(help="An installed package, or a folder with pyproject.toml; none: all installed.")
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Check a plugin package by reading it; nothing of it is run: hooks, import paths, settings, summaries.

    Exits with 1 if anything is wrong; a warning alone (such as a dependency that is not declared) does not count.
    Whether it does what it should is for its tests: aesalign_core.testing.

    Example: [bold]aesalign plugins check ./aesalign-fine-light[/bold]
    """
    from aesalign_core.authoring.checking import check as run

    found = run(package)
    if json:
        console.print_json([finding.as_dict() for finding in found])
    else:
        console.table(
            "", ["package", "what", "status", "detail"], [[f.package, f.what, f.status, f.detail] for f in found]
        )
    if any(finding.status == "wrong" for finding in found):
        raise typer.Exit(1)
