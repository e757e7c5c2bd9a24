"""Whose a demonstration's folder is: run again, it goes on only where it was the same demonstration."""

from __future__ import annotations

import json
from pathlib import Path

from aesalign_core.errors import AesalignError
from aesalign_core.files import write_text

RECORD = "demo.json"


def claim(out: Path, key: str) -> None:
    """Notes whose folder this is.

    Raises:
        AesalignError: It is another demonstration's, whose photos would get mixed up with these.
    """
    record = out / RECORD
    if record.exists():
        try:
            known = json.loads(record.read_text(encoding="utf-8"))["key"]
        except (OSError, ValueError, KeyError, TypeError):
            known = None
        if known != key:
            raise AesalignError(
                f"{out} holds a demo of other photos, queries or another seed",
                hint="choose another folder with --out, or delete that one",
            )
    else:
        write_text(record, json.dumps({"key": key}) + "\n")
