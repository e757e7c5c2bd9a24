"""Classic evaluation through the command line, on real photographs and the embedded components."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from command_line import CAPTIONS, Aesalign

from aesalign_core.captions import read_captions

CLASSES = {"astronaut": "an astronaut", "cat": "a cat", "coffee": "a cup of coffee", "rocket": "a rocket",
           "china": "a temple", "flower": "a flower"}  # fmt: skip
CATS, ROCKETS = ["cat.jpg", "crop1-cat.jpg"], ["rocket.jpg", "crop1-rocket.jpg"]


@pytest.fixture
def classes(small_photos: Path, tmp_path: Path) -> Path:
    """The photographs, in a folder per class."""
    folder = tmp_path / "classes"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for photo in small_photos.iterdir():
        (folder / photo.stem.split("-")[-1] / photo.name).symlink_to(photo)
    return folder


@pytest.fixture(scope="module")
def run(gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short text-only alignment. Tests read it only."""
    folder = tmp_path_factory.mktemp("aligned")
    (folder / "queries.txt").write_text("".join(f"{caption}\n" for caption in CAPTIONS.values()))
    grids = ("--set", "pairs.rows=2", "--set", "pairs.columns=2", "--set", "pairs.candidates=12")
    short = ("--tune", "text", "--set", "align.steps=8", "--set", "align.pretraining_weight=0")
    for command in (
        ("pairs", "-g", gallery, "--queries", "queries.txt", "-o", "pairs.parquet", *grids),
        ("align", "-p", "pairs.parquet", "-g", gallery, "-o", "run", *short),
    ):
        program = [sys.executable, "-m", "aesalign_core", *map(str, command)]
        done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "run"


def refused(done: object, *parts: str, code: int = 1) -> None:
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err
    if code == 1:
        (line,) = [line for line in done.err.splitlines() if line.startswith("aesalign: error:")]
        assert len(line) < 700


def karpathy(folder: Path) -> Path:
    images = [
        {
            "filename": file,
            "split": "test" if n < 4 else "train",
            "sentences": [{"raw": text}, {"raw": f"photo of {text}"}],
        }
        for n, (file, text) in enumerate(CAPTIONS.items())
    ]
    path = folder / "dataset.json"
    path.write_text(json.dumps({"dataset": "x", "images": images}))
    return path


def test_splits_are_named_before_any_model_is_loaded(aesalign: Aesalign, tmp_path: Path) -> None:
    options = ("eval", "retrieval", "-g", "none", "--captions", karpathy(tmp_path))
    refused(aesalign(*options), "has splits, and none is named", "--split test")
    refused(aesalign(*options, "--split", "val"), "no split 'val'", "test (8 captions)")


@pytest.mark.slow
def test_both_directions_of_the_published_splits(aesalign: Aesalign, gallery: Path, tmp_path: Path) -> None:
    options = ("eval", "retrieval", "-g", gallery, "--captions", karpathy(tmp_path), "--split", "test")
    found = aesalign(*options, "--only-captioned", "--json")
    assert found.code == 0, found.err
    assert (found.json["queries"], found.json["photos"]) == (8, 24)
    assert found.json["metrics"]["R@1"]["embedded"] == 1  # among the four captioned photos alone
    assert found.json["metrics"]["image→text R@1"]["embedded"] == 1
    shown = aesalign(*options, "--split", "train", "--captions-per-photo", "1")
    assert "image→text R@10" in shown.out
    assert "6 captions, 24 photos" in shown.out


