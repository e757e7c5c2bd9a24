"""What an array of answers must be, and in which words it is told that it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Found = NDArray[np.float32]
_UNIT = 1e-4


def check_rows(found: object, count: int, *, what: str, of: str, width: int | None = None) -> Found:
    """An array that is (count,) or (count, width) float32.

    Args:
        found: What came.
        count: How many were asked about.
        what: Who gave it: `score_pixels`.
        of: What one of them is: `photo`.
        width: Of a row; None: each is one number.
    """
    shape = (count,) if width is None else (count, width)
    wanted = f"return a NumPy array of float32 and of shape {shape}"
    assert isinstance(found, np.ndarray), f"{what} gave a {type(found).__name__}: {wanted}"
    each = "a number" if width is None else "a row"
    assert found.shape == shape, (
        f"{what} gave shape {found.shape} for {_counted(count, of)}: {wanted}, {each} per {of}"
    )
    assert found.dtype == np.float32, f"{what} gave {found.dtype}: {wanted}, as .astype(np.float32) makes it"
    return found


def check_finite(found: Found, *, what: str, of: str, seen: Sequence[str]) -> None:
    """No NaN and no infinity among the answers; else it says about which of what was `seen`."""
    finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    if finite.all():
        return
    first = int(np.argmin(finite))
    numbers = found[first].ravel()
    value = numbers[~np.isfinite(numbers)][0]
    raise AssertionError(
        f"{what} gave {value} for {of} {first + 1} of {len(found)} ({seen[first]}), and for"
        f" {int((~finite).sum())} in all: every number must be finite. Think of divisions by zero, of logarithms, and"
        " of what is very small; an indexed photo of such a score would have none"
    )


def check_unit(found: Found, *, what: str, of: str, seen: Sequence[str]) -> None:
    """Rows of unit length."""
    lengths = np.linalg.norm(found, axis=1)
    wrong = np.abs(lengths - 1) > _UNIT
    if wrong.any():
        first = int(np.argmax(wrong))
        raise AssertionError(
            f"{what} gave a row of length {lengths[first]:.4g} for {of} {first + 1} of {len(found)} ({seen[first]}):"
            " rows must be of unit length, so divide each by its norm"
        )


def check_each_for_itself(
    ask: Callable[[list[T]], Any],
    items: Sequence[T],
    *,
    what: str,
    of: str,
    answers: str,
    tolerance: float,
    width: int | None = None,
) -> None:
    """That an answer depends on its item alone: not on chance, nor on its place, nor on what else is asked about.

    Args:
        ask: About items; a row each.
        items: Several, no two of which have the same answer.
        what: Who is asked: `score_pixels`.
        of: What one of them is: `photo`.
        answers: What they are called: `scores`.
        tolerance: By how much equal answers may differ.
        width: Of a row; None: each is one number.
    """
    given = list(items)

    def asked(part: list[T]) -> Found:
        return check_rows(ask(part), len(part), what=what, of=of, width=width)

    together, again = asked(given), asked(given)
    row = _differing(together, again, tolerance)
    assert row is None, (
        f"{answers} change when the same {of}s are given again ({of} {(row or 0) + 1}:"
        f" {_both(together, again, row)}):"
        " something in it is random. Fix its seed, and put models into eval mode"
    )
    backwards = asked(given[::-1])[::-1]
    alone = np.concatenate([asked([item]) for item in given])
    for found in (together, backwards):
        row = _differing(alone, found, tolerance)
        if row is None:
            continue
        told = f"{of} {row + 1} of {len(given)}: {_both(alone, found, row, 'alone', 'among others')}"
        assert not _permuted(alone, found, tolerance), (
            f"the order was not kept: {what} gives the right {answers}, but not of the {of}s at their places"
            f" ({told}). Answer {of} by {of}, in the order given; whoever sorts must undo it"
        )
        raise AssertionError(
            f"{answers} depend on their batch ({told}): what {what} says of a {of} must not depend on its place,"
            " nor on the others. Take no mean, rank or maximum over a batch, and keep nothing between calls"
        )


def check_same(found: Any, other: Any, *, problem: str, of: str, tolerance: float) -> None:
    """That two arrays are equal; `problem` says what is wrong if they are not."""
    assert np.shape(found) == np.shape(other), f"{problem}: shapes {np.shape(found)} and {np.shape(other)}"
    row = _differing(np.asarray(found), np.asarray(other), tolerance)
    assert row is None, f"{problem} ({of} {(row or 0) + 1}: {_both(found, other, row)})"


def _differing(one: Found, other: Found, tolerance: float) -> int | None:
    """The first row that differs."""
    close = np.isclose(one, other, rtol=1e-5, atol=tolerance, equal_nan=True).reshape(len(one), -1).all(axis=1)
    return None if close.all() else int(np.argmin(close))


def _permuted(one: Found, other: Found, tolerance: float) -> bool:
    """Whether the rows of each are those of the other."""
    a, b = one.reshape(len(one), -1), other.reshape(len(other), -1)
    near = np.isclose(a[:, None], b[None], rtol=1e-5, atol=tolerance, equal_nan=True).all(axis=2)
    return bool(np.all(np.any(near, axis=0)) and np.all(np.any(near, axis=1)))


def _both(one: Found, other: Found, row: int | None, first: str = "once", second: str = "then") -> str:
    a, b = one[row or 0], other[row or 0]
    if np.ndim(a):
        return f"{first} and {second} they differ by {float(np.max(np.abs(a - b))):.4g}"
    return f"{first} {float(a):.6g}, {second} {float(b):.6g}"


def _counted(count: int, of: str) -> str:
    return f"{count} {of}" + ("" if count == 1 else "s")
