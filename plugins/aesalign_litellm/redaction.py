"""Keeping keys, and photos, out of everything that people or files get to see."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)\Z", re.IGNORECASE)
_PATTERNS = (
    re.compile(r"()\b(?:(?:sk|pk|rk|gsk|xai|hf|ghp)[-_]|AIza)[A-Za-z0-9*_-]{8,}"),
    re.compile(r"(?i)(\bbearer )[^\s\"',}]+"),
    re.compile(r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?)(?:\w+ )?[^\s\"',}]+"),
    re.compile(r"(?i)(\bapi[-_]?key[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+"),
    re.compile(r"(://)[^\s/@:]+:[^\s/@]+(?=@)"),
)
"""The first group stays."""
_PICTURE = re.compile(r"(?:data:[\w.+-]+/[\w.+-]+;base64,)?[A-Za-z0-9+/_-]{100,}={0,2}")
"""Some servers repeat what they were sent."""
LEAST_CHARS = 6
"""Shorter values of such variables are no secrets (`yes`, `none`), and hiding them would garble every text."""


def environment_secrets() -> set[str]:
    """Values of environment variables whose names say that they are secret."""
    return {v for n, v in os.environ.items() if _SECRET_NAME.search(n) and len(v) >= LEAST_CHARS}


def redact(text: str, *, secrets: Iterable[str] = ()) -> str:
    """A text without keys and photos: neither known ones nor what looks like one."""
    known = environment_secrets() | {s for s in secrets if len(s) >= LEAST_CHARS}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return _PICTURE.sub(HIDDEN, text)
