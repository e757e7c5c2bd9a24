"""`aesalign export`, and `align --tune adapter`, as people call them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Aesalign
from libraries import cosine

from aesalign_core.build import Builder
from aesalign_core.exporting.adapter import QueryAdapter
from aesalign_core.recipe import Recipe

pytestmark = pytest.mark.slow
GRIDS = ("--set", "pairs.rows=2", "--set", "pairs.columns=2", "--set", "pairs.candidates=12")


def test_an_adapter_is_trained_searched_with_and_exported(
    aesalign: Aesalign, gallery: Path, queries: Path, captions: Path, tmp_path: Path
) -> None:
    assert aesalign("pairs", "-g", gallery, "--queries", queries, "-o", "pairs.parquet", *GRIDS).code == 0
    train = ("align", "-p", "pairs.parquet", "-g", gallery, "-o", "run", "--captions", captions, "--set",
             "align.steps=12", "--tune", "adapter")  # fmt: skip
    done = aesalign(*train, "--json")
    assert done.code == 0, done.err
    assert done.json["tuned"] == ["text"]
    assert done.json["last"]["loss"] < done.json["first"]["loss"]
    assert "finished already" in aesalign(*train).err
    old = aesalign("search", "a cat", "-g", gallery, "--json").json["hits"]
    found = {s: aesalign("search", "a cat", "-g", gallery, "-e", f"run@{s}", "--json").json["hits"] for s in (0, 1)}
    assert found[0] == old
    assert [h["score"] for h in found[1]] != [h["score"] for h in old]

    made = aesalign("export", "run", "--to", "adapter", "--out", "out", "--json")
    assert made.code == 0, made.err
    assert made.json["files"].keys() == {"adapter.json", "adapter.safetensors"}
    build = Builder(Recipe(device="cpu"))
    base, mine = (build.encoder(name).encode_texts(["a cat"]) for name in ("embedded", str(tmp_path / "run")))
    assert cosine(QueryAdapter.load(tmp_path / "out")(base), mine) >= 0.9999
    assert np.abs(base - mine).max() > 1e-4
    shown = aesalign("export", "run", "--to", "adapter", "-o", "half", "--strength", "0.5")
    assert "run@0.5 (embedded) as adapter" in shown.out
    assert "adapter.safetensors" in shown.out
    for wrong, told in (
        (("run", "--to", "adapter", "-o", "out"), "there is something at"),
        (("run", "--to", "onnx", "-o", "new"), "can be to adapter"),
        (("nowhere", "--to", "onnx", "-o", "new"), "no RUN folder"),
        (("run", "--to", "adapter", "-o", "new", "--strength", "9"), "no number from 0 to 4"),
    ):
        refused = aesalign("export", *wrong)
        assert refused.code == 1
        assert len(refused.err.strip().splitlines()) == 1
        assert told in refused.err
    assert not (tmp_path / "new").exists()
