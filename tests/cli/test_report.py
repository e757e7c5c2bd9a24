"""Pages through the command line: of lists and of encoders, with everything that can stand on them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from command_line import CAPTIONS, Aesalign, Done
from html_pages import HOSTILE, Page

GRIDS = ("--set", "pairs.rows=2", "--set", "pairs.columns=3", "--set", "pairs.candidates=12")


@dataclass(frozen=True)
class Aligned:
    """What a training leaves: grids, a RUN, and its captions."""

    pairs: Path
    run: Path
    captions: Path


@pytest.fixture(scope="module")
def aligned(gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Aligned:
    folder = tmp_path_factory.mktemp("aligned")
    (folder / "queries.txt").write_text("".join(f"{caption}\n" for caption in CAPTIONS.values()))
    (folder / "captions.csv").write_text("file,caption\n" + "".join(f"{f},{c}\n" for f, c in CAPTIONS.items()))

    def run(*arguments: object) -> None:
        command = [sys.executable, "-m", "aesalign_core", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr

    run("pairs", "-g", gallery, "--queries", "queries.txt", "-o", "pairs.parquet", *GRIDS)
    run("align", "-p", "pairs.parquet", "-g", gallery, "-o", "run", "--captions", "captions.csv", "--set",
        "align.steps=12")  # fmt: skip
    return Aligned(folder / "pairs.parquet", folder / "run", folder / "captions.csv")


def lists(folder: Path, photos: Path) -> tuple[Path, Path]:
    """Another engine's lists: plain paths, hostile queries, photos that are not there."""
    names = sorted(str(p) for p in photos.iterdir())
    queries = ["a cat", HOSTILE.replace("\udcff", ""), "x" * 10_000, "two\nlines"]
    gone = str(photos / "gone %00 <b>.jpg")
    rows = {"old": names[:4], "new": [*names[4:7], gone]}
    for name, row in rows.items():
        lines = [json.dumps({"query": query, "hits": row if query != "a cat" else row[:2]}) for query in queries]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "old.jsonl", folder / "new.jsonl"


def refused(done: Done, *parts: str, code: int = 1) -> None:
    assert (done.code, done.out) == (code, ""), done.err
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err
    if code == 1:
        (line,) = [line for line in done.err.splitlines() if line.startswith("aesalign: error:")]
        assert len(line) < 600


@pytest.mark.slow
def test_lists_of_any_engine_give_a_page_whatever_they_hold(
    aesalign: Aesalign, small_photos: Path, tmp_path: Path
) -> None:
    lists(tmp_path, small_photos)
    done = aesalign("report", "old.jsonl", "new.jsonl", "--judge", "reward", "-k", "3", "-o", "page.html")
    assert done.code == 0, done.err
    assert "Judge reward:embedded, aesthetic:" in done.out
    read = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not read.all("script")
    assert any("<script>alert(1)</script>" in words for words in read.words)
    assert "The whole query, 10,000 characters" in read.text
    assert len(read.all("article")) == 4  # each query won or lost
    machine = aesalign("report", "old.jsonl", "new.jsonl", "--judge", "reward", "-k", "4", "--json", "-o", "p.html")
    found = machine.json
    assert (found["report"], found["queries"]) == ("p.html", 4)
    assert found["judges"][0]["failed"] == 3  # a row with a photo that is gone cannot be judged
    assert "no such file" in Page((tmp_path / "p.html").read_text(encoding="utf-8")).text


@pytest.mark.slow
def test_judge_compare_writes_the_same_page(aesalign: Aesalign, small_photos: Path, tmp_path: Path) -> None:
    lists(tmp_path, small_photos)
    done = aesalign("judge", "compare", "old.jsonl", "new.jsonl", "-k", "3", "--report", "j.html", "--json")
    assert done.code == 0, done.err
    assert done.json["queries"] == 4
    assert aesalign("report", "old.jsonl", "new.jsonl", "--judge", "reward", "-k", "3", "-o", "r.html").code == 0
    assert (tmp_path / "j.html").read_bytes() == (tmp_path / "r.html").read_bytes()


