"""What extends queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from aesalign_core.types import Rephrasing, Strategy


@runtime_checkable
class Rephraser(Protocol):
    """Extends queries with what a viewer would hope to see."""

    name: str

    def rephrase(self, queries: Sequence[str], *, strategy: Strategy) -> list[Rephrasing]:
        """One rephrasing per query, in order. A query that fails falls back to itself, with the reason."""
        ...
