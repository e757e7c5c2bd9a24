"""Matrices that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from aesalign_core.alignment.matrix_files import Matrix, read, write
from aesalign_core.errors import AesalignError
from aesalign_core.types import Vectors

CPU = torch.device("cpu")


def batches(*parts: Vectors | int) -> Iterator[Vectors | int]:
    yield from parts


def rows(start: int, count: int) -> Vectors:
    return np.arange(start * 3, (start + count) * 3, dtype=np.float32).reshape(count, 3)


@pytest.mark.parametrize("keep", [0, 1 << 20])
def test_rows_come_back_in_order_and_missing_ones_are_zeros(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m.npy"
    write(path, 8, batches(1, rows(1, 2), 1, 1, rows(5, 1), 2))
    found = Matrix(read(path, 8), CPU, keep=keep)
    assert found.present.tolist() == [False, True, True, False, False, True, False, False]
    assert found[torch.tensor([5, 1, 0, 5])].tolist() == [[15, 16, 17], [3, 4, 5], [0, 0, 0], [15, 16, 17]]
    assert torch.cat(list(found.parts(3))).equal(found[torch.arange(8)])
    assert (len(found), found.shape) == (8, (8, 3))


def test_it_is_a_plain_npy_file(tmp_path: Path) -> None:
    write(tmp_path / "m.npy", 4, batches(rows(0, 3), rows(3, 1)))
    assert np.array_equal(np.load(tmp_path / "m.npy"), rows(0, 4))


@pytest.mark.parametrize("parts", [(rows(0, 3),), (rows(0, 3), 3), (4,), ()])
def test_as_many_rows_as_were_promised(tmp_path: Path, parts: tuple[Vectors | int, ...]) -> None:
    with pytest.raises(ValueError, match="rows were given, not 4"):
        write(tmp_path / "m.npy", 4, batches(*parts))
    assert list(tmp_path.iterdir()) == []


def test_what_stops_the_rows_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Vectors | int]:
        yield rows(0, 2)
        raise OSError(28, "No space left on device")

    with pytest.raises(AesalignError, match="No space left"):
        write(tmp_path / "m.npy", 4, broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_half_there_is_refused(value: float) -> None:
    array = rows(0, 4)
    array[2, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        Matrix(array, CPU)
