"""What compares rows of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from aesalign_core.types import Row, Verdict


@runtime_checkable
class Judge(Protocol):
    """Compares an old and a new row of photos for each query."""

    name: str
    aspects: Sequence[str]

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query and aspect, query by query. A failed call is a verdict with outcome None."""
        ...


@runtime_checkable
class WholeJudge(Judge, Protocol):
    """A judge that wants all of the work at once: people, to see what is left; an LLM, to keep many questions going.

    Where a judge offers this, it is asked once with every comparison, instead of `compare` batch by batch.
    """

    def compare_all(
        self,
        queries: Sequence[str],
        old: Sequence[Row],
        new: Sequence[Row],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Verdict]:
        """What `compare` gives.

        Args:
            queries: q of them.
            old: (q) rows of the one system.
            new: (q) rows of the other.
            progress: Called with what is done and in all, in the judge's own unit, as often as it likes.
        """
        ...
