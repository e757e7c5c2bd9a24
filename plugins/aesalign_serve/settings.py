"""How a service behaves. Validated without a web server; names a token, never holds one."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from aesalign_core.searching import MAX_QUERY_CHARS
from aesalign_core.settings import Settings

MAX_K = 100
"""Hits of one request."""
MAX_STRENGTH = 1.5
"""Further than 1 is allowed, as RUN@STRENGTH is; not as far, as the slider ends here."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ServeSettings(Settings):
    """Where it listens, whom it answers, and how much.

    Attributes:
        host: Where it listens. Anywhere but on loopback it asks for a token.
        port: 0 for any that is free.
        token_env: Name of the environment variable that holds the token (12 characters at least).
        max_batch: Texts of one forward pass; 1: none share one.
        max_wait_ms: How long a pass waits for more texts once there is one. Texts that come during a pass share the
            next one anyway, so that 0 already batches under load and costs a lone request nothing.
        queue: Texts that may wait; more are answered with 503 and Retry-After.
        rate: Requests a second of one client, twice as many at once; 0: no limit.
        max_texts: Of one request for embeddings.
        max_characters: Of one text.
        timeout: Seconds that one request may take.
        grace: Seconds that requests in flight have once the service is told to stop.
        kept: Queries whose embeddings are kept.
    """

    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8000, ge=0, le=65535)
    token_env: str | None = None
    max_batch: int = Field(64, ge=1, le=4096)
    max_wait_ms: float = Field(0.0, ge=0, le=1000)
    queue: int = Field(1024, ge=1, le=1_000_000)
    rate: float = Field(200.0, ge=0, le=1_000_000)
    max_texts: int = Field(256, ge=1, le=10_000)
    max_characters: int = Field(MAX_QUERY_CHARS, ge=1, le=MAX_QUERY_CHARS)
    timeout: float = Field(30.0, gt=0, le=3600)
    grace: float = Field(30.0, gt=0, le=3600)
    kept: int = Field(4096, ge=1, le=10_000_000)

    @field_validator("token_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.match(value):
            raise ValueError("must be the NAME of an environment variable; the token itself belongs in that variable")
        return value

    @property
    def max_body(self) -> int:
        """Bytes of one request: what fits its texts, of which JSON may escape every character as two of six bytes."""
        return 16_384 + 12 * self.max_texts * self.max_characters
