"""What stores must bear: several threads, several openers, and writers that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PurePath
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from aesalign_core.errors import GalleryError
from aesalign_core.protocols import Droppable, Retriever
from aesalign_core.testing.contracts.base import Make, refuses
from aesalign_core.testing.contracts.stores import DIM, METADATA, REWARDS, ROWS, StoreContract, ids, rows, vectors

_ROUNDS = 5
_PATIENCE = 60
_THREADS = (
    "`aesalign serve` searches in other threads than the one that opened the gallery, several at once. Keep what"
    " belongs to a thread (a connection to SQLite, a cursor) in threading.local, or one for all of them with a"
    " lock around it"
)

Calls = Mapping[str, Callable[[], Any]]


def reads(store: Retriever) -> Calls:
    """Everything that is read from a store by several threads, by name."""
    asked = ids(ROWS)[10:30]
    return {
        "search": lambda: store.search(vectors(3, seed=4), k=5, rewards=REWARDS),
        "fetch": lambda: store.fetch(asked, ["id", "path", "beauty"]).to_pydict(),
        "count": store.count,
        "columns": lambda: sorted(store.columns()),
        "metadata": store.metadata,
        "scan": lambda: sorted(name for batch in store.scan(["id"]) for name in batch["id"].to_pylist()),
    }


def writes(store: Retriever) -> Calls:
    """Everything that changes a store, by name."""
    return {
        "add": lambda: store.add(rows(2, start=800)),
        "delete": lambda: store.delete(ids(2)),
        "set_column": lambda: store.set_column("beauty", ids(2), np.array([7, 8], np.float32)),
        "set_paths": lambda: store.set_paths({ids(1)[0]: "elsewhere/0.jpg"}),
        "update_metadata": lambda: store.update_metadata({"space": "changed"}),
    }


class SharingContract(StoreContract):
    """What holds when a store is not one thread's, nor one process's."""

    # -- threads

    def test_it_is_read_from_another_thread(self, store: Retriever) -> None:
        """As the service does, which opens a gallery in one and searches in others."""
        expected = {name: call() for name, call in reads(store).items()}
        with ThreadPoolExecutor(1) as pool:
            self._check_reads(expected, pool.submit(_read, store).result(_PATIENCE), "another thread")

    def test_it_is_read_from_two_threads_at_once(self, store: Retriever) -> None:
        """Each gets what it asked for."""
        expected = {name: call() for name, call in reads(store).items()}
        start = Barrier(2)

        def work(_: int) -> list[dict[str, Any]]:
            start.wait(_PATIENCE)
            return [_read(store) for _ in range(_ROUNDS)]

        with ThreadPoolExecutor(2) as pool:
            for rounds in pool.map(work, range(2), timeout=_PATIENCE):
                for found in rounds:
                    self._check_reads(expected, found, "one of two threads at once")

    def _check_reads(self, expected: Mapping[str, Any], found: Mapping[str, Any], where: str) -> None:
        for name, value in found.items():
            assert not isinstance(value, Exception), (
                f"`{name}` in {where} raises {type(value).__name__}: {value}. {_THREADS}"
            )
            assert value == expected[name], f"`{name}` in {where} gives something else than alone. {_THREADS}"

    # -- openers

    def test_it_sees_what_another_has_written(self, store: Retriever, make: Make) -> None:
        """One that was open before does, once it is asked whether the store exists."""
        other = make()
        assert other.exists()
        assert other.count() == ROWS
        store.add(rows(2, start=700))
        store.update_metadata({"note": "changed"})
        store.set_column("colour", ids(1), np.array([1], np.float32))
        assert other.exists()
        told = "a store that was open while another instance wrote, and was asked `exists()` after that,"
        assert other.count() == ROWS + 2, (
            f"{told} does not count the new rows: read again what others may have changed"
        )
        assert other.metadata()["note"] == "changed", f"{told} has the old metadata"
        assert "colour" in other.columns(), f"{told} does not have the new column"
        asked = ids(2, start=700)
        assert other.fetch(asked, ["id"])["id"].to_pylist() == asked, f"{told} does not fetch the new rows"
        (found,) = other.search(vectors(1), k=3)
        assert {match.id for match in found} >= {ids(1)[0], asked[0]}, f"{told} does not find the new rows"

    def test_one_writer_at_a_time(self, store: Retriever, make: Make) -> None:
        """Another one is refused while the right is held, and welcome afterwards."""
        other = make()
        with store.writing():
            store.add(rows(2, start=700))
            if self.locks:
                for name, write in writes(other).items():
                    with _refused(name):
                        write()
                with _refused("writing"), other.writing():
                    pass
            else:
                other.add(rows(2, start=800))
        if self.locks:
            other.add(rows(2, start=800))
        assert other.exists()
        assert other.count() == ROWS + 4, "rows of one of two writers are lost, or those of a refused one are there"
        assert make().count() == ROWS + 4, "the next one to open the store does not see the rows of both writers"
        assert make().metadata() == METADATA, "`update_metadata` of a refused writer has changed the metadata"

    def test_the_right_to_write_ends_with_an_error(self, store: Retriever, make: Make) -> None:
        """An index that failed is begun again at once, by this process or by another."""
        with suppress(ZeroDivisionError), store.writing():
            store.add(rows(2, start=700))
            raise ZeroDivisionError
        for name, opened in (("the same store", store), ("another one", make())):
            try:
                with opened.writing():
                    opened.set_paths({ids(1)[0]: "elsewhere/0.jpg"})
            except GalleryError as refused:
                pytest.fail(
                    f"`writing()` was left by an error and its lock is still held, as {name} is told: {refused}."
                    " Release it in `finally`"
                )

    # -- the end

    def test_a_store_that_can_be_removed_is_gone(self, store: Retriever, make: Make) -> None:
        """And another one can be made in its place; a retriever need not have `drop`."""
        if not isinstance(store, Droppable):
            return
        store.drop()
        for opened in (store, make()):
            assert not opened.exists(), "after `drop()` the store still exists"
            with refuses("after `drop()`, `count` gives a number and no GalleryError", GalleryError):
                opened.count()
        store.create(dim=DIM, rewards=(), metadata=METADATA)
        assert (store.count(), make().count()) == (0, 0), "the store that was made after `drop()` is not empty"

    def test_removing_it_removes_nothing_else(self, store: Retriever, location: PurePath) -> None:
        """Other versions of the gallery, and whatever is the user's, lie beside it."""
        if not isinstance(store, Droppable) or not isinstance(location, Path):
            return
        beside, deep = location.parent / "beside.txt", location.parent / "other-store" / "rows.txt"
        deep.parent.mkdir()
        for file in (beside, deep):
            file.write_text("the user's")
        store.drop()
        for file in (beside, deep):
            assert file.is_file(), (
                f"`drop()` removed {file.relative_to(location.parent)}, which lay beside the store: remove what is"
                f" inside of `location` ({location.name}) only, and never its parent folder"
            )


def _read(store: Retriever) -> dict[str, Any]:
    """What each call gives, or raises."""
    found: dict[str, Any] = {}
    for name, call in reads(store).items():
        try:
            found[name] = call()
        except Exception as error:
            found[name] = error
    return found


def _refused(name: str) -> AbstractContextManager[None]:
    return refuses(
        f"`{name}` changed the store while another writer held `writing()`: every method that writes takes the"
        " writer's lock itself, and raises GalleryError if another has it. Where a place cannot be locked, say so in"
        " the test class: locks = False",
        GalleryError,
    )
