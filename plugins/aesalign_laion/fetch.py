"""Fetching one small file over HTTPS: bounded in time and size, kept only if its sha256 is the expected one."""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO

from aesalign_core.errors import ModelError
from aesalign_core.files import replacing
from aesalign_core.messages import describe

MAX_BYTES = 16_000_000
SILENCE_SECONDS = 30.0
TOTAL_SECONDS = 300.0


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            fp.close()
            raise urllib.error.URLError(f"it redirects to {newurl[:80]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, target: Path, *, sha256: str) -> bytes:
    """Downloads a file beside its place in the cache, checks it and renames it there.

    Args:
        url: An https address.
        target: Where the file is kept.
        sha256: What it must have, in hex.

    Returns:
        The file's bytes.

    Raises:
        ModelError: Not https, no network, too large, or not the expected file; nothing is kept.
    """
    data = _download(url, hint='fetch it by other means and name the file: weights = "PATH"')
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{url} no longer gives the published file: its sha256 is another")
    with replacing(target) as temporary:
        temporary.write_bytes(data)
    return data


def _download(url: str, *, hint: str) -> bytes:
    if not url.startswith("https://"):
        raise ModelError(f"{url} is not https")
    try:
        with urllib.request.build_opener(_OnlyHttps).open(url, timeout=SILENCE_SECONDS) as answer:
            data = _bounded(answer)
    except (OSError, HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is an open answer as well
        raise ModelError(f"cannot fetch {url}: {describe(error)}", hint=hint) from error
    if len(data) > MAX_BYTES:
        raise ModelError(f"{url} is larger than {MAX_BYTES:,} bytes, so it is not the published file")
    return data


def _bounded(answer: HTTPResponse) -> bytes:
    """The body, or its first bytes if it is longer than it may be."""
    deadline, parts, size = time.monotonic() + TOTAL_SECONDS, [], 0
    while size <= MAX_BYTES and (part := answer.read1(65_536)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done after {TOTAL_SECONDS:g} seconds")
    return b"".join(parts)
