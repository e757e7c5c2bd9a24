"""Matrices of a run that may be larger than memory: written row by row, mapped when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from aesalign_core.files import replacing
from aesalign_core.types import Vectors

KEPT_BYTES = 2 << 30
"""A matrix up to this size is kept in memory; of a larger one only what is asked for."""
_CHUNK = 4096


class Matrix:
    """(n, f) float32 rows, some of which may be missing.

    Args:
        array: Perhaps a map of a file.
        device: Where rows are wanted.
        keep: Largest size in bytes that is kept in memory.

    Attributes:
        present: (n,) bool, which rows there are.

    Raises:
        ValueError: A row is neither whole nor missing.
    """

    def __init__(self, array: Vectors, device: torch.device, *, keep: int = KEPT_BYTES) -> None:
        self.present = torch.from_numpy(_present(array))
        self.shape = array.shape
        self._device, self._array = device, array
        self._kept: Tensor | None = None
        if array.nbytes <= keep:
            whole = np.array(array)
            whole[~self.present.numpy()] = 0.0
            self._kept = torch.from_numpy(whole).to(device)

    def __len__(self) -> int:
        """Number of rows, n."""
        return int(self.shape[0])

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(k, f) on the device; a missing row is all zeros, so that it can be computed with."""
        if self._kept is not None:
            return self._kept[rows]
        found = self._array[rows.cpu().numpy()]
        return torch.from_numpy(np.nan_to_num(found, nan=0.0)).to(self._device)

    def parts(self, size: int = _CHUNK) -> Iterator[Tensor]:
        """All rows, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[torch.arange(start, min(start + size, len(self)))]


def write(path: Path, rows: int, batches: Iterator[Vectors | int]) -> None:
    """Writes a matrix as its rows come.

    Args:
        path: A `.npy` file; it appears when it is whole.
        rows: n.
        batches: (k, f) rows, or how many rows are missing; together n. One of them at least is no number.

    Raises:
        AesalignError: It cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        _stream(file, rows, batches)


def _stream(file: BinaryIO, rows: int, batches: Iterator[Vectors | int]) -> None:
    missing, written, width = 0, 0, None
    for batch in batches:
        if isinstance(batch, int):
            missing += batch
            continue
        if width is None:
            width = batch.shape[1]
            header = {"descr": npy.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": (rows, width)}
            npy.write_array_header_1_0(file, header)
        written += _put(file, missing, width, batch) + missing
        missing = 0
    if width is None or written + missing != rows:
        raise ValueError(f"{written + missing} rows were given, not {rows}")
    _put(file, missing, width, np.empty((0, width), np.float32))


def _put(file: BinaryIO, missing: int, width: int, batch: Vectors) -> int:
    for _ in range(missing):
        file.write(np.full(width, np.nan, "<f4").tobytes())
    file.write(np.ascontiguousarray(batch, dtype="<f4").tobytes())
    return len(batch)


def read(path: Path, rows: int) -> Vectors:
    """A map of a matrix file. Writing into it changes nothing on disk.

    Raises:
        ValueError, OSError: It is none, or not of so many rows.
    """
    found: Vectors = np.load(path, mmap_mode="c", allow_pickle=False)
    if found.ndim != 2 or len(found) != rows or found.dtype != np.float32:
        raise ValueError("it is not what it should be")
    return found


def _present(array: Vectors) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) which rows are there.

    Raises:
        ValueError: A row holds numbers that are not finite among others that are, or an infinite one.
    """
    present = np.empty(len(array), np.bool_)
    for start in range(0, len(array), _CHUNK):
        part = array[start : start + _CHUNK]
        present[start : start + _CHUNK] = whole = np.isfinite(part).all(1)
        if not np.isnan(part[~whole]).all():
            raise ValueError("it holds numbers that are not finite")
    return present
