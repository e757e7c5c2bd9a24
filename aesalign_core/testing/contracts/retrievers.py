"""The contract of retrievers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from aesalign_core.build import Builder
from aesalign_core.errors import AesalignError, GalleryError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry
from aesalign_core.protocols import Droppable, Retriever
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing.contracts.base import ComponentContract, Make
from aesalign_core.types import Vectors

DIM, ROWS = 16, 60
REWARDS = ("beauty", "sharpness")
METADATA = {"encoder": "tiny", "space": "0123456789abcdef", "note": 'größer als «5», {json: "yes"}\n'}


def ids(count: int, start: int = 0) -> list[str]:
    """Ids as photos have them: a sha256 in hex."""
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(start, start + count)]


def vectors(count: int, seed: int = 0) -> Vectors:
    """(count, DIM) float32 unit rows."""
    drawn = np.random.default_rng(seed).normal(size=(count, DIM))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def rows(count: int = ROWS, *, start: int = 0, seed: int = 0) -> pa.Table:
    """Rows as an index adds them; every fifth has no `sharpness`."""
    numbers = range(start, start + count)
    flat = pa.array(vectors(count, seed).ravel(), pa.float32())
    return pa.table(
        {
            "id": ids(count, start),
            "path": [f"photos/{number}, 'quoted' ü.jpg" for number in numbers],
            "width": pa.array([100 + number for number in numbers], pa.int32()),
            "height": pa.array([80] * count, pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, DIM),
            "beauty": pa.array([number / 10 for number in numbers], pa.float32()),
            "sharpness": pa.array([None if number % 5 == 0 else float(number) for number in numbers], pa.float32()),
        }
    )


class RetrieverContract(ComponentContract):
    """What a `protocols.Retriever` must do, by exact search.

    Attributes:
        filters: Whether `where` is an SQL condition that it understands; False: it refuses any, in one line.
        locks: Whether its place can be locked; False, as for object stores: the rows of two writers are both there.
    """

    kind: ClassVar[Kind] = "retriever"
    filters: ClassVar[bool] = True
    locks: ClassVar[bool] = True

    @pytest.fixture
    def location(self, tmp_path: Path) -> PurePath:
        """Where the store lies."""
        return tmp_path / "store"

    @pytest.fixture
    def make(self, settings: Mapping[str, Any], recipe: Recipe, plugins: Registry, location: PurePath) -> Make:
        """Builds a retriever over one location: the second sees what the first wrote."""
        use = Use(use=self.component, **settings)
        return lambda: Builder(recipe, found=plugins).component("retriever", use, location=str(location))

    @pytest.fixture
    def store(self, make: Make) -> Retriever:
        """A store with rows."""
        made: Retriever = make()
        made.create(dim=DIM, rewards=REWARDS, metadata=METADATA)
        made.add(rows())
        return made

    def exercise(self, built: Retriever) -> object:
        """Writes and searches."""
        if not built.exists():
            built.create(dim=DIM, rewards=REWARDS, metadata=METADATA)
            built.add(rows())
        return built.search(vectors(2), k=3, rewards=REWARDS), list(built.scan(["id"]))

    # -- a store

    def test_a_missing_store_is_said_to_be_missing(self, make: Make) -> None:
        """By GalleryError, whatever is asked; and asking makes none."""
        built = make()
        assert not built.exists()
        for ask in (built.metadata, built.count, built.columns, lambda: built.search(vectors(1), k=1)):
            with pytest.raises(GalleryError):
                ask()
        assert not built.exists()

    def test_an_empty_store(self, make: Make) -> None:
        """It is there, and holds nothing."""
        built = make()
        built.create(dim=DIM, rewards=REWARDS, metadata=METADATA)
        assert built.exists()
        assert (built.count(), sorted(built.columns())) == (0, sorted(REWARDS))
        assert built.search(vectors(2), k=3) == [[], []]
        assert sum(batch.num_rows for batch in built.scan(["id"])) == 0
        with pytest.raises(GalleryError):
            built.create(dim=DIM, rewards=(), metadata={})

    def test_what_is_written_stays(self, store: Retriever, make: Make) -> None:
        """Rows, columns and metadata, for whoever opens the store next."""
        store.update_metadata({"space": "changed", "more": "added"})
        for opened in (store, make()):
            assert opened.metadata() == {**METADATA, "space": "changed", "more": "added"}
            assert opened.count() == ROWS
            assert sorted(opened.columns()) == sorted(REWARDS)

    # -- its rows

    def test_all_rows_are_scanned_once(self, store: Retriever) -> None:
        """In batches, in an order that stays the same."""
        first = list(store.scan(["id", "beauty"], batch_size=16))
        assert max(batch.num_rows for batch in first) <= 16
        found = pa.Table.from_batches(first)
        assert sorted(found["id"].to_pylist()) == sorted(ids(ROWS))
        assert pa.Table.from_batches(list(store.scan(["id", "beauty"]))).equals(found.combine_chunks())

    def test_rows_come_in_the_order_asked_for(self, store: Retriever) -> None:
        """As they were written, one asked for twice twice; a missing one is an error."""
        asked = [ids(ROWS)[number] for number in (7, 3, 50, 7)]
        found = store.fetch(asked, ["id", "path", "width", "vector", "beauty"])
        assert found["id"].to_pylist() == asked
        assert found["path"].to_pylist()[1] == "photos/3, 'quoted' ü.jpg"
        assert found["width"].to_pylist() == [107, 103, 150, 107]
        np.testing.assert_array_equal(np.array(found["vector"].to_pylist(), np.float32), vectors(ROWS)[[7, 3, 50, 7]])
        assert store.fetch([], ["id"]).num_rows == 0
        with pytest.raises(GalleryError):
            store.fetch([*asked, ids(1, start=10_000)[0]], ["id"])

    def test_rows_can_be_taken_away(self, store: Retriever, make: Make) -> None:
        """And are not found again; unknown ones and none change nothing."""
        gone = ids(ROWS)[10:30]
        for chosen in (gone, gone, [], ids(3, start=10_000)):
            store.delete(chosen)
        for opened in (store, make()):
            assert opened.count() == ROWS - 20
            found = {match.id for match in opened.search(vectors(1), k=ROWS)[0]}
            assert found == set(ids(ROWS)) - set(gone)

    def test_photos_can_move(self, store: Retriever) -> None:
        """Their rows get new paths, and nothing else changes."""
        store.set_paths({ids(1)[0]: "elsewhere/0.jpg"})
        assert store.fetch(ids(2), ["path"])["path"].to_pylist() == ["elsewhere/0.jpg", "photos/1, 'quoted' ü.jpg"]
        assert store.count() == ROWS

    def test_columns_can_be_written(self, store: Retriever, make: Make) -> None:
        """A new one is added; rows not named keep what they have; NaN takes a score away."""
        store.set_column("colour", ids(3), np.array([1, 2, np.nan], np.float32))
        store.set_column("beauty", ids(2), np.array([np.nan, 9], np.float32))
        opened = make()
        assert sorted(opened.columns()) == sorted((*REWARDS, "colour"))
        found = opened.fetch(ids(4), ["colour", "beauty"])
        assert [_number(v) for v in found["colour"].to_pylist()] == [1, 2, None, None]
        assert [_number(v) for v in found["beauty"].to_pylist()] == [None, 9, pytest.approx(0.2), pytest.approx(0.3)]
        assert opened.count() == ROWS

    def test_what_cannot_be_a_row_is_refused(self, store: Retriever) -> None:
        """Vectors of another width, and columns that there are not; nothing is written."""
        narrow = pa.FixedSizeListArray.from_arrays(pa.array([1.0] * 4, pa.float32()), 4)
        with pytest.raises(AesalignError):
            store.add(rows(1, start=900).set_column(4, "vector", narrow))
        for ask in (
            lambda: store.search(vectors(1), k=1, rewards=["nothing"]),
            lambda: list(store.scan(["nothing"])),
        ):
            with pytest.raises(AesalignError):
                ask()
        assert store.count() == ROWS

    # -- its search

    def test_it_finds_what_is_nearest(self, store: Retriever) -> None:
        """By cosine, as NumPy does, with the rewards asked for; a reward that is missing is left out."""
        asked = vectors(5, seed=1)
        cosines = asked @ vectors(ROWS).T
        for found, own in zip(store.search(asked, k=7, rewards=REWARDS), cosines, strict=True):
            best = np.argsort(-own)[:7].tolist()
            assert [match.id for match in found] == [ids(ROWS)[row] for row in best]
            np.testing.assert_allclose([m.similarity for m in found], own[best], atol=self.tolerance)
            for match, row in zip(found, best, strict=True):
                assert match.path == f"photos/{row}, 'quoted' ü.jpg"
                assert match.rewards["beauty"] == pytest.approx(row / 10)
                assert ("sharpness" in match.rewards) is (row % 5 != 0)

    def test_ties_come_by_id(self, store: Retriever) -> None:
        """So that two runs list the same photos."""
        same = rows(6, start=500)
        flat = pa.array(np.tile(vectors(1, seed=9), (6, 1)).ravel(), pa.float32())
        store.add(same.set_column(4, "vector", pa.FixedSizeListArray.from_arrays(flat, DIM)))
        (found,) = store.search(vectors(1, seed=9), k=4)
        assert [match.id for match in found] == sorted(ids(6, start=500))[:4]

    def test_fewer_rows_than_asked_for(self, store: Retriever) -> None:
        """All of them come back; no query vectors give no answers; fewer than one photo is an error."""
        assert [len(found) for found in store.search(vectors(2), k=1000)] == [ROWS, ROWS]
        assert store.search(vectors(0), k=3) == []
        with pytest.raises(AesalignError):
            store.search(vectors(1), k=0)
        with pytest.raises(AesalignError):
            store.search(np.ones((1, DIM + 1), np.float32), k=1)

    def test_an_answer_does_not_depend_on_its_batch(self, store: Retriever) -> None:
        """Nor on the order of the queries."""
        asked = vectors(9, seed=2)
        together = [[m.id for m in found] for found in store.search(asked, k=5)]
        assert [[m.id for m in store.search(one[None], k=5)[0]] for one in asked] == together
        backwards = np.ascontiguousarray(asked[::-1])
        assert [[m.id for m in found] for found in store.search(backwards, k=5)][::-1] == together

    def test_a_filter_comes_before_the_search(self, store: Retriever) -> None:
        """So that k photos pass it, where there are k; what is no condition is an error."""
        if not self.filters:
            with pytest.raises(AesalignError):
                store.search(vectors(1), k=5, where="width > 150")
            return
        (found,) = store.search(vectors(1), k=5, where="width > 150 AND beauty < 5.75")
        assert {match.id for match in found} <= set(ids(ROWS)[51:58])
        assert len(found) == 5
        for wrong in ("no such column = 1", "width >", "1; DROP TABLE photos"):
            with pytest.raises(AesalignError):
                store.search(vectors(1), k=5, where=wrong)
        assert store.count() == ROWS

    def test_an_index_says_what_it_is(self, store: Retriever) -> None:
        """In words, whether or not there is one to build."""
        assert store.build_index().strip()
        assert len(store.search(vectors(1), k=5)[0]) == 5

    def test_one_writer_at_a_time(self, store: Retriever, make: Make) -> None:
        """Another one is refused while the right is held, and welcome afterwards."""
        other = make()
        with store.writing():
            store.add(rows(2, start=700))
            with pytest.raises(GalleryError) if self.locks else nullcontext():
                other.add(rows(2, start=800))
        if self.locks:
            other.add(rows(2, start=800))
        assert other.exists()
        assert other.count() == ROWS + 4
        assert make().count() == ROWS + 4

    def test_a_store_that_can_be_removed_is_gone(self, store: Retriever, make: Make) -> None:
        """And another one can be made in its place; a retriever need not have `drop`."""
        if not isinstance(store, Droppable):
            return
        store.drop()
        for opened in (store, make()):
            assert not opened.exists()
            with pytest.raises(GalleryError):
                opened.count()
        store.create(dim=DIM, rewards=(), metadata=METADATA)
        assert (store.count(), make().count()) == (0, 0)


def _number(value: float | None) -> float | None:
    """A score that is missing, as None, whether it is stored as null or as NaN."""
    return None if value is None or np.isnan(value) else value