@pytest.mark.slow
def test_two_encoders_with_everything_beside_them(
    aesalign: Aesalign, gallery: Path, aligned: Aligned, tmp_path: Path
) -> None:
    done = aesalign("report", "embedded", aligned.run, "-g", gallery, "--captions", aligned.captions, "--pairs",
                    aligned.pairs, "--judge", "reward", "-k", "5", "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert found["report"] == "aesalign-report.html"
    assert [m["name"] for m in found["measures"]] == [
        "Reward of the first 5: embedded", "A right photo first (R@1)", "A right photo in the first 5 (R@5)",
    ]  # fmt: skip
    assert found["measures"][0]["independent_of_training"] is False
    assert found["front"]["queries"] == 6
    assert len(found["front"]["gains"]) == 2
    text = (tmp_path / "aesalign-report.html").read_text(encoding="utf-8")
    words = Page(text).text
    for part in (
        "strength 1", "re-ranking by similarity", "was searched as", "Implicit reward margin", "Grids 2 × 3",
        "reward_distillation", "The new system was trained on the reward embedded", "rests on the very reward",
    ):  # fmt: skip
        assert part in words, part
    assert len(text.encode()) < 10_000_000

    fewer = aesalign("report", "embedded", f"{aligned.run}@0.5", "-g", gallery, "--captions", aligned.captions,
                     "--limit", "4", "--title", "Half <way>", "-o", "half.html", "--json")  # fmt: skip
    assert fewer.json["queries"] == 4
    assert "Of 6 queries 4 were compared" in fewer.err
    assert "Half <way>" in Page((tmp_path / "half.html").read_text(encoding="utf-8")).text


@pytest.mark.slow
def test_eval_retrieval_writes_its_own_numbers_on_the_page(
    aesalign: Aesalign, gallery: Path, aligned: Aligned, tmp_path: Path
) -> None:
    asked = ("-g", gallery, "--captions", aligned.captions)
    measured = aesalign("eval", "retrieval", *asked, "--against", aligned.run, "--report", "e.html", "--json").json
    page = aesalign("report", "embedded", aligned.run, *asked, "-o", "r.html", "--json").json
    numbers = {re.search(r"R@\d+|: \w+", m["name"])[0]: m for m in page["measures"]}  # type: ignore[index]
    for name, told in (("R@1", "R@1"), ("R@5", "R@5"), ("R@10", "R@10"), ("reward:embedded@10", ": embedded")):
        for key in ("old", "new", "difference", "low", "high", "units"):
            assert numbers[told][key] == pytest.approx(measured["differences"][name][key])
    words = [Page((tmp_path / name).read_text(encoding="utf-8")).text for name in ("e.html", "r.html")]
    assert words[0] == words[1]
    refused(aesalign("eval", "retrieval", *asked, "--report", "e.html"), "--against", code=2)


@pytest.mark.slow
def test_a_list_against_an_encoder_and_rewards_of_a_gallery(
    aesalign: Aesalign, gallery: Path, aligned: Aligned, queries: Path, tmp_path: Path
) -> None:
    listed = aesalign("search", "-g", gallery, "--queries", queries, "-k", "6")
    (tmp_path / "theirs.jsonl").write_text(listed.out)
    done = aesalign("report", "theirs.jsonl", aligned.run, "-g", gallery, "--queries", queries, "-k", "6", "--json")
    assert done.code == 0, done.err
    assert [m["name"] for m in done.json["measures"]] == ["Reward of the first 6: embedded"]
    assert done.json["front"] is None
    assert "without captions" in done.json["no_front"]
    assert "Not drawn: without captions" in Page((tmp_path / "aesalign-report.html").read_text("utf-8")).text
    same = aesalign("report", "theirs.jsonl", "embedded", "-g", gallery, "-k", "6", "--json").json
    assert same["measures"][0]["difference"] == 0.0
    assert (same["gains"], same["losses"]) == ([], [])


def test_what_cannot_be_compared_is_one_clear_line(aesalign: Aesalign, small_photos: Path, tmp_path: Path) -> None:
    lists(tmp_path, small_photos)
    (tmp_path / "other.jsonl").write_text('{"query": "else", "hits": ["a.jpg"]}\n')
    refused(aesalign("report", "old.jsonl", "gone.jsonl"), "there is no file gone.jsonl")
    refused(aesalign("report", "old.jsonl", "embedded"), "embedded is no file", "--gallery")
    refused(aesalign("report", "old.jsonl", "other.jsonl"), "no query in common")
    refused(aesalign("report", "old.jsonl", "new.jsonl"), "which row is better", "--judge reward")
    refused(aesalign("report", "old.jsonl", "new.jsonl", "-g", "none"), "no gallery at none")
    refused(aesalign("report", "old.jsonl", "new.jsonl", "--pairs", "none.parquet"), "none.parquet")
    refused(aesalign("report", "old.jsonl", "new.jsonl", "--run", tmp_path), "no RUN folder")
    refused(aesalign("report", "old.jsonl"), code=2)
    assert not (tmp_path / "aesalign-report.html").exists()
    (tmp_path / "file").write_text("")
    bad = aesalign("report", "old.jsonl", "new.jsonl", "--judge", "reward", "-o", "file/page.html")
    assert (bad.code, "cannot write" in bad.err) == (1, True)


@pytest.mark.slow
def test_encoders_need_something_to_be_asked(aesalign: Aesalign, gallery: Path, queries: Path) -> None:
    refused(aesalign("report", "embedded", "embedded", "-g", gallery), "--queries FILE")
    unknown = aesalign("report", "embeded", "embedded", "-g", gallery, "--queries", queries)
    refused(unknown, "embeded is neither a file of ranked lists nor an encoder", "'embedded'")


@pytest.mark.slow
def test_the_grid_of_a_query_is_what_pairs_makes_of_it(
    aesalign: Aesalign, gallery: Path, aligned: Aligned, tmp_path: Path
) -> None:
    query = next(iter(CAPTIONS.values()))
    made = aesalign("grid", query, "-g", gallery, *GRIDS, "--json", "-o", "made.html")
    assert made.code == 0, made.err
    stored = aesalign("grid", query, "-g", gallery, "--pairs", aligned.pairs, "--json", "-o", "stored.html")
    found, kept = made.json, stored.json
    rows = found["rows"]
    # Not equal to the bit: a query that is embedded among others may differ in its last digits.
    for one, other in zip(chain(*rows), chain(*kept["rows"]), strict=True):
        assert one.pop("similarity") == pytest.approx(other.pop("similarity"), abs=1e-5)
    assert found == kept
    pages = [re.split(r"(\d+\.\d+)", (tmp_path / name).read_text()) for name in ("made.html", "stored.html")]
    assert pages[0][::2] == pages[1][::2]
    assert list(map(float, pages[0][1::2])) == pytest.approx(list(map(float, pages[1][1::2])), abs=2e-3)
    assert [len(row) for row in rows] == [3, 3]
    assert all([p["reward"] for p in row] == sorted((p["reward"] for p in row), reverse=True) for row in rows)
    assert rows[0][0]["preferred_to"] >= 2
    assert rows[1][2]["preferred_to"] == 0
    widest = aesalign("grid", "-g", gallery, "--pairs", aligned.pairs)
    assert "preference pairs" in widest.out
    refused(aesalign("grid", "a catt", "-g", gallery, "--pairs", aligned.pairs), "has no query 'a catt'")
    refused(aesalign("grid", "a cat", "-g", gallery, "--set", "pairs.rows=9"), "gives no grid", "pairs.rows")
    refused(aesalign("grid", "-g", gallery), "--pairs", code=2)


@pytest.mark.slow
def test_hits_are_put_on_a_page_and_machines_read_on(
    aesalign: Aesalign, gallery: Path, queries: Path, tmp_path: Path
) -> None:
    one = aesalign("search", "a cat", "-g", gallery, "-k", "4", "--reward", "embedded", "--json", "-o", "one.html")
    assert [h["path"] for h in one.json["hits"]]
    read = Page((tmp_path / "one.html").read_text(encoding="utf-8"))
    labels = [a["aria-label"] or "" for _, a in read.elements if a.get("role") == "img"]
    assert [label.split(", ")[1] for label in labels] == [Path(h["path"]).name for h in one.json["hits"]]
    assert "reward" in labels[0]
    many = aesalign("search", "-g", gallery, "--queries", queries, "-k", "2", "-o", "many.html")
    assert [line["query"] for line in many.lines] == list(CAPTIONS.values())
    assert "page: many.html" in many.err
    assert len(Page((tmp_path / "many.html").read_text(encoding="utf-8")).all("h2")) == 6


@pytest.mark.slow
def test_a_browser_is_opened_where_there_is_one_and_elsewhere_the_page_is_named(
    aesalign: Aesalign, small_photos: Path, tmp_path: Path
) -> None:
    lists(tmp_path, small_photos)
    asked = ("report", "old.jsonl", "new.jsonl", "--judge", "reward", "-k", "2", "--open")
    blind = aesalign(*asked, DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")
    assert blind.code == 0, blind.err
    if sys.platform == "linux":
        told = f"there is no browser to open here; the page is at {tmp_path / 'aesalign-report.html'}"
        assert told in blind.err
    record = tmp_path / "browser.sh"
    record.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n')
    record.chmod(record.stat().st_mode | stat.S_IXUSR)
    seen = aesalign(*asked, BROWSER=f"{record} %s", PATH=os.environ["PATH"])
    assert seen.code == 0, seen.err
    assert (tmp_path / "opened").read_text().strip() == (tmp_path / "aesalign-report.html").as_uri()