@pytest.mark.slow
def test_coco_s_captions_and_trec_files_that_others_can_read(
    aesalign: Aesalign, gallery: Path, run: Path, tmp_path: Path
) -> None:
    import ir_measures

    coco = {
        "images": [{"id": n, "file_name": file} for n, file in enumerate(CAPTIONS)],
        "annotations": [{"id": n, "image_id": n, "caption": text} for n, text in enumerate(CAPTIONS.values())],
    }
    (tmp_path / "captions.json").write_text(json.dumps(coco))
    options = ("eval", "retrieval", "-g", gallery, "--captions", "captions.json", "--against", run)
    refused(aesalign(*options, "--save-run", "old.trec"), "once for each encoder", code=2)
    done = aesalign(*options, "--save-run", "old.trec", "--save-run", "new.trec", "--save-qrels", "qrels", "-k", "24",
                    "--json")  # fmt: skip
    assert done.code == 0, done.err
    ranked = aesalign(
        "eval", "ranking", "old.trec", "new.trec", "--qrels", "qrels", "-m", "AP", "-m", "R@5", "--json"
    )
    assert ranked.code == 0, ranked.err
    assert ranked.json["queries"] == 6
    for name, system in (("old.trec", "embedded"), ("new.trec", str(run))):
        theirs = ir_measures.calc_aggregate(
            [ir_measures.AP, ir_measures.R @ 5],
            ir_measures.read_trec_qrels(str(tmp_path / "qrels")),
            ir_measures.read_trec_run(str(tmp_path / name)),
        )
        assert ranked.json["metrics"]["AP"][name] == pytest.approx(theirs[ir_measures.AP])
        # One photo is right, so that trec_eval's recall is the R@5 of image retrieval.
        assert ranked.json["metrics"]["R@5"][name] == pytest.approx(theirs[ir_measures.R @ 5])
        of_run = [m for name, m in done.json["metrics"]["R@5"].items() if Path(name).name == Path(system).name]
        assert of_run == [pytest.approx(theirs[ir_measures.R @ 5])]


