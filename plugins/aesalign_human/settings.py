"""What people are asked, and where the page is. Validated without a web server; names a token, never holds one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from aesalign_core.settings import Settings

Aspect = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_ -]*$", max_length=40)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class HumanSettings(Settings):
    """Who is asked what, and where.

    Attributes:
        votes: A folder: `journal.jsonl`, every vote as it was given, and `hpir.jsonl`, made of it.
        aspects: What rows are compared in.
        annotators: People whose votes are wanted on each comparison.
        photos: Most photos of a row that are shown.
        host: Where the page listens. Anywhere but on loopback it asks for a token.
        port: 0 for any that is free.
        token_env: Name of the environment variable that holds the token (12 characters at least), which is then asked
            for on loopback, too; None: a new one, where one is needed.
        seed: Of sides and order; None: drawn once for each folder of votes, and kept there.
        browser: Whether to open the page in this machine's browser.
    """

    votes: Path = Path("votes")
    aspects: tuple[Aspect, ...] = Field(("accuracy", "aesthetic"), min_length=1, max_length=8)
    annotators: int = Field(1, ge=1, le=1000)
    photos: int = Field(5, ge=1, le=20)
    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8765, ge=0, le=65535)
    token_env: str | None = None
    seed: int | None = None
    browser: bool = False

    @field_validator("votes")
    @classmethod
    def _is_a_folder(cls, value: Path) -> Path:
        if value.suffix in (".json", ".jsonl") or value.is_file():
            raise ValueError("must be a folder; journal.jsonl and hpir.jsonl are made in it")
        return value

    @field_validator("aspects")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must name each aspect once")
        return value

    @field_validator("token_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.match(value):
            raise ValueError("must be the NAME of an environment variable; the token itself belongs in that variable")
        return value
