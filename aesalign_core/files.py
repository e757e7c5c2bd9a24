"""Writing files so that a reader sees the old one or the new one, never half of one; reading texts of strangers."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aesalign_core.errors import AesalignError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success it is fsynced and renamed over it, else removed.

    Raises:
        AesalignError: The file cannot be written (no such folder, no permission, disk full); `path` is untouched.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes private files; the result gets the permissions that any new file would.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path`; on success its files are fsynced and it is renamed, else removed.

    Raises:
        AesalignError: `path` exists and is no empty folder, or cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise AesalignError(f"there is something at {path} already", hint="name a new folder")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        yield temporary
        for file in [found for found in temporary.rglob("*") if found.is_file()]:
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> AesalignError:
    return AesalignError(
        f"cannot write {path}: {error.strerror or error}", hint="check the folder, its permissions and free space"
    )


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_text(path: Path, text: str) -> None:
    """Replaces a file's text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path, *, limit: int) -> str:
    """A file's text, a byte order mark left out.

    Args:
        path: The file.
        limit: Most bytes that are read.

    Raises:
        ValueError: It cannot be read, is too large or no UTF-8; its words say which, and not the file.
    """
    try:
        if path.stat().st_size > limit:
            raise ValueError(f"larger than {limit:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    except OSError as error:
        raise ValueError(error.strerror or "unreadable") from None
