"""The contract of judges."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import pytest

from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Judge, WholeJudge
from aesalign_core.testing.contracts.base import ComponentContract
from aesalign_core.testing.contracts.network import no_network
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
        assert built.name, "it has no name, which reports show"
        assert built.aspects, "it has no aspects: name what it judges by, such as aesthetic"
        for verdict in found:
            check_verdict(verdict)
        assert [(v.query, v.aspect) for v in found] == [(q, a) for q in QUERIES for a in built.aspects], (
            f"{len(found)} verdicts came on {len(QUERIES)} queries and the aspects {', '.join(built.aspects)}: give"
            " one per query and aspect, query by query in the order asked, with the query's own words"
        )
        assert any(v.outcome for v in found), f"it judged nothing: {found[0].reason}"

    def test_a_verdict_is_on_its_own_rows(self, built: Judge, old: Any, new: Any) -> None:
        """Whatever else is asked with it, and whatever was said of the first."""
        if not self.repeats:
            return
        first, second = [*old], [*new]
        first[1], second[1] = new[1], old[1]  # so that verdicts differ, and a copied one is seen
        together = [v.outcome for v in built.compare(QUERIES, first, second)]
        alone = [
            v.outcome
            for number, query in enumerate(QUERIES)
            for v in built.compare([query], first[number : number + 1], second[number : number + 1])
        ]
        for place, (one, other) in enumerate(zip(together, alone, strict=True)):
            number = place // len(built.aspects)
            assert one == other, (
                f"verdicts depend on their batch: on query {number + 1} of {len(QUERIES)} it says {one!r} among"
                f" others and {other!r} alone. Judge each query by its own rows, and keep nothing by the query's"
                " words alone"
            )

    def test_judging_prints_nothing_and_reaches_no_network(
        self, built: Judge, old: Any, new: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Likewise when there is something to judge."""
        capfd.readouterr()
        with no_network(refuse=not self.network) as attempts:
            built.compare(QUERIES, old, new)
        self.check_silence(capfd)
        self.check_offline(attempts)

    def test_nothing_to_compare(self, built: Judge) -> None:
        """No verdicts."""
        found = built.compare([], [], [])
        assert found == [], f"no queries get no verdicts, but {found!r:.80} came"

    def test_a_row_is_as_good_as_itself(self, built: Judge, old: Any) -> None:
        """Whoever is asked about the same photos twice says so."""
        outcomes = {v.outcome for v in built.compare(QUERIES, old, old)}
        assert outcomes <= {"similar", None}, (
            f"of two rows of the same photos it says {' and '.join(sorted(map(str, outcomes)))}: the place of a row"
            " decides. Such rows are `similar`"
        )

    def test_rows_that_change_places_change_the_verdict(self, built: Judge, old: Any, new: Any) -> None:
        """A win becomes a loss, and whoever says the same twice favours a place."""
        if not self.repeats:
            pytest.skip("it does not say the same twice")
        one, other = built.compare(QUERIES, old, new), built.compare(QUERIES, new, old)
        for a, b in zip(one, other, strict=True):
            assert _OPPOSITE.get(a.outcome) == b.outcome, (
                f"on {a.query!r} it says {a.outcome!r}, and {b.outcome!r} when the rows change places: a win must"
                " become a loss. `win` is of the second row, `loss` of the first"
            )

    def test_what_cannot_be_seen_is_not_judged(self, built: Judge, old: Any, new: Any, tmp_path: Path) -> None:
        """A verdict without an outcome, with the reason; the other queries are judged."""
        damaged = tmp_path / "damaged.png"
        damaged.write_bytes(Path(old[0][0]).read_bytes()[:200])
        rows = [[str(damaged), str(tmp_path / "missing.png")], *new[1:]]
        found = built.compare(QUERIES, old, rows)
        first = [v for v, _ in zip(found, built.aspects, strict=False)]
        assert {v.outcome for v in first} == {None}, (
            f"of photos that cannot be read it says {first[0].outcome!r}: the outcome is None then, and"
            " `reason` says why"
        )
        assert all(v.reason for v in first), "a verdict without an outcome says why, in `reason`"
        assert any(v.outcome for v in found[len(first) :]), "one damaged photo keeps it from judging other queries"

    def test_all_at_once_is_as_batch_by_batch(self, built: Judge, old: Any, new: Any) -> None:
        """Where a judge offers it; and progress ends where it said that it would."""
        if not isinstance(built, WholeJudge):
            assert not hasattr(built, "compare_all"), "it has a `compare_all` that is not that of a `WholeJudge`"
            return
        seen: list[tuple[int, int]] = []
        found = built.compare_all(QUERIES, old, new, progress=lambda done, total: seen.append((done, total)))
        if self.repeats:
            assert [(v.query, v.outcome) for v in found] == [
                (v.query, v.outcome) for v in built.compare(QUERIES, old, new)
            ], "`compare_all` and `compare` disagree on the same rows"
        assert all(0 <= done <= total for done, total in seen), f"progress goes beyond what there is: {seen}"
        assert not seen or seen[-1][0] == seen[-1][1], f"progress ends at {seen[-1][0]} of {seen[-1][1]}"


def check_verdict(verdict: object) -> None:
    """A verdict that reports can count and print."""
    assert isinstance(verdict, Verdict), f"`compare` gave a {type(verdict).__name__} and not a Verdict"
    outcomes = ", ".join(repr(outcome) for outcome in _OPPOSITE)
    assert verdict.outcome in _OPPOSITE, (
        f"the outcome {verdict.outcome!r} is none of {outcomes}: nothing would count it"
    )
    assert verdict.outcome or verdict.reason, "a verdict without an outcome says why, in `reason`"
    for name, score in (("score_old", verdict.score_old), ("score_new", verdict.score_new)):
        assert score is None or (isinstance(score, float | int) and math.isfinite(score)), (
            f"{name} of {verdict.query!r} is {score!r}: give a finite Python float, or None where there is no score"
        )


def _rows(paths: list[Path]) -> list[list[str]]:
    return [[str(paths[2 * n]), str(paths[2 * n + 1])] for n in range(len(paths) // 2)]
