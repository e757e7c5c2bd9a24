"""Loading many photos: order, bounds, and files that are wrong."""

from __future__ import annotations

import hashlib
import threading
import time

import colours
import pytest

from aesalign_core.images.loading import Loaded, load
from aesalign_core.types import BadFile


def size_of(image):
    return image.size


def test_order_ids_sizes_and_outputs(tmp_path):
    paths = colours.write_photos(tmp_path, each=10)
    found = list(load(paths, [size_of, lambda image: image.mode], workers=4, ahead=5))
    assert [item.path for item in found] == paths
    assert [item.id for item in found] == [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]
    assert {(item.width, item.height, item.outputs) for item in found} == {(64, 48, ((64, 48), "RGB"))}


def test_bad_files_cost_nothing_else(tmp_path):
    paths = colours.write_photos(tmp_path, each=2)
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    paths.insert(4, tmp_path / "missing.png")
    found = list(load(paths, [size_of], workers=2, ahead=3))
    assert [type(item) for item in found] == [Loaded, Loaded, BadFile, Loaded, BadFile, Loaded, Loaded]
    assert found[4] == BadFile(str(tmp_path / "missing.png"), "no such file")


def test_what_preparing_cannot_take_is_a_bad_file_with_the_reason(tmp_path):
    def fussy(image):
        raise ValueError("too\nsmall")

    (bad,) = load(colours.write_photos(tmp_path, each=1, colours=["red"]), [fussy])
    assert bad.reason == "cannot be prepared for the model: ValueError: too small"


def test_known_content_is_not_decoded(tmp_path):
    paths = colours.write_photos(tmp_path, each=1)
    first = hashlib.sha256(paths[0].read_bytes()).hexdigest()
    found = list(load(paths, [size_of], skip=lambda name: name == first))
    assert (found[0].id, found[0].outputs) == (first, None)
    assert found[1].outputs is not None


@pytest.mark.parametrize("ahead", [1, 4])
def test_loaders_stay_within_their_bound(tmp_path, ahead):
    paths = colours.write_photos(tmp_path, each=20)
    begun = []
    lock = threading.Lock()

    def count(image):
        with lock:
            begun.append(1)

    loading = load(paths, [count], workers=4, ahead=ahead)
    for given in range(1, 11):
        next(loading)
        time.sleep(0.005)
        assert len(begun) <= given + ahead
    loading.close()
    time.sleep(0.05)
    assert len(begun) <= 10 + ahead


def test_no_paths():
    assert list(load([], [size_of])) == []
