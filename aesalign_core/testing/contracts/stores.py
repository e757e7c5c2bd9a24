"""Rows to store, and the store that the tests of retrievers are about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from aesalign_core.build import Builder
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry
from aesalign_core.protocols import Retriever
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing.contracts.base import ComponentContract, Make
from aesalign_core.types import Vectors

FIXED = ("id", "path", "width", "height", "vector")
"""Columns that every store has; others are rewards."""
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


class StoreContract(ComponentContract):
    """What the tests of a retriever work with.

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
