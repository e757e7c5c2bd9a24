"""The contract of judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Judge, WholeJudge
from aesalign_core.testing.contracts.base import ComponentContract
from aesalign_core.testing.pictures import write_scenes
from aesalign_core.types import Verdict

QUERIES = ("a landscape", "shapes by the sea", "a landscape")
_OPPOSITE = {"win": "loss", "loss": "win", "similar": "similar", None: None}


class JudgeContract(ComponentContract):
    """What a `protocols.Judge` must do. The new rows are the old ones' subjects, blurred.

    Attributes:
        repeats: Whether it says the same when it is asked the same again, as a model does and people may not.
    """

    kind: ClassVar[Kind] = "judge"
    repeats: ClassVar[bool] = True

    @pytest.fixture
    def old(self, tmp_path: Path) -> list[list[str]]:
        """A row of two sharp pictures per query."""
        paths = write_scenes(tmp_path / "old", range(2 * len(QUERIES)))
        return _rows(paths)

    @pytest.fixture
    def new(self, tmp_path: Path) -> list[list[str]]:
        """A row of two blurred ones."""
        return _rows(write_scenes(tmp_path / "new", range(2 * len(QUERIES)), blur=6))

    def exercise(self, built: Judge) -> object:
        """Compares nothing: what compares something is the tests' own business."""
        return built.compare([], [], [])

    def test_a_verdict_per_query_and_aspect(self, built: Judge, old: Any, new: Any) -> None:
        """Query by query, in the order asked."""
        found = built.compare(QUERIES, old, new)
        assert built.name
        assert [(v.query, v.aspect) for v in found] == [(q, a) for q in QUERIES for a in built.aspects]
        for verdict in found:
            assert isinstance(verdict, Verdict)
            assert verdict.outcome in _OPPOSITE
            assert verdict.outcome or verdict.reason, "a verdict without an outcome says why"
        assert any(v.outcome for v in found), f"it judged nothing: {found[0].reason}"

    def test_nothing_to_compare(self, built: Judge) -> None:
        """No verdicts."""
        assert built.compare([], [], []) == []

    def test_a_row_is_as_good_as_itself(self, built: Judge, old: Any) -> None:
        """Whoever is asked about the same photos twice says so."""
        outcomes = {v.outcome for v in built.compare(QUERIES, old, old)}
        assert outcomes <= {"similar", None}, "the place of a row decides"

    def test_rows_that_change_places_change_the_verdict(self, built: Judge, old: Any, new: Any) -> None:
        """A win becomes a loss, and whoever says the same twice favours a place."""
        if not self.repeats:
            pytest.skip("it does not say the same twice")
        one, other = built.compare(QUERIES, old, new), built.compare(QUERIES, new, old)
        assert [_OPPOSITE[v.outcome] for v in one] == [v.outcome for v in other]

    def test_what_cannot_be_seen_is_not_judged(self, built: Judge, old: Any, new: Any, tmp_path: Path) -> None:
        """A verdict without an outcome, with the reason; the other queries are judged."""
        damaged = tmp_path / "damaged.png"
        damaged.write_bytes(Path(old[0][0]).read_bytes()[:200])
        rows = [[str(damaged), str(tmp_path / "missing.png")], *new[1:]]
        found = built.compare(QUERIES, old, rows)
        first = [v for v, _ in zip(found, built.aspects, strict=False)]
        assert {v.outcome for v in first} == {None}
        assert all(v.reason for v in first)
        assert any(v.outcome for v in found[len(first) :])

    def test_all_at_once_is_as_batch_by_batch(self, built: Judge, old: Any, new: Any) -> None:
        """Where a judge offers it; and progress ends where it said that it would."""
        if not isinstance(built, WholeJudge):
            assert not hasattr(built, "compare_all")
            return
        seen: list[tuple[int, int]] = []
        found = built.compare_all(QUERIES, old, new, progress=lambda done, total: seen.append((done, total)))
        if self.repeats:
            assert [(v.query, v.outcome) for v in found] == [
                (v.query, v.outcome) for v in built.compare(QUERIES, old, new)
            ]
        assert all(0 <= done <= total for done, total in seen)
        assert not seen or seen[-1][0] == seen[-1][1]


def _rows(paths: list[Path]) -> list[list[str]]:
    return [[str(paths[2 * n]), str(paths[2 * n + 1])] for n in range(len(paths) // 2)]
