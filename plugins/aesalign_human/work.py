"""Who is shown what, on which side, and what is left to do."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from aesalign_human.comparisons import Comparison
from aesalign_human.scale import Row
from aesalign_human.votes import Votes


@dataclass(frozen=True, slots=True)
class Progress:
    """One person's.

    Attributes:
        done: Comparisons that they have answered.
        skipped: That they would rather not say anything of.
        left: That are theirs to answer and still need votes.
    """

    done: int
    skipped: int
    left: int


class Work:
    """The comparisons of this session and the votes on them.

    Order and sides are random for each annotator and comparison, and the same whenever they come back. Nothing else
    of an annotator's view depends on which row is old.

    Attributes:
        comparisons: Each once.
        aspects: What is asked.
        annotators: People wanted on each.
        votes: What was said.
    """

    def __init__(
        self,
        comparisons: Sequence[Comparison],
        votes: Votes,
        *,
        aspects: Sequence[str],
        annotators: int,
        seed: int | None = None,
    ) -> None:
        self.comparisons = comparisons
        self.votes = votes
        self.aspects = aspects
        self.annotators = annotators
        self._key = (votes.seed if seed is None else f"settings:{seed}").encode()
        self._failed: dict[str, str] = {}
        self._orders: dict[str, tuple[Comparison, ...]] = {}
        self._lock = threading.Lock()

    def order(self, annotator: str) -> tuple[Comparison, ...]:
        """All comparisons, in one person's order; positions on their page count from 1 in it."""
        who = annotator.casefold()
        with self._lock:
            if who not in self._orders:
                ordered = sorted(self.comparisons, key=lambda one: self._draw("order", who, one))
                self._orders[who] = tuple(ordered)
            return self._orders[who]

    def left(self, annotator: str, comparison: Comparison) -> Row:
        """The row that a person sees on the left."""
        return "second" if self._draw("side", annotator.casefold(), comparison)[0] & 1 else "first"

    def mark(self, comparison: Comparison) -> str:
        """What the page calls it.

        Not its id: whoever has that can try which order of the two rows it is the hash of, and so which one is old.
        """
        return self._draw("mark", "", comparison).hex()

    def _draw(self, what: str, who: str, comparison: Comparison) -> bytes:
        return hmac.digest(self._key, f"{what}\0{who}\0{comparison.id}".encode(), hashlib.sha256)

    def fail(self, comparison: Comparison, reason: str) -> None:
        """Takes a comparison that cannot be shown out of the work."""
        with self._lock:
            self._failed[comparison.id] = reason

    def failure(self, comparison: Comparison) -> str:
        """Why it cannot be shown; empty if it can."""
        with self._lock:
            return self._failed.get(comparison.id, "")

    def is_answered(self, annotator: str, comparison: Comparison) -> bool:
        """Whether a person has labelled every aspect of it."""
        labels = self.votes.labels(comparison, annotator)
        return all(aspect in labels for aspect in self.aspects)

    def is_skipped(self, annotator: str, comparison: Comparison) -> bool:
        """Whether they would rather not."""
        return annotator.casefold() in self.votes.skips(comparison) and not self.is_answered(annotator, comparison)

    def is_open(self, annotator: str, comparison: Comparison) -> bool:
        """Whether it is theirs to answer and needs votes."""
        return not (
            self.failure(comparison)
            or self._is_voted(comparison)
            or self.is_answered(annotator, comparison)
            or self.is_skipped(annotator, comparison)
        )

    def next(self, annotator: str, *, after: int = 0) -> int | None:
        """The position of the next open comparison: after one, else from the start; None if there is none."""
        order = self.order(annotator)
        positions = [*range(after + 1, len(order) + 1), *range(1, after + 1)]
        return next((at for at in positions if self.is_open(annotator, order[at - 1])), None)

    def back(self, annotator: str, *, before: int) -> int | None:
        """The position of the comparison before one that a person has answered or skipped; None if there is none."""
        order = self.order(annotator)
        seen = (self.is_answered, self.is_skipped)
        positions = range(before - 1, 0, -1)
        return next((at for at in positions if any(was(annotator, order[at - 1]) for was in seen)), None)

    def progress(self, annotator: str) -> Progress:
        """What a person has done, and what is left for them."""
        return Progress(
            done=sum(self.is_answered(annotator, one) for one in self.comparisons),
            skipped=sum(self.is_skipped(annotator, one) for one in self.comparisons),
            left=sum(self.is_open(annotator, one) for one in self.comparisons),
        )

    def given(self) -> tuple[int, int]:
        """Votes given of those wanted, and wanted; more than wanted on one comparison count for no other."""
        shown = [one for one in self.comparisons if not self.failure(one)]
        given = (min(self.annotators, self.votes.people(one, self.aspects)) for one in shown)
        return sum(given), self.annotators * len(shown)

    def is_complete(self) -> bool:
        """Whether every comparison has its votes."""
        return all(self.failure(one) or self._is_voted(one) for one in self.comparisons)

    def is_settled(self) -> bool:
        """Whether every comparison has as many votes or skips as votes are wanted.

        More can only come from a person who looks again, or from somebody new.
        """
        return all(self.failure(one) or self._is_met(one) for one in self.comparisons)

    def _is_voted(self, comparison: Comparison) -> bool:
        return self.votes.people(comparison, self.aspects) >= self.annotators

    def _is_met(self, comparison: Comparison) -> bool:
        skips = sum(self.is_skipped(who, comparison) for who in self.votes.skips(comparison))
        return self.votes.people(comparison, self.aspects) + skips >= self.annotators
