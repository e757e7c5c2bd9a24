"""What people have said so far, and how it becomes an HPIR file."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aesalign_core.evaluation.hpir import Item, Label, write_hpir
from aesalign_human.comparisons import Comparison
from aesalign_human.journal import HPIR, Journal, Vote, now, opened
from aesalign_human.scale import Row

_Labels = dict[str, dict[str, Label]]


@dataclass(slots=True)
class _Said:
    """Of one comparison: its item, by annotator the newest label of each aspect, and who would rather not say."""

    item: Item
    labels: _Labels = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)


class Votes:
    """All votes of a folder. Many threads may read and write.

    Names of annotators that differ in case only are one person's.

    Attributes:
        folder: Where they are kept.
        seed: Of sides and order.
    """

    def __init__(self, folder: Path, journal: Journal, votes: Sequence[Vote]) -> None:
        self.folder = folder
        self.seed = journal.seed
        self._journal = journal
        self._lock = threading.RLock()
        self._said: dict[str, _Said] = {}
        self._names: dict[str, str] = {}
        self._version, self._exported = 0, -1
        for vote in votes:
            self._take(vote)

    def vote(self, comparison: Comparison, annotator: str, labels: Sequence[Label], *, left: Row) -> None:
        """Keeps labels; on disk when it returns.

        Raises:
            EvaluationError: They could not be kept.
        """
        self._keep(comparison, annotator, left, labels=tuple(labels))

    def skip(self, comparison: Comparison, annotator: str, *, left: Row, skipped: bool = True) -> None:
        """Keeps that somebody would rather not say, or takes it back.

        Raises:
            EvaluationError: It could not be kept.
        """
        self._keep(comparison, annotator, left, skipped=skipped)

    def labels(self, comparison: Comparison, annotator: str) -> Mapping[str, Label]:
        """One person's labels of one comparison, by aspect."""
        with self._lock:
            said = self._said.get(comparison.id)
            return dict(said.labels.get(annotator.casefold(), {})) if said else {}

    def everybodys(self, comparison: Comparison) -> list[Label]:
        """All labels of one comparison."""
        with self._lock:
            said = self._said.get(comparison.id)
            return [label for person in said.labels.values() for label in person.values()] if said else []

    def people(self, comparison: Comparison, aspects: Sequence[str]) -> int:
        """How many have labelled all these aspects of a comparison."""
        with self._lock:
            said = self._said.get(comparison.id)
            return sum(all(aspect in person for aspect in aspects) for person in said.labels.values()) if said else 0

    def skips(self, comparison: Comparison) -> frozenset[str]:
        """Who would rather not say; names in lower case."""
        with self._lock:
            said = self._said.get(comparison.id)
            return frozenset(said.skipped) if said else frozenset()

    def name(self, given: str) -> str:
        """How an annotator was first spelt."""
        with self._lock:
            return self._names.get(given.casefold(), given)

    def names(self) -> list[str]:
        """Everybody who has said anything, in order of appearance."""
        with self._lock:
            return list(self._names.values())

    def items(self) -> list[Item]:
        """Every labelled comparison of this folder, those of earlier inputs included, as HPIR items."""
        with self._lock:
            found = [
                said.item.model_copy(
                    update={"labels": tuple(label for person in said.labels.values() for label in person.values())}
                )
                for said in self._said.values()
            ]
        return [item for item in found if item.labels]

    def export(self) -> Path | None:
        """Writes the HPIR file, if anything is new; None as long as there is no label.

        Raises:
            AesalignError: It cannot be written. The journal has everything.
        """
        with self._lock:
            items, version = self.items(), self._version
        if not items:
            return None
        path = self.folder / HPIR
        if version != self._exported:
            write_hpir(path, items)
            self._exported = version
        return path

    def _keep(
        self,
        comparison: Comparison,
        annotator: str,
        left: Row,
        *,
        labels: tuple[Label, ...] = (),
        skipped: bool = False,
    ) -> None:
        item = comparison.item.model_copy(update={"labels": labels})
        vote = Vote(at=now(), annotator=annotator, comparison=comparison.id, left=left, skipped=skipped, item=item)
        with self._lock:
            self._journal.append(vote)
            self._take(vote)

    def _take(self, vote: Vote) -> None:
        who = vote.annotator.casefold()
        self._names.setdefault(who, vote.annotator)
        said = self._said.setdefault(vote.comparison, _Said(vote.item))
        said.item = vote.item  # the paths that were good last
        said.labels.setdefault(who, {}).update({label.aspect: label for label in vote.item.labels})
        (said.skipped.add if vote.skipped else said.skipped.discard)(who)
        self._version += 1


@contextmanager
def voting(folder: Path) -> Iterator[Votes]:
    """Opens a folder of votes for this process alone.

    Raises:
        EvaluationError: Another process has it, it cannot be written, or a line of its journal is wrong.
    """
    with opened(folder) as (journal, votes):
        yield Votes(folder, journal, votes)
