"""The contract of retrievers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from aesalign_core.errors import AesalignError, GalleryError
from aesalign_core.protocols import Retriever
from aesalign_core.testing.contracts.base import Make, refuses
from aesalign_core.testing.contracts.sharing import SharingContract
from aesalign_core.testing.contracts.stores import DIM, METADATA, REWARDS, ROWS, ids, rows, vectors

__all__ = ["DIM", "METADATA", "REWARDS", "ROWS", "RetrieverContract", "ids", "rows", "vectors"]


MANY = 2500
"""More ids than some databases take in one statement."""


class RetrieverContract(SharingContract):
    """What a `protocols.Retriever` must do, by exact search."""

    # -- a store

    def test_a_missing_store_is_said_to_be_missing(self, make: Make) -> None:
        """By GalleryError, whatever is asked; and asking makes none."""
        built = make()
        assert not built.exists(), "`exists()` is true before `create`: a new place holds no store"
        asks = {
            "metadata": built.metadata, "count": built.count, "columns": built.columns,
            "search": lambda: built.search(vectors(1), k=1),
        }  # fmt: skip
        for name, ask in asks.items():
            try:
                answer = ask()
            except GalleryError:
                continue
            except Exception as error:
                pytest.fail(f"`{name}` of a missing store raises {type(error).__name__} ({error}), not GalleryError")
            pytest.fail(f"`{name}` of a missing store gives {answer!r}: raise GalleryError, which says where none is")
        assert not built.exists(), "asking a missing store makes one: only `create` may"

    def test_an_empty_store(self, make: Make) -> None:
        """It is there, and holds nothing."""
        built = make()
        built.create(dim=DIM, rewards=REWARDS, metadata=METADATA)
        assert built.exists(), "`exists()` is false after `create`"
        assert built.count() == 0, "a new store has rows"
        assert sorted(built.columns()) == sorted(REWARDS), (
            f"`columns` gives {built.columns()}: the reward columns that `create` was given, and no others"
        )
        found = built.search(vectors(2), k=3)
        assert found == [[], []], (
            f"an empty store answers {found!r} to two queries: a list per query, here of nothing"
        )
        assert sum(batch.num_rows for batch in built.scan(["id"])) == 0, "`scan` of an empty store gives rows"
        with refuses("`create` over a store that is there must raise GalleryError, and leave it alone", GalleryError):
            built.create(dim=DIM, rewards=(), metadata={})

    def test_what_is_written_stays(self, store: Retriever, make: Make) -> None:
        """Rows, columns and metadata, for whoever opens the store next."""
        store.update_metadata({"space": "changed", "more": "added"})
        for opened in (store, make()):
            who = "the store that wrote" if opened is store else "the next one to open it"
            assert opened.metadata() == {**METADATA, "space": "changed", "more": "added"}, (
                f"{who} does not have the metadata of `create`, changed and added to by `update_metadata`"
            )
            assert opened.count() == ROWS, f"{who} counts {opened.count()} rows of {ROWS}"
            assert sorted(opened.columns()) == sorted(REWARDS), f"{who} has the reward columns {opened.columns()}"

    # -- its rows

    def test_all_rows_are_scanned_once(self, store: Retriever) -> None:
        """In batches, in an order that stays the same."""
        first = list(store.scan(["id", "beauty"], batch_size=16))
        assert max(batch.num_rows for batch in first) <= 16, "`scan` gives batches of more rows than `batch_size`"
        found = pa.Table.from_batches(first)
        assert sorted(found["id"].to_pylist()) == sorted(ids(ROWS)), "`scan` does not give every row once"
        assert pa.Table.from_batches(list(store.scan(["id", "beauty"]))).equals(found.combine_chunks()), (
            "`scan` gives the rows in another order, or others, when it is called again"
        )

    def test_rows_come_in_the_order_asked_for(self, store: Retriever) -> None:
        """As they were written, one asked for twice twice; a missing one is an error."""
        asked = [ids(ROWS)[number] for number in (7, 3, 50, 7)]
        found = store.fetch(asked, ["id", "path", "width", "vector", "beauty"])
        assert found["id"].to_pylist() == asked, (
            "`fetch` does not give the rows in the order of the ids, and one that is asked for twice twice"
        )
        assert found["path"].to_pylist()[1] == "photos/3, 'quoted' ü.jpg", (
            "a path with a quote in it came back changed"
        )
        assert found["width"].to_pylist() == [107, 103, 150, 107], "`fetch` gives the columns of other rows"
        np.testing.assert_array_equal(np.array(found["vector"].to_pylist(), np.float32), vectors(ROWS)[[7, 3, 50, 7]])
        assert store.fetch([], ["id"]).num_rows == 0, "`fetch` of no ids gives rows"
        with refuses("`fetch` of an id that there is not must raise GalleryError, and leave none out", GalleryError):
            store.fetch([*asked, ids(1, start=10_000)[0]], ["id"])

    def test_thousands_of_rows_come_in_the_order_asked_for(self, store: Retriever) -> None:
        """A whole gallery is read by its ids; databases have limits on what one statement may name."""
        store.add(rows(MANY, start=1000))
        order = np.random.default_rng(0).permutation(MANY)
        asked = [ids(MANY, start=1000)[place] for place in order]
        found = store.fetch(asked, ["id", "beauty"])
        assert found["id"].to_pylist() == asked, f"`fetch` of {MANY} ids does not give {MANY} rows in their order"
        np.testing.assert_allclose(found["beauty"].to_pylist(), (order + 1000) / 10, rtol=1e-5)

    def test_rows_can_be_taken_away(self, store: Retriever, make: Make) -> None:
        """And are not found again; unknown ones and none change nothing."""
        gone = ids(ROWS)[10:30]
        for chosen in (gone, gone, [], ids(3, start=10_000)):
            store.delete(chosen)
        for opened in (store, make()):
            assert opened.count() == ROWS - 20, f"{opened.count()} rows are left of {ROWS} when 20 were taken away"
            found = {match.id for match in opened.search(vectors(1), k=ROWS)[0]}
            assert found == set(ids(ROWS)) - set(gone), (
                "`search` finds rows that `delete` took away, or not all others"
            )

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
            assert [match.id for match in found] == [ids(ROWS)[row] for row in best], (
                "`search` does not give the 7 rows of the greatest cosine, greatest first. An index that is"
                " approximate needs settings by which these few rows are searched exactly"
            )
            np.testing.assert_allclose([m.similarity for m in found], own[best], atol=self.tolerance)
            for match, row in zip(found, best, strict=True):
                assert match.path == f"photos/{row}, 'quoted' ü.jpg", "a match has the path of another row"
                assert "beauty" in match.rewards, "a match lacks a reward that was asked for and is there"
                assert match.rewards["beauty"] == pytest.approx(row / 10), "a match has the reward of another row"
                assert ("sharpness" in match.rewards) is (row % 5 != 0), (
                    "a reward that is null for a row is left out of `Match.rewards`: neither None nor NaN"
                    " stands for it"
                )

    def test_matches_are_plain(self, store: Retriever) -> None:
        """They become JSON; a database's or NumPy's own numbers do not."""
        for match in store.search(vectors(1), k=7, rewards=REWARDS)[0]:
            parts = {"id": match.id, "path": match.path, "similarity": match.similarity}
            parts |= {f"rewards[{name!r}]": value for name, value in match.rewards.items()}
            for name, value in parts.items():
                wanted = str if name in ("id", "path") else float
                assert type(value) is wanted, (
                    f"`Match.{name}` is a {type(value).__name__}: make it {wanted.__name__}(value), which JSON knows"
                )

    def test_ties_come_by_id(self, store: Retriever) -> None:
        """So that two runs list the same photos."""
        same = rows(6, start=500)
        flat = pa.array(np.tile(vectors(1, seed=9), (6, 1)).ravel(), pa.float32())
        store.add(same.set_column(4, "vector", pa.FixedSizeListArray.from_arrays(flat, DIM)))
        (found,) = store.search(vectors(1, seed=9), k=4)
        assert [match.id for match in found] == sorted(ids(6, start=500))[:4], (
            "rows of equal cosine do not come by id, or those that come are not the first by id"
        )

    def test_fewer_rows_than_asked_for(self, store: Retriever) -> None:
        """All of them come back; no query vectors give no answers; fewer than one photo is an error."""
        found = [len(matches) for matches in store.search(vectors(2), k=1000)]
        assert found == [ROWS, ROWS], f"of {ROWS} rows {found} came for two queries with k = 1000: all of them do"
        assert store.search(vectors(0), k=3) == [], "no query vectors, of shape (0, d), get an empty list"
        with refuses("k = 0 must raise QueryError", AesalignError):
            store.search(vectors(1), k=0)
        with refuses(
            "a query vector of another width must raise an AesalignError, such as SpaceMismatchError", AesalignError
        ):
            store.search(np.ones((1, DIM + 1), np.float32), k=1)

    def test_an_answer_does_not_depend_on_its_batch(self, store: Retriever) -> None:
        """Nor on the order of the queries."""
        asked = vectors(9, seed=2)
        together = [[m.id for m in found] for found in store.search(asked, k=5)]
        alone = [[m.id for m in store.search(one[None], k=5)[0]] for one in asked]
        assert alone == together, "a query finds something else among other queries than alone"
        backwards = np.ascontiguousarray(asked[::-1])
        assert [[m.id for m in found] for found in store.search(backwards, k=5)][::-1] == together, (
            "queries in another order find something else: give a list per query, in the order of the queries"
        )

    def test_a_filter_comes_before_the_search(self, store: Retriever) -> None:
        """So that k photos pass it, where there are k; what is no condition is an error."""
        if not self.filters:
            with refuses(
                "a store that cannot filter must refuse `where` by QueryError, and not leave it aside", AesalignError
            ):
                store.search(vectors(1), k=5, where="width > 150")
            return
        (found,) = store.search(vectors(1), k=5, where="width > 150 AND beauty < 5.75")
        assert {match.id for match in found} <= set(ids(ROWS)[51:58]), "rows came that `where` excludes"
        assert len(found) == 5, (
            f"{len(found)} rows came and not 5, although 7 meet `where`: the condition comes before the search,"
            " not after"
        )
        for wrong in ("no such column = 1", "width >", "1; DROP TABLE photos"):
            with pytest.raises(AesalignError):
                store.search(vectors(1), k=5, where=wrong)
        assert store.count() == ROWS

    def test_an_index_says_what_it_is(self, store: Retriever) -> None:
        """In words, whether or not there is one to build."""
        assert store.build_index().strip()
        assert len(store.search(vectors(1), k=5)[0]) == 5


def _number(value: float | None) -> float | None:
    """A score that is missing, as None, whether it is stored as null or as NaN."""
    return None if value is None or np.isnan(value) else value