@pytest.mark.slow
def test_what_search_prints_is_graded(aesalign: Aesalign, gallery: Path, small_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("a cat\na rocket\n")
    done = aesalign("search", "-g", gallery, "--queries", "asked.txt", "-k", "5")
    (tmp_path / "found.jsonl").write_text(done.out)
    relevant = {"a cat": {"cat.jpg": 2, **{f"crop{n}-cat.jpg": 1 for n in (1, 2, 3)}}, "a rocket": ["rocket.jpg"]}
    lines = [json.dumps({"query": q, "relevant": r}) for q, r in {**relevant, "a dog": ["none.jpg"]}.items()]
    (tmp_path / "qrels.jsonl").write_text("\n".join(lines))
    options = ("eval", "ranking", "found.jsonl", "--qrels", "qrels.jsonl")
    refused(aesalign(*options), "found no photo that was looked at", "--photos-root")
    found = aesalign(*options, "--photos-root", small_photos, "-m", "Success@5", "-m", "P@5", "--json").json
    # Two of three queries found something; the third has no list and counts 0.
    assert found["metrics"]["Success@5"]["found.jsonl"] == pytest.approx(2 / 3)
    assert found["missing"] == {"found.jsonl": 1}
    shown = aesalign(*options, "--photos-root", small_photos)
    assert "nDCG@10" in shown.out
    assert "no list for 1 of the 3 queries" in shown.err
    refused(aesalign(*options, "-m", "nDGC@5"), "'nDGC@5'", "'nDCG@10'")
    (tmp_path / "qrels.txt").write_text("1 0 a.jpg 1\n")
    refused(
        aesalign("eval", "ranking", "found.jsonl", "--qrels", "qrels.txt"), "answers none of the queries", "'a cat'"
    )
    refused(aesalign("eval", "ranking", "none.trec", "--qrels", "qrels.txt"), "cannot read none.trec")


@pytest.mark.slow
def test_zero_shot_knows_real_photographs(aesalign: Aesalign, classes: Path, tmp_path: Path) -> None:
    (classes / "cat" / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "names.csv").write_text("folder,name\n" + "".join(f"{f},{n}\n" for f, n in CLASSES.items()))
    (tmp_path / "templates.txt").write_text("{}\na photo of {}\n")
    plain = aesalign("eval", "zeroshot", classes, "--templates", "simple", "--json")
    assert plain.code == 0, plain.err
    assert (plain.json["photos"], plain.json["classes"]) == (24, 6)
    assert plain.json["metrics"]["top-1"]["embedded"] > 0.6
    assert plain.json["per_class"]["china"]["top-1"]["embedded"] < 0.5  # which is porcelain, too
    assert [Path(b["path"]).name for b in plain.json["bad"]] == ["broken.jpg"]
    named = aesalign("eval", "zeroshot", classes, "--classes", "names.csv", "--templates", "templates.txt")
    assert named.code == 0, named.err
    assert "24 photos, 6 classes; guessing gives 0.1667" in " ".join(named.out.split())
    assert float(re.findall(r"top-1 +([0-9.]+)", named.out)[0]) > 0.8
    assert "broken.jpg" in named.out
    refused(aesalign("eval", "zeroshot", classes, "--templates", "opnai"), "'opnai'", "'openai'")
    (tmp_path / "names.csv").write_text("folder,name\ncat,a cat\n")
    refused(aesalign("eval", "zeroshot", classes, "--classes", "names.csv"), "5 of 6 folders have no name")
    refused(aesalign("eval", "zeroshot", tmp_path / "none"), "No such file", "CLASS/PHOTO")


@pytest.mark.slow
def test_one_table_of_everything(
    aesalign: Aesalign, gallery: Path, small_photos: Path, classes: Path, run: Path, captions: Path, tmp_path: Path
) -> None:
    label = {"annotator": "ann", "aspect": "accuracy", "choice": "first"}
    items = [{"query": "a cat", "first": CATS, "second": ROCKETS, "labels": [label]},
             {"query": "a rocket", "first": ROCKETS, "second": CATS, "labels": [label]}]  # fmt: skip
    (tmp_path / "hpir.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    relevant = {"query": "a cat", "relevant": {"cat.jpg": 2, "crop1-cat.jpg": 1, "a dog.jpg": 1}}
    (tmp_path / "qrels.jsonl").write_text(json.dumps(relevant))
    everything = ("-g", gallery, "--captions", captions, "--zeroshot", classes, "--templates", "simple", "--hpir",
                  "hpir.jsonl", "--photos-root", small_photos, "--qrels", "qrels.jsonl")  # fmt: skip
    found = aesalign("eval", "compare", "embedded", run, *everything, "--json")
    assert found.code == 0, found.err
    tasks = found.json["tasks"]
    assert list(tasks) == ["retrieval", "relevance", "zero-shot", "hpir"]
    assert set(tasks["relevance"]["differences"]) == {"nDCG@10", "AP@100"}
    assert tasks["relevance"]["missing"] == 1
    assert "1 photos of the relevance file are not in the gallery" in found.err
    assert set(tasks["retrieval"]["differences"]) == {
        "R@1", "R@5", "R@10", "image→text R@1", "image→text R@5", "image→text R@10", "reward:embedded@10"
    }  # fmt: skip
    assert set(tasks["zero-shot"]["differences"]) == {"top-1", "top-5", "mean per class"}
    assert set(tasks["hpir"]["differences"]) == {"agreement, accuracy"}
    every = [d for task in tasks.values() for d in task["differences"].values()]
    assert sum(found.json["verdicts"].values()) == len(every)
    for one in every:
        assert one["difference"] == pytest.approx(one["new"] - one["old"])
        open_question = one["verdict"] == "undecided" and one["difference"] != 0 and one["units"] > 1
        assert (one["units_to_decide"] is not None) == open_question

    shown = aesalign("eval", "compare", "embedded", f"{run}@0", *everything[:4])
    assert shown.code == 0, shown.err
    assert "0 gained, 0 lost, 7 undecided" in shown.out
    assert shown.out.count("6 (–)") == 7  # no difference at all: nothing to project


def test_a_comparison_of_nothing_is_a_usage_error(aesalign: Aesalign) -> None:
    refused(aesalign("eval", "compare", "embedded", "run"), "name something to compare on", code=2)
    refused(aesalign("eval", "compare", "embedded", "run", "-g", "g"), "belongs together", code=2)


def test_a_wrong_file_is_told_before_any_model_is_loaded(aesalign: Aesalign, captions: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"images": [], "annotations": [')
    given = ("eval", "compare", "embedded", "run", "-g", "g", "--captions")
    refused(aesalign(*given, "broken.json"), "broken.json", "Invalid JSON")
    refused(aesalign(*given, captions, "--zeroshot", "none"), "CLASS/PHOTO")
    refused(aesalign(*given, captions, "--hpir", "none"), "cannot read none")
    label = {"annotator": "ann", "aspect": "accuracy", "choice": "first", "confidence": 0}
    item = {"query": "a cat", "first": ["broken.json"], "second": ["none.jpg"], "labels": [label]}
    (tmp_path / "hpir.jsonl").write_text(json.dumps(item))
    refused(aesalign("eval", "compare", "embedded", "run", "--hpir", "hpir.jsonl"), "which row people prefer")
    (tmp_path / "hpir.jsonl").write_text(json.dumps({**item, "first": ["gone.jpg"]}))
    refused(aesalign("eval", "compare", "embedded", "run", "--hpir", "hpir.jsonl"), "gone.jpg", "--photos-root")


@pytest.mark.slow
def test_another_image_tower_needs_a_gallery_of_the_same_photos(
    aesalign: Aesalign, gallery: Path, small_photos: Path, captions: Path, tmp_path: Path
) -> None:
    from aesalign_core.testing.tiny_clip import tiny_model

    # The architecture is known to this process only: the command line is given it by a plugin of its own.
    model = tiny_model(tmp_path / "models")
    (tmp_path / "tiny_arch.py").write_text(
        f"import open_clip\nopen_clip.add_model_config({str(tmp_path / 'models' / 'aesalign-tiny.json')!r})\n"
    )
    (tmp_path / "sitecustomize.py").write_text("import tiny_arch\n")
    there = {"PYTHONPATH": str(tmp_path)}
    compare = ("eval", "compare", "embedded", model, "-g", gallery, "--captions", captions)
    told = f"aesalign reindex -g {gallery} --encoder "
    refused(aesalign(*compare, **there), "was filled by the image tower of 'embedded'", told)
    done = aesalign("index", small_photos, "-g", "other", "--encoder", model, **there)
    assert done.code == 0, done.err
    found = aesalign(*compare, "--against-gallery", "other", "--json", **there)
    assert found.code == 0, found.err
    # A model of random weights loses everything that the embedded one knows.
    assert found.json["tasks"]["retrieval"]["differences"]["R@1"]["verdict"] == "lost"


def test_galleries_of_different_photos_are_not_compared(tmp_path: Path) -> None:
    import colours

    from aesalign_core.cli.evaluate_retrieval import galleries
    from aesalign_core.errors import EvaluationError
    from aesalign_core.gallery import Gallery
    from aesalign_core.indexing.index import index

    build = colours.builder()
    photos = colours.write_photos(tmp_path / "photos", each=2)
    index(photos, tmp_path / "all", build)
    index(photos[:4], tmp_path / "few", build)
    found = Gallery.open(tmp_path / "all", build)
    assert galleries(found, build, None) == (found, found)
    with pytest.raises(EvaluationError, match=r"2 photos are in .*but not in both .index the same photos"):
        galleries(found, build, tmp_path / "few")


@pytest.mark.slow
@pytest.mark.photos
def test_zero_shot_of_many_real_photographs_is_far_above_chance(
    aesalign: Aesalign, photos_dir: Path, tmp_path: Path
) -> None:
    """Classes by what people's captions say; the photographs stay where they are."""
    from benchmarks.classic import CLASSES as KINDS
    from benchmarks.classic import class_of

    said: defaultdict[str, list[str]] = defaultdict(list)
    for caption in read_captions(photos_dir / "captions.csv"):
        said[caption.file].append(caption.text)
    count: Counter[str] = Counter()
    for file, texts in sorted(said.items()):
        kind = class_of(texts)
        if kind and count[kind] < 9:
            count[kind] += 1
            (tmp_path / "classes" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "classes" / kind / file).symlink_to(photos_dir / "images" / file)
    found = aesalign("eval", "zeroshot", "classes", "--templates", "simple", "--json")
    assert found.code == 0, found.err
    assert (found.json["photos"], found.json["classes"]) == (9 * len(KINDS), len(KINDS))
    assert found.json["metrics"]["top-1"]["embedded"] > 0.75  # chance is 0.1
