"""Where galleries are: folders, and prefixes in object stores."""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from aesalign_core.errors import AesalignError, GalleryError
from aesalign_core.files import replacing
from aesalign_core.messages import describe

if TYPE_CHECKING:
    from typing_extensions import Buffer

SCHEMES = ("s3", "gs")
"""Of stores that both LanceDB and Arrow reach, with the environment's credentials."""
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", flags=re.DOTALL)
_KNOWN = (
    (r"NoSuchBucket|NO_SUCH_BUCKET|resolve region", "there is no such bucket", "check its name, and AWS_REGION"),
    (
        r"AccessDenied|ACCESS_DENIED|Forbidden|FailedToLoadToken|InvalidAccessKeyId|SignatureDoesNotMatch",
        "the store refuses the credentials, or there are none",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your store wants",
    ),
    (
        r"NETWORK_CONNECTION|ConnectError|kind: Connect|TimedOut|error sending request",
        "the store cannot be reached",
        "check AWS_ENDPOINT_URL and the network",
    ),
)


class StoreUri(PurePosixPath):
    """A place in an object store, such as `s3://bucket/photos`; `/` names what is below it, as with any path."""

    def __str__(self) -> str:
        """The URI."""
        scheme, _, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest.lstrip('/')}"


def locate(text: str | PurePath) -> PurePath:
    """The place that a user names: a `StoreUri` where there is a scheme, a `Path` otherwise.

    Raises:
        GalleryError: There is no such kind of store, or no bucket.
    """
    if isinstance(text, StoreUri):
        return text
    found = _URI.fullmatch(str(text))
    if found is None:
        return Path(text)
    scheme, rest = found[1].lower(), found[2].strip("/")
    if scheme not in SCHEMES:
        raise GalleryError(
            f"galleries cannot be at {scheme}://", hint="use a folder, or " + ", ".join(f"{s}://…" for s in SCHEMES)
        )
    if not rest or any(part in (".", "..") for part in rest.split("/")):
        raise GalleryError(f"{text} names no place in a bucket", hint=f"for example {scheme}://bucket/gallery")
    return StoreUri(f"{scheme}://{rest}")


def read_bytes(path: PurePath, *, limit: int) -> bytes | None:
    """A small file beside a gallery's rows; None if it is not there.

    Raises:
        GalleryError: It cannot be read, or is larger than `limit` bytes.
    """
    try:
        if isinstance(path, Path):
            if not path.exists():
                return None
            size = path.stat().st_size
            data = path.read_bytes() if size <= limit else b""
        else:
            system, name = _system(path)
            found = system.get_file_info(name)
            if not found.is_file:
                return None
            size = found.size
            data = system.open_input_stream(name).read() if size <= limit else b""
    except OSError as error:
        raise _failed("read", path, error) from error
    if size > limit:
        raise GalleryError(f"{path} is larger than {limit:,} bytes", hint="it is none of aesalign's")
    return data


def write_bytes(path: PurePath, data: Buffer) -> None:
    """Replaces a small file beside a gallery's rows, at once: readers see the old one or the new one.

    Raises:
        GalleryError: It cannot be written; the old one is untouched.
    """
    if isinstance(path, Path):
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(data)
        except GalleryError:
            raise
        except AesalignError as error:
            raise GalleryError(error.args[0], hint=error.hint) from error
        return
    try:
        system, name = _system(path)
        # An object appears when its upload is completed, and not before.
        with system.open_output_stream(name) as stream:
            stream.write(data)
    except OSError as error:
        raise _failed("write", path, error) from error


def delete(path: PurePath) -> None:
    """Removes a file, or a folder and all that is in it; one that is not there is no error.

    Raises:
        GalleryError: It cannot be removed.
    """
    try:
        if isinstance(path, Path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            return
        system, name = _system(path)
        found = system.get_file_info(name)
        if found.is_file:
            system.delete_file(name)
        elif found.type.name == "Directory":
            system.delete_dir(name)
    except OSError as error:
        raise _failed("delete", path, error) from error


def _system(path: PurePath) -> tuple[Any, str]:
    """Arrow's file system, and the name of a place in it."""
    from pyarrow.fs import FileSystem

    found: tuple[Any, str] = FileSystem.from_uri(str(path))
    return found


def _failed(action: str, path: PurePath, error: OSError) -> GalleryError:
    if isinstance(path, Path):
        return GalleryError(f"cannot {action} {path}: {error.strerror or error}", hint="check its permissions")
    words, hint = store_reason(error) or (describe(error)[:300], "")
    return GalleryError(f"cannot {action} {path}: {words}", hint=hint)


def store_reason(error: BaseException) -> tuple[str, str] | None:
    """What an object store's error says, in a few words, and what to do; None if it is none of the usual ones."""
    text = str(error)
    return next(((words, hint) for pattern, words, hint in _KNOWN if re.search(pattern, text)), None)
