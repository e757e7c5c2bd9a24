"""Votes on disk: every one is a line of a journal, and is there before anybody is told so."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.hpir import Item
from aesalign_core.messages import warn
from aesalign_core.settings import Settings

JOURNAL, HPIR, LOCK = "journal.jsonl", "hpir.jsonl", "lock"
MAX_BYTES = 2_000_000_000


class Header(Settings):
    """The first line.

    Attributes:
        aesalign_votes: The format's number.
        seed: Of sides and order, unless the settings have one.
    """

    aesalign_votes: Literal[1] = 1
    seed: str = Field(min_length=1, max_length=100)


class Vote(Settings):
    """Any other line: what one person said of one comparison, at one time. What is newer holds.

    Attributes:
        at: When, in UTC.
        annotator: Who.
        comparison: Its id.
        left: The row that was shown on the left.
        skipped: Whether they would rather not say; a later line without labels takes it back.
        item: The comparison, with this vote's labels.
    """

    at: datetime
    annotator: str = Field(min_length=1, max_length=200)
    comparison: str = Field(pattern=r"^[0-9a-f]{64}$")
    left: Literal["first", "second"]
    skipped: bool = False
    item: Item


class Journal:
    """The file, open for one process. Made by `opened`."""

    def __init__(self, file: FileIO, path: Path, seed: str) -> None:
        self.path = path
        self.seed = seed
        self._file = file

    def append(self, vote: Vote) -> None:
        """Writes a vote, and returns when it is on disk.

        Raises:
            EvaluationError: It could not be written; the journal is as before.
        """
        self._write(vote.model_dump_json())

    def _write(self, line: str) -> None:
        start = os.fstat(self._file.fileno()).st_size
        try:
            rest = memoryview(line.encode() + b"\n")
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), start)
            raise EvaluationError(
                f"the vote was not kept: {self.path}: {error.strerror}", hint="free some space and vote again"
            ) from None


def now() -> datetime:
    """This second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Journal, list[Vote]]]:
    """Opens a folder of votes, made if it is missing, for this process alone.

    Yields:
        The journal, and what it holds.

    Raises:
        EvaluationError: Another process has it, it cannot be written, or a line is wrong.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / LOCK, timeout=0, thread_local=False))
            file = stack.enter_context((folder / JOURNAL).open("ab+", buffering=0))
            header, votes = _read(file, folder / JOURNAL)
            journal = Journal(file, folder / JOURNAL, header.seed if header else secrets.token_hex(16))
            if header is None:
                journal._write(Header(seed=journal.seed).model_dump_json())
                _sync_folder(folder)
        except Timeout:
            raise EvaluationError(
                f"another process takes votes into {folder}", hint="stop it, or name another folder in judge.votes"
            ) from None
        except OSError as error:
            raise EvaluationError(
                f"cannot keep votes in {folder}: {error.strerror or error}", hint="name another folder in judge.votes"
            ) from error
        yield journal, votes


def _read(file: FileIO, path: Path) -> tuple[Header | None, list[Vote]]:
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        raise EvaluationError(f"{path} is larger than {MAX_BYTES:,} bytes")
    file.seek(0)
    lines = _whole(file, file.readall(), path).split(b"\n")[:-1]
    if not lines:
        return None, []
    try:
        header = Header.model_validate_json(lines[0])
    except ValidationError:
        raise EvaluationError(f"{path} is no journal of votes", hint="name another folder in judge.votes") from None
    return header, [_vote(line, number, path) for number, line in enumerate(lines[1:], 2)]


def _whole(file: FileIO, data: bytes, path: Path) -> bytes:
    """The journal without a last line that was being written when its process was killed."""
    end = data.rfind(b"\n") + 1
    if end < len(data):
        # Nobody was told that this one was kept.
        warn(f"{path}: the last line was cut off while it was written, and was removed")
        os.ftruncate(file.fileno(), end)
        os.fsync(file.fileno())
    return data[:end]


def _vote(line: bytes, number: int, path: Path) -> Vote:
    try:
        return Vote.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "line"
        raise EvaluationError(
            f"cannot use {path}: line {number}: {place[:80]}: {first['msg']}", hint="repair or remove that line"
        ) from None


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
