"""Captions as COCO and Karpathy's splits publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aesalign_core import captions
from aesalign_core.captions import TRAINING, Caption, first_of_each, read_captions
from aesalign_core.errors import AesalignError

KARPATHY: dict[str, Any] = {
    "dataset": "coco",
    "images": [
        {
            "filepath": "val2014", "filename": "1.jpg", "sentids": [1, 2], "imgid": 0, "split": "test", "cocoid": 7,
            "sentences": [
                {"tokens": ["a", "dog"], "raw": "A dog.\n", "imgid": 0, "sentid": 1},
                {"tokens": ["it"], "raw": 'It says "annotations": [no].', "imgid": 0, "sentid": 2},
            ],
        },
        {"filename": "2.jpg", "split": "train", "sentences": [{"raw": "A cat."}]},
        {"filename": "3.jpg", "split": "restval", "sentences": [{"raw": "A cow."}]},
        {"filename": "4.jpg", "split": "test", "sentences": []},
    ],
}  # fmt: skip
COCO: dict[str, Any] = {
    "info": {"year": 2017}, "licenses": [],
    "images": [
        {"id": 139, "file_name": "000000000139.jpg", "width": 640}, {"id": 5, "file_name": "000000000005.jpg"},
    ],
    "annotations": [
        {"image_id": 5, "id": 1, "caption": "A woman by a window."},
        {"image_id": 139, "id": 2, "caption": 'A sign that says "sentences": closed'},
        {"image_id": 5, "id": 3, "caption": "A room"},
    ],
}  # fmt: skip


def written(folder: Path, value: Any) -> Path:
    path = folder / "captions.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_karpathy_s_form_by_split(tmp_path: Path) -> None:
    path = written(tmp_path, KARPATHY)
    assert read_captions(path, splits=["test"]) == [
        Caption("val2014/1.jpg", "A dog."),
        Caption("val2014/1.jpg", 'It says "annotations": [no].'),
    ]
    assert [c.file for c in read_captions(path, splits=["train", "restval"])] == ["2.jpg", "3.jpg"]
    assert [c.file for c in read_captions(path, default=TRAINING)] == ["2.jpg", "3.jpg"]
    assert [c.file for c in read_captions(path, splits=["restval"], default=TRAINING)] == ["3.jpg"]


def test_splits_are_never_mixed_by_accident(tmp_path: Path) -> None:
    path = written(tmp_path, KARPATHY)
    with pytest.raises(AesalignError, match=r"none is named .*--split test.*test \(2 captions\), train"):
        read_captions(path)
    with pytest.raises(AesalignError, match=r"no split 'val' \(it has test"):
        read_captions(path, splits=["val"])
    alone = {"images": [image for image in KARPATHY["images"] if image["split"] == "test"]}
    with pytest.raises(AesalignError, match="no split train or restval"):
        read_captions(written(tmp_path, alone), default=TRAINING)


def test_coco_s_form(tmp_path: Path) -> None:
    path = written(tmp_path, COCO)
    assert read_captions(path) == read_captions(path, default=TRAINING) == [
        Caption("000000000005.jpg", "A woman by a window."),
        Caption("000000000139.jpg", 'A sign that says "sentences": closed'),
        Caption("000000000005.jpg", "A room"),
    ]  # fmt: skip
    with pytest.raises(AesalignError, match=r"no split 'test' .it has none at all"):
        read_captions(path, splits=["test"])


def test_a_csv_may_say_the_split(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("file,caption,split\na.jpg,A dog,train\nb.jpg,A cat,test\nc.jpg,A cow\n")
    assert [c.file for c in read_captions(path)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert read_captions(path, splits=["test"]) == [Caption("b.jpg", "A cat")]


def test_the_first_captions_of_each_photo() -> None:
    read = [Caption(file, str(n)) for n, file in enumerate("aabab")]
    assert first_of_each(read, 1) == [Caption("a", "0"), Caption("b", "2")]
    assert first_of_each(read, 2) == [Caption("a", "0"), Caption("a", "1"), Caption("b", "2"), Caption("b", "4")]


def changed(value: dict[str, Any], *place: Any, to: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    target: Any = copy
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = to
    return copy


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{", "neither Karpathy's form"),
        ("{}", "neither Karpathy's form"),
        (json.dumps(KARPATHY)[:-20], "Invalid JSON: EOF"),
        (json.dumps(COCO)[:-9], "Invalid JSON: EOF"),
        ('{"images": [], "annotations": ' + "[" * 100_000, "Invalid JSON: recursion limit"),
        ({"images": [], "annotations": []}, "it holds no caption"),
        (changed(COCO, "annotations", to=None), "annotations: Input should be a valid array"),
        (changed(COCO, "annotations", 1, "caption", to=3), "annotations.1.caption: Input should be a valid string"),
        (changed(COCO, "annotations", 1, "caption", to=" "), "annotations.1.caption: String should have at least 1"),
        (changed(COCO, "annotations", 1, "caption", to="x" * 10_001), "1.caption: String should have at most"),
        (changed(COCO, "annotations", 1, to={"id": 2, "image_id": 5}), "annotations.1.caption: Field required"),
        (changed(COCO, "annotations", 1, "image_id", to=77), "annotations.1: there is no image of the id 77"),
        (changed(COCO, "annotations", 1, "id", to=1), "the annotation id '1' comes twice"),
        (changed(COCO, "images", 1, "id", to=139), "the image id '139' comes twice"),
        (changed(COCO, "images", 0, "id", to="x" * 999), "images.0.id: Input should be a valid integer"),
        (changed(KARPATHY, "images", 1, "filename", to=""), "images.1.filename: String should have at least 1"),
        (changed(KARPATHY, "images", 2, "filename", to="2.jpg"), "the image '2.jpg' comes twice"),
        (changed(KARPATHY, "images", 1, to={"filename": "a", "sentences": []}), "images.1.split: Field required"),
        (changed(KARPATHY, "images", 0, "sentences", 1, to={}), "images.0.sentences.1.raw: Field required"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, value: Any, told: str) -> None:
    with pytest.raises(AesalignError, match=told) as caught:
        read_captions(written(tmp_path, value), default=TRAINING)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_an_enormous_string_is_refused_in_one_short_line(tmp_path: Path) -> None:
    huge = changed(COCO, "annotations", 0, "caption", to="x" * 100_000_000)
    with pytest.raises(AesalignError, match="at most 10000 characters") as caught:
        read_captions(written(tmp_path, huge))
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_json_has_a_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "MAX_JSON", 100)
    with pytest.raises(AesalignError, match=r"JSON of \d+ characters"):
        read_captions(written(tmp_path, COCO))


TEXT = st.text(min_size=1, max_size=30).filter(lambda text: bool(text.strip()))


@given(st.lists(TEXT, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_whatever_captions_say_both_forms_give_them_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("captions")
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": n, "image_id": 1, "caption": text} for n, text in enumerate(texts)],
    }
    images = [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": text} for text in texts]}]
    expected = [text.strip() for text in texts]
    assert [c.text for c in read_captions(written(folder, coco))] == expected
    assert [c.text for c in read_captions(written(folder, {"images": images}), splits=["test"])] == expected
