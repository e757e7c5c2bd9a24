"""On a real terminal: bars are drawn, and Ctrl-C says what was done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from terminal import in_terminal


def test_each_long_verb_draws_its_bar(small_photos: Path, queries: Path, captions: Path, tmp_path: Path) -> None:
    grids = ("--set", "pairs.rows=2", "--set", "pairs.columns=2")
    commands = [
        ("index", small_photos, "-g", "g"),
        ("score", small_photos),
        ("pairs", "-g", "g", "--queries", queries, "-o", "p.parquet", *grids),
        ("align", "-p", "p.parquet", "-g", "g", "-o", "run", "--captions", captions, "--set", "align.steps=5"),
        ("eval", "retrieval", "-g", "g", "--captions", captions, "--against", "run"),
    ]
    for command in commands:
        code, shown = in_terminal(tmp_path, *command)
        assert code == 0, shown[-500:]
        assert "internal error" not in shown
        assert re.search(r"\d+/\d+", shown), shown[-500:]


@pytest.mark.slow
def test_ctrl_c_in_a_training_says_from_where_it_goes_on(gallery: Path, queries: Path, tmp_path: Path) -> None:
    grids = ("--set", "pairs.rows=2", "--set", "pairs.columns=2")
    code, shown = in_terminal(tmp_path, "pairs", "-g", gallery, "--queries", queries, "-o", "p.parquet", *grids)
    assert code == 0, shown[-500:]
    log = tmp_path / "run" / "metrics.jsonl"

    def when_training(seen: str) -> bytes | None:
        return b"\x03" if log.exists() and log.read_text().count("\n") > 5 else None

    train = ("align", "-p", "p.parquet", "-g", gallery, "-o", "run", "--set", "align.steps=100000")
    code, shown = in_terminal(tmp_path, *train, watch=when_training)
    assert code == 130, shown[-500:]
    (step,) = re.findall(r"aesalign: stopped after step (\d+); the same command goes on from there", shown)
    assert (tmp_path / "run" / "checkpoints" / f"step-{step}").is_dir()


def test_ctrl_c_elsewhere_is_told(small_photos: Path, tmp_path: Path) -> None:
    many = tmp_path / "photos"
    many.mkdir()
    for number in range(60):
        for photo in small_photos.iterdir():
            (many / f"{number}-{photo.name}").write_bytes(photo.read_bytes() + b"\0" * number)
    code, shown = in_terminal(
        tmp_path, "index", many, "-g", "g", watch=lambda seen: b"\x03" if re.search(r"[1-9]\d*/1440", seen) else None
    )
    assert code == 130, shown[-500:]
    assert "aesalign: interrupted; run the same command again to go on" in shown
