"""The retriever against aesalign's contract of its kind, and what FAISS adds to it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aesalign_core import Builder, Recipe
from aesalign_core.errors import SettingsError
from aesalign_core.recipe import Use
from aesalign_core.testing import RetrieverContract
from aesalign_core.testing.contracts.retrievers import DIM, rows, vectors


class TestFaiss(RetrieverContract):
    component = "faiss"
    refused = ({"factory": ""}, {"factory": "no; such"}, {"nprobe": 0})
    filters = False


def _retriever(location: Path, **settings: object):
    return Builder(Recipe(device="cpu")).component("retriever", Use(use="faiss", **settings), location=str(location))


def test_an_approximate_index_finds_nearly_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _retriever(tmp_path / "store", factory="IVF16,Flat", nprobe=8)
    store.create(dim=DIM, rewards=("beauty", "sharpness"), metadata={})
    store.add(rows(2000))
    asked = vectors(50, seed=3)
    exact = [[m.id for m in found] for found in store.search(asked, k=10)]
    assert "search is exact" in capsys.readouterr().err
    assert re.search("IVF16,Flat over 2000", store.build_index())
    found = [[m.id for m in found] for found in store.search(asked, k=10)]
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)]
    assert 0.8 < np.mean(shares) < 1, "an index that visits half of its cells misses a little"
    store.add(rows(1, start=5000))
    assert len(store.search(asked, k=2001)[0]) == 2001, "the index of older rows is not searched"


def test_an_index_that_faiss_cannot_build_is_one_error(tmp_path: Path) -> None:
    store = _retriever(tmp_path / "store", factory="IVF5000,Flat")
    store.create(dim=DIM, rewards=("beauty", "sharpness"), metadata={})
    store.add(rows(30))
    with pytest.raises(SettingsError, match="FAISS cannot build"):
        store.build_index()
