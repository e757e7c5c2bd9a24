"""An encoder before and after alignment in one table: every metric that was measured, with its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aesalign_core.evaluation.statistics import Difference


@dataclass
class Comparison:
    """What was measured of two encoders.

    Attributes:
        base: The name of the one before.
        aligned: The name of the one after.
        tasks: By task (`retrieval`, `relevance`, `zero-shot`, `hpir`) the differences, aligned minus base, by name of
            the metric.
        facts: By task what else there is to know, as plain JSON types: how many photos, what was left out.
    """

    base: str
    aligned: str
    tasks: dict[str, dict[str, Difference]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, task: str, found: Mapping[str, Difference], **facts: Any) -> None:
        """Notes what a task gave."""
        self.tasks[task], self.facts[task] = dict(found), facts

    @property
    def verdicts(self) -> Counter[str]:
        """How many metrics were gained, lost and undecided."""
        return Counter(d.verdict for found in self.tasks.values() for d in found.values())

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "base": self.base,
            "aligned": self.aligned,
            "verdicts": {name: self.verdicts[name] for name in ("gained", "lost", "undecided")},
            "tasks": {
                task: {**self.facts[task], "differences": {name: d.as_dict() for name, d in found.items()}}
                for task, found in self.tasks.items()
            },
        }
