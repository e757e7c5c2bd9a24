"""People as judge: a page to vote on, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from aesalign_core.evaluation.hpir import Label, consensus
from aesalign_core.messages import note
from aesalign_core.protocols import BuildContext
from aesalign_core.types import Row, Verdict
from aesalign_human.comparisons import Comparison, gather
from aesalign_human.settings import HumanSettings
from aesalign_human.votes import voting
from aesalign_human.work import Work

Outcome = Literal["win", "similar", "loss"]
_OUTCOMES: dict[str, Outcome] = {"first": "loss", "similar": "similar", "second": "win"}


class HumanJudge:
    """Serves a page until the votes are in, and combines them as HPIR does.

    A comparison that nobody voted on, or that cannot be shown, is a verdict without outcome, with the reason.

    Attributes:
        name: `human`.
        aspects: As set.
    """

    Settings = HumanSettings

    def __init__(self, settings: HumanSettings, context: BuildContext) -> None:
        self.name = "human"
        self.aspects: Sequence[str] = settings.aspects
        self._settings = settings

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query and aspect, query by query; `compare_all` without a report."""
        return self.compare_all(queries, old, new)

    def compare_all(
        self,
        queries: Sequence[str],
        old: Sequence[Row],
        new: Sequence[Row],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Verdict]:
        """One verdict per query and aspect, query by query; once the votes are in, or on Ctrl-C.

        Votes that are there already count; if none is missing, nobody is asked.

        Args:
            queries: q of them.
            old: (q) rows of the one system.
            new: (q) rows of the other.
            progress: Called with votes given and wanted.

        Raises:
            EvaluationError: The page cannot be served, or votes cannot be kept.
        """
        given = self._settings
        found = gather(queries, old, new, most=given.photos)
        with voting(given.votes) as votes:
            work = Work(found.comparisons, votes, aspects=given.aspects, annotators=given.annotators, seed=given.seed)
            if work.is_complete():
                note(f"nobody is asked: all votes are in {given.votes}, or nothing can be shown")
            else:
                from aesalign_human.serving import serve

                serve(work, found.paths, given, progress=progress)
            if exported := votes.export():
                note(f"every vote as an HPIR file: {exported}")
            return [
                self._verdict(query, aspect, one, work)
                for query, one in zip(queries, found.each, strict=True)
                for aspect in self.aspects
            ]

    def _verdict(self, query: str, aspect: str, comparison: Comparison | str, work: Work) -> Verdict:
        if isinstance(comparison, str):
            return Verdict(query, aspect, None, reason=comparison)
        labels = [label for label in work.votes.everybodys(comparison) if label.aspect == aspect]
        people = consensus(labels)
        if people is None:
            skipped = len(work.votes.skips(comparison))
            reason = work.failure(comparison) or ("only skipped" if skipped else "no vote")
            return Verdict(query, aspect, None, reason=reason)
        return Verdict(query, aspect, _OUTCOMES[people.choice], reason=_told(labels, people.net))


def _told(labels: Sequence[Label], net: float) -> str:
    counts = Counter(label.choice for label in labels)
    return f"old {counts['first']}, similar {counts['similar']}, new {counts['second']}; net {net:+.2f}"
