"""What a demonstration found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from aesalign_core.report import summary, wording
from aesalign_core.report.comparison import ComparedQuery, Measure, Tally


@dataclass(frozen=True)
class Round:
    """One training, and what it was judged by.

    Attributes:
        run: The RUN folder with the aligned encoder.
        trained: The queries that grids were made for.
        held_out: The queries that were judged.
    """

    run: Path
    trained: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class DemoResult:
    """What a demonstration found.

    Attributes:
        out: Its folder: photos, galleries, rounds, page.
        report: The page.
        gallery: The gallery that was judged before alignment.
        photos: How many it holds.
        rounds: The trainings.
        measures: The summary, before against after.
        tallies: Win rates.
        queries: Each held-out query's two rows, round after round.
        caveats: What must be kept in mind.
        seconds: Wall time, by stage.
    """

    out: Path
    report: Path
    gallery: PurePath
    photos: int
    rounds: tuple[Round, ...]
    measures: tuple[Measure, ...]
    tallies: tuple[Tally, ...]
    queries: tuple[ComparedQuery, ...]
    caveats: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """All measures in a sentence."""
        return wording.headline(self.measures)

    def table(self) -> list[list[str]]:
        """For people: name, before, after, change, interval, verdict of each measure."""
        return summary.table(self.measures)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "report": str(self.report),
            "rounds": [
                {"run": str(r.run), "trained_queries": list(r.trained), "held_out_queries": list(r.held_out)}
                for r in self.rounds
            ],
            "gallery": str(self.gallery),
            "photos": self.photos,
            "headline": self.headline,
            "measures": [summary.measure(m) for m in self.measures],
            "judges": [
                {"judge": t.judge, "wins": t.wins, "similar": t.similar, "losses": t.losses} for t in self.tallies
            ],
            "queries": [_query(q) for q in self.queries],
            "caveats": list(self.caveats),
            "seconds": {stage: round(s, 2) for stage, s in self.seconds.items()},
        }


def _query(query: ComparedQuery) -> dict[str, Any]:
    return {
        "query": query.query,
        "reward_before": query.old_value,
        "reward_after": query.new_value,
        "before": [str(p.path) for p in query.old],
        "after": [str(p.path) for p in query.new],
    }
