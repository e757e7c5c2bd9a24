"""One writer at a time, and what goes wrong in storage as one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from filelock import FileLock, Timeout

from aesalign_core.errors import AesalignError, GalleryError
from aesalign_core.locations import store_reason
from aesalign_core.messages import describe

LOCK = "writer.lock"
_KNOWN = (
    (r"os error 28\b|No space left", "the disk is full", "free some space and run the command again"),
    (r"os error (27|122)\b|File too large|quota", "a limit on file sizes or disk space is reached", "raise it"),
    (r"os error 30\b|Read-only file system", "the file system is read-only", "use another folder"),
    (r"os error 13\b|Permission denied", "no permission", "check the folder's permissions"),
)


def reason(error: BaseException) -> tuple[str, str]:
    """What a storage error says, in one line, and what to do."""
    text = describe(error)
    for pattern, words, hint in _KNOWN:
        if re.search(pattern, text, flags=re.IGNORECASE):
            return words, hint
    return store_reason(error) or (text[:300], "")


@contextlib.contextmanager
def storage_errors(action: str, location: PurePath) -> Iterator[None]:
    """Turns whatever storage raises into a GalleryError: `cannot <action> the gallery <location>: …`."""
    try:
        yield
    except AesalignError:
        raise
    except Exception as error:
        words, hint = reason(error)
        raise GalleryError(f"cannot {action} the gallery {location}: {words}", hint=hint) from error


class WriterLock:
    """The right to write, which one process has at a time; freed by the system if the process is killed."""

    def __init__(self, location: Path) -> None:
        self._location = location
        self._lock = FileLock(location / LOCK, timeout=0, thread_local=False)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds it; may be nested.

        Raises:
            GalleryError: Another process has it, or the folder cannot be written.
        """
        try:
            with storage_errors("write", self._location):
                self._location.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
        except GalleryError as error:
            if isinstance(error.__cause__, Timeout):
                raise GalleryError(
                    f"another process is writing the gallery {self._location}", hint="wait until it is done"
                ) from None
            raise
        try:
            yield
        finally:
            self._lock.release()
