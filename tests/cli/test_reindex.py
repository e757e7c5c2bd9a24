"""`aesalign reindex`, as people call it, on real photographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Aesalign

pytestmark = pytest.mark.slow
GRIDS = ("--set", "pairs.rows=2", "--set", "pairs.columns=2", "--set", "pairs.candidates=12")


def test_a_new_image_tower_is_indexed_searched_and_gone_back_from(
    aesalign: Aesalign, gallery: Path, queries: Path, tmp_path: Path
) -> None:
    shutil.copytree(gallery, tmp_path / "gallery")
    assert aesalign("pairs", "-g", "gallery", "--queries", queries, "-o", "pairs.parquet", *GRIDS).code == 0
    done = aesalign("align", "-p", "pairs.parquet", "-g", "gallery", "-o", "run", "--tune", "both", "--set",
                    "align.steps=12")  # fmt: skip
    assert "aesalign reindex -g gallery --encoder run" in done.err
    refused = aesalign("search", "a cat", "-g", "gallery", "-e", "run")
    assert refused.code == 1
    assert "aesalign reindex -g gallery --encoder run" in refused.err
    old = aesalign("search", "a cat", "-g", "gallery", "--json").json["hits"]

    made = aesalign("reindex", "-g", "gallery", "-e", "run", "--json")
    assert made.code == 0, made.err
    told = made.json
    assert (told["before"], told["version"], told["added"], told["switched"]) == (1, 2, 24, True)
    assert told["copied"] == {"embedded": 24}
    new = aesalign("search", "a cat", "-g", "gallery", "-e", "run", "--json").json["hits"]
    assert "cat" in Path(new[0]["path"]).name
    assert [hit["score"] for hit in new] != [hit["score"] for hit in old]
    assert aesalign("search", "a cat", "-g", "gallery@1", "--json").json["hits"] == old
    assert "nothing to do" in aesalign("reindex", "-g", "gallery", "-e", "run").out
    assert [(v["number"], v["state"]) for v in aesalign("reindex", "-g", "gallery", "--list", "--json").json] == [
        (1, "before"), (2, "in use")
    ]  # fmt: skip

    back = aesalign("reindex", "-g", "gallery", "--rollback")
    assert back.code == 0
    assert aesalign("search", "a cat", "-g", "gallery", "--json").json["hits"] == old
    tried = aesalign("reindex", "-g", "gallery", "-e", "run", "--no-switch")
    assert "version 1 stays in use; try the new one as -g gallery@2" in tried.out
    assert aesalign("reindex", "-g", "gallery", "--delete", "2").code == 0
    assert not (tmp_path / "gallery" / "versions" / "2").exists()


def test_what_it_cannot_do_is_one_line(aesalign: Aesalign, gallery: Path, tmp_path: Path) -> None:
    for arguments, told in (
        (("-g", gallery), "needs the encoder"),
        (("-g", gallery, "-e", "embedded", "--list"), "each ask for something else"),
        (("-g", gallery, "--rollback"), "no version of"),
        (("-g", gallery, "--delete", "1"), "is in use"),
        (("-g", gallery, "--delete", "5"), "has no version 5"),
        (("-g", "nowhere", "--list"), "there is no gallery at nowhere"),
        (("-g", "nowhere", "-e", "embedded"), "there is no gallery at nowhere"),
        (("-g", f"{gallery}@7", "--list"), "there is no gallery at"),
        (("-g", "ftp://somewhere/gallery", "--list"), "galleries cannot be at ftp://"),
        (("-g", gallery, "-e", "embedded", "--engine", "spark"), "no engine is named 'spark'"),
    ):
        refused = aesalign("reindex", *arguments)
        assert refused.code == 1, arguments
        lines = [line for line in refused.err.splitlines() if not line.startswith("encoder: ")]
        assert len(lines) == 1, lines
        assert told in lines[0]
    assert not (gallery / "current.json").exists()
    assert not (tmp_path / "nowhere").exists()
