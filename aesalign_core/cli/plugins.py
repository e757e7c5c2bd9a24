"""`aesalign plugins`: what is installed."""

from __future__ import annotations

from aesalign_core.cli import console
from aesalign_core.cli.options import Debug, Json

NAME = "plugins"


def command(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List every component and the package it comes from.

    Broken and disabled plugins are listed with the reason.

    Example: [bold]aesalign plugins --json[/bold]
    """
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
