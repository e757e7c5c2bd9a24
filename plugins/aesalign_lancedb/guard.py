"""Writes that happen whole or not at all, also where the disk fills up.

Lance commits a small data file that the system wrote only in part (seen with lance 0.40 under a file size limit: no
error, and a table that cannot be read). So space is reserved before a write, and what was written is looked at
after it; a broken commit is taken back by removing its manifest, which makes the version before it the newest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_ENDS = {".lance": b"LANC", ".manifest": b"LANC", ".idx": b"LANC", ".arrow": b"ARROW1"}
_MANIFESTS = "_versions"
_FLAT = (_MANIFESTS, "data", "_deletions")
_INDICES = "_indices"
"""Folders of folders."""
_SPARE = 1_000_000
_CHUNK = b"\0" * 1_000_000


@contextlib.contextmanager
def whole(table: Path, *, size: int) -> Iterator[None]:
    """Guards one write; the caller is the only writer.

    Args:
        table: The table's folder.
        size: About how many bytes will be written.

    Raises:
        OSError: There is no room, or the write was cut short; the table is as it was.
    """
    reserve(table.parent, size + _SPARE)
    before = set(_files(table))
    try:
        yield
    except BaseException:
        _take_back(set(_files(table)) - before)
        raise
    new = set(_files(table)) - before
    if not all(_is_whole(Path(name)) for name in new):
        _take_back(new)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def reserve(folder: Path, size: int) -> None:
    """Sees whether a folder can take a file of so many bytes, and leaves nothing there.

    Raises:
        OSError: It cannot.
    """
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
                return
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
        while size > 0:
            size -= file.write(_CHUNK[:size])


def _files(table: Path) -> Iterator[str]:
    """Names by plain listings: a large table has some ten thousand files, and this is done at every write."""
    for folder in _FLAT:
        with contextlib.suppress(FileNotFoundError):
            prefix = f"{table / folder}{os.sep}"
            yield from (prefix + name for name in os.listdir(prefix))  # noqa: PTH208
    for root, _, names in os.walk(table / _INDICES):
        yield from (f"{root}{os.sep}{name}" for name in names)


def _is_whole(path: Path) -> bool:
    end = _ENDS.get(path.suffix)
    if end is None:
        return True
    try:
        with path.open("rb") as file:
            file.seek(-len(end), os.SEEK_END)
            return file.read() == end
    except FileNotFoundError:
        return True  # tidied away since it was listed
    except OSError:
        return False  # shorter than its own end


def _take_back(names: set[str]) -> None:
    """Removes what a failed write left, newest manifest first: after that nothing refers to the rest."""
    new = {Path(name) for name in names}
    if all(_is_whole(path) for path in new) and any(path.parent.name == _MANIFESTS for path in new):
        return  # the commit is good; what failed came after it
    for path in sorted(new, key=lambda p: (p.parent.name != _MANIFESTS, p.name)):
        with contextlib.suppress(OSError):
            path.unlink()
