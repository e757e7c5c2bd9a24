"""Which of many queries a page shows, and where."""

from __future__ import annotations

from dataclasses import dataclass

from aesalign_core.report.comparison import ComparedQuery, Comparison

MAX_QUERIES = 100
HIGHLIGHTS = 5


@dataclass(frozen=True)
class Shown:
    """Which queries a page shows: the biggest gains and losses first, the rest folded."""

    gains: list[ComparedQuery]
    losses: list[ComparedQuery]
    rest: list[ComparedQuery]
    left_out: int

    @property
    def all(self) -> tuple[ComparedQuery, ...]:
        """Every query shown."""
        return (*self.gains, *self.losses, *self.rest)


def choose(comparison: Comparison, *, most: int = MAX_QUERIES, highlights: int = HIGHLIGHTS) -> Shown:
    """Picks what is shown; of too many queries, the largest gains and the largest losses in equal number.

    Where it is known which photos answer a query, a query that shows fewer of them is a loss, whatever it gained,
    and one that shows none is no gain. Without a judge such losses come first.
    """
    ordered, lead = comparison.by_gain(), comparison.lead
    kept = ordered if len(ordered) <= most else ordered[: most - most // 2] + ordered[len(ordered) - most // 2 :]
    gains = [q for q in kept if lead(q) > 0 and q.right_lost <= 0 and q.answered][:highlights]
    losses = [q for q in reversed(kept) if q.right_lost > 0 or (lead(q) < 0 and q not in gains)]
    if not comparison.judged:
        losses.sort(key=lambda q: -q.right_lost)
    losses = losses[:highlights]
    chosen = {id(q) for q in (*gains, *losses)}
    return Shown(gains, losses, [q for q in kept if id(q) not in chosen], len(ordered) - len(kept))
