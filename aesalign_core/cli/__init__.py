"""The command line: one small module per verb."""

from __future__ import annotations


def main() -> None:
    """Entry point of `aesalign`."""
    from aesalign_core.cli.app import run

    run()
