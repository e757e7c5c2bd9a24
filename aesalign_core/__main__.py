"""`python -m aesalign_core` is `aesalign`."""

from __future__ import annotations

from aesalign_core.cli import main

main()
