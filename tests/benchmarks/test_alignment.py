"""What the alignment benchmark reads of a ranking, and who is in which of its parts."""

from __future__ import annotations

import numpy as np

from aesalign_embedded.training.split import Photographs
from benchmarks.alignment.judged import judged
from benchmarks.alignment.split import split
from benchmarks.alignment.world import shortened


def test_the_first_ten_are_judged() -> None:
    # 12 photos whose similarity falls with their number; query 0 is about photo 9, query 1 about photo 10.
    similar = np.tile(-np.arange(12, dtype=np.float32), (2, 1))
    truth = np.arange(12, dtype=np.float32)
    recall, beauty = judged(similar, np.array([9, 10]), truth)
    assert recall.tolist() == [1.0, 0.0]
    assert beauty.tolist() == [4.5, 4.5]  # the mean of 0 to 9


def test_nobody_is_in_two_parts() -> None:
    names = [f"{n}.jpg" for n in range(50)]
    empty = np.empty(0, np.int64)
    known = Photographs(
        folder=None,  # type: ignore[arg-type]
        names=names, captions=[], photo_of=empty, scores=dict.fromkeys(names[:11], 5.0),
        train=empty, validation=empty, test=empty,
    )  # fmt: skip
    parts = split(known, seed=3)
    everyone = np.concatenate([parts.base, parts.align, *parts.rated])
    assert sorted(everyone.tolist()) == list(range(50))
    assert sorted(np.concatenate(parts.rated).tolist()) == list(range(11))
    assert not np.array_equal(parts.base, split(known, seed=4).base)


def test_short_queries_are_the_first_words_that_carry_meaning() -> None:
    assert shortened("A brown dog is running on the sandy beach .") == "brown dog running"
    assert shortened("He is in it .") == "He is in it ."
