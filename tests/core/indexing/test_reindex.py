"""Another image tower into a new version, beside the one that is searched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import colours
import numpy as np
import pytest

from aesalign_core import versions
from aesalign_core.errors import GalleryError, PluginError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing import switching
from aesalign_core.indexing.index import index
from aesalign_core.indexing.reindex import reindex
from aesalign_core.recipe import Use

REWARDS = ("brightness", "contrast", "blend")


def stretched(by: float = 3.0, **recipe):
    """A builder of another image tower, which names no rewards."""
    build = colours.builder(encoder=Use(use="colours", stretch=by), **recipe)
    unnamed = build.recipe.model_fields_set - {"rewards"}
    build.recipe = type(build.recipe)(**{name: getattr(build.recipe, name) for name in unnamed})
    return build


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    colours.write_photos(folder, each=8)
    return folder


@pytest.fixture
def place(photos, tmp_path):
    index(photos, tmp_path / "gallery", colours.builder(*REWARDS))
    return tmp_path / "gallery"


def vectors_by_id(gallery):
    return dict(zip(gallery.ids(), gallery.vectors(), strict=True))


def scores_by_id(gallery, name):
    return dict(zip(gallery.ids(), gallery.scores(name).tolist(), strict=True))


def count_photos(monkeypatch):
    """How many photos go through an image tower."""
    seen = []
    original = colours.ColourEncoder.pixel_features

    def counting(self, pixels):
        seen.extend(pixels)
        return original(self, pixels)

    monkeypatch.setattr(colours.ColourEncoder, "pixel_features", counting)
    return seen


def test_the_new_version_holds_what_the_new_tower_says_and_the_scores_of_the_old(place, monkeypatch):
    before = Gallery.open(place, colours.builder())
    old = vectors_by_id(before)

    def refuse(*args):
        raise AssertionError("scored again")

    for name in ("score_vectors", "score_pixels"):
        monkeypatch.setattr(colours.BrightnessReward, name, refuse)
    build = stretched()
    report = reindex(place, build, batch_size=5)
    assert (report.before, report.version, report.photos, report.added) == (1, 2, 24, 24)
    assert report.switched
    assert report.copied == dict.fromkeys(REWARDS, 24)
    assert not report.left_out
    after = Gallery.open(place, build)
    after.check_encoder(build.encoder())
    pictures = dict(zip(after.ids(), after.paths(), strict=True))
    from PIL import Image

    expected = build.encoder().encode_pixels([build.encoder().preprocess(Image.open(p)) for p in pictures.values()])
    found = np.array([vectors_by_id(after)[name] for name in pictures])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(found, np.array([old[name] for name in pictures]), atol=1e-2)
    for name in REWARDS:
        assert scores_by_id(after, name) == scores_by_id(before, name)
    assert after.reward_fingerprints == before.reward_fingerprints
    # Whoever had the old one open still has it, and it can be opened by its number.
    assert vectors_by_id(before).keys() == old.keys()
    first = Gallery.open(f"{place}@1", build)
    np.testing.assert_array_equal(np.array(list(vectors_by_id(first).values())), np.array(list(old.values())))


def test_photos_go_into_the_version_in_use(place, photos):
    reindex(place, stretched())
    colours.paint(photos / "white-0.png", "white", seed=99)
    report = index(photos, place, colours.builder(*REWARDS, encoder=Use(use="colours", stretch=3.0)), workers=1)
    assert (report.added, report.unchanged) == (1, 24)
    assert (len(Gallery.open(place, colours.builder())), len(Gallery.open(f"{place}@1", colours.builder()))) == (
        25,
        24,
    )


@pytest.mark.parametrize("stop_after", [0, 1, 9, 23])
def test_a_run_that_was_stopped_goes_on(place, stop_after, monkeypatch):
    seen = count_photos(monkeypatch)

    def stop(done, total):
        if done > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex(place, stretched(), batch_size=4, progress=stop)
    assert Gallery.open(place, colours.builder()).encoder_name == "colours"
    assert versions.read(place).current == 1
    embedded = len(seen)
    report = reindex(place, stretched(), batch_size=4)
    assert (report.version, report.switched) == (2, True)
    assert len(seen) == 24 + embedded % 4  # what was written is not embedded again
    assert len(Gallery.open(place, colours.builder())) == 24


@pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")
def test_a_run_that_was_killed_goes_on(place):
    code = f"""
import sys, time
sys.path[:0] = {[p for p in sys.path if p]!r}
from test_reindex import stretched
from aesalign_core.indexing import pending
from aesalign_core.indexing.reindex import reindex
pending.SECONDS = 0  # each batch is written
def told(done, total):
    print(done, flush=True)
    time.sleep(0.05)
reindex({str(place)!r}, stretched(), batch_size=2, progress=told)
"""
    folder = __file__.rpartition("/")[0]
    started = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n{code}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    for line in started.stdout:
        if int(line) == 12:
            started.send_signal(signal.SIGKILL)
            break
    started.stdout.close()
    assert started.wait() == -signal.SIGKILL
    assert versions.read(place).current == 1
    report = reindex(place, stretched())
    assert report.switched
    assert 0 < report.added < 24
    assert len(Gallery.open(place, colours.builder())) == 24


def test_what_happens_to_the_gallery_meanwhile_is_followed(place, photos):
    happened = []

    def meanwhile(done, total):
        if done >= 8 and not happened:
            happened.append(True)
            colours.paint(photos / "new-0.png", "cyan", seed=77)
            (photos / "red-0.png").rename(photos / "red-0-moved.png")
            (photos / "blue-0.png").unlink()
            index(photos, place, colours.builder(*REWARDS), prune=True)

    report = reindex(place, stretched(), batch_size=4, workers=1, progress=meanwhile)
    assert happened
    assert report.switched
    old, new = (Gallery.open(f"{place}@{number}", colours.builder()) for number in (1, 2))
    assert dict(zip(new.ids(), new.paths(), strict=True)) == dict(zip(old.ids(), old.paths(), strict=True))
    assert any(path.endswith("new-0.png") for path in new.paths())
    for name in REWARDS:
        assert scores_by_id(new, name) == scores_by_id(old, name)


def test_a_photo_that_is_moved_before_it_was_read_is_followed(place, photos):
    last = Path(Gallery.open(place, colours.builder()).paths()[-1])
    happened = []

    def meanwhile(done, total):
        if not happened:  # four of 24 are done, and loaders are at most three batches of four ahead
            happened.append(done)
            last.rename(last.with_name("moved.png"))
            index(photos, place, colours.builder(*REWARDS), prune=True)

    report = reindex(place, stretched(), batch_size=4, workers=1, progress=meanwhile)
    assert happened[0] <= 4
    assert (report.switched, report.left_out) == (True, [])
    paths = Gallery.open(place, stretched()).paths()
    assert len(paths) == 24
    assert str(last.with_name("moved.png")) in paths


def test_nothing_is_lost_by_a_switch(place, photos):
    (photos / "red-3.png").unlink()
    with pytest.raises(GalleryError, match=r"version 2 lacks 1 of 24 photos, such as .*red-3\.png.*stays in use"):
        reindex(place, stretched())
    assert versions.read(place).current == 1
    report = reindex(place, stretched(), leave_out=True)
    assert (report.added, report.switched, [bad.path for bad in report.left_out]) == (
        0, True, [str(photos / "red-3.png")]
    )  # fmt: skip
    assert len(Gallery.open(place, colours.builder())) == 23


def test_a_reward_that_is_named_and_new_is_scored(place):
    named = colours.builder("brightness", "dimness", encoder=Use(use="colours", stretch=3.0))
    report = reindex(place, named)
    assert report.copied == dict.fromkeys(REWARDS, 24)
    after = Gallery.open(place, named)
    np.testing.assert_allclose(after.scores("dimness"), -after.scores("brightness"))


def test_the_same_tower_has_nothing_to_do(place):
    report = reindex(place, colours.builder())
    assert (report.version, report.added, report.switched) == (1, 0, False)
    assert not (place / versions.CURRENT).exists()


def test_versions_can_be_tried_listed_gone_back_to_and_deleted(place):
    build = stretched()
    tried = reindex(place, build, switch=False)
    assert not tried.switched
    assert [(v.number, v.state, v.photos) for v in switching.listing(place, build)] == [
        (1, "in use", 24), (2, "beside", 24)
    ]  # fmt: skip
    assert Gallery.open(f"{place}@2", build).space == build.encoder().spaces.image
    assert reindex(place, build).added == 0
    other = stretched(5.0)
    assert reindex(place, other).version == 3
    assert [v.state for v in switching.listing(place, build)] == ["before", "before", "in use"]
    assert switching.rollback(place, build) == 2
    assert switching.rollback(place, build) == 1
    with pytest.raises(GalleryError, match=r"no version of .* was in use before"):
        switching.rollback(place, build)
    with pytest.raises(GalleryError, match=r"version 1 of .* is in use"):
        switching.delete(place, 1, build)
    switching.delete(place, 3, build)
    assert not (place / "versions" / "3").exists()
    assert reindex(place, build).version == 2
    switching.delete(place, 1, build)
    assert not (place / "photos.lance").exists()
    assert len(Gallery.open(place, build)) == 24
    assert reindex(place, other).version == 4, "a deleted version's number is not given again"
    for wrong in (1, 3, 9):
        with pytest.raises(GalleryError, match=f"has no version {wrong}"):
            Gallery.open(f"{place}@{wrong}", build)
    switching.delete(place, 2, build)
    with pytest.raises(GalleryError):
        switching.rollback(place, build)


def test_a_rollback_to_a_store_that_is_gone_changes_nothing(place):
    import shutil

    reindex(place, stretched())
    shutil.rmtree(place / "photos.lance")
    with pytest.raises(GalleryError, match=r"version 1 of .* is gone"):
        switching.rollback(place, stretched())
    assert versions.read(place).current == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"current": 7}', '{"current": 0}', '{"known": [1], "before": [3]}', '{"odd": 1}']
)
def test_a_damaged_record_is_one_clear_error(place, text):
    (place / versions.CURRENT).write_text(text)
    for ask in (lambda: Gallery.open(place, colours.builder()), lambda: reindex(place, stretched())):
        with pytest.raises(GalleryError, match=r"current\.json, which says .* is damaged"):
            ask()


def test_a_gallery_that_is_missing_is_not_made(tmp_path):
    for ask in (reindex, switching.listing):
        with pytest.raises(GalleryError, match="there is no gallery at"):
            ask(tmp_path / "none", stretched())
    assert not (tmp_path / "none").exists()


def test_the_old_version_being_written_keeps_it_in_use(place):
    with (
        colours.builder().retriever(place).writing(),
        pytest.raises(GalleryError, match="another process is writing"),
    ):
        reindex(place, stretched())
    assert versions.read(place).current == 1
    assert reindex(place, stretched()).added == 0


def test_photos_are_not_added_to_a_version_that_went_out_of_use_meanwhile(place, photos, monkeypatch):
    reindex(place, stretched(), switch=False)
    colours.paint(photos / "late.png", "white", seed=99)
    build = colours.builder(*REWARDS)
    original = build.retriever

    def slow(location):
        found = original(location)
        versions.write(place, versions.read(place).using(2))
        return found

    monkeypatch.setattr(build, "retriever", slow)
    with pytest.raises(GalleryError, match="has another version in use now"):
        index(photos, place, build)
    assert len(Gallery.open(f"{place}@1", colours.builder())) == 24


def test_nobody_writes_the_old_version_while_it_is_switched(place, monkeypatch):
    refused = []
    original = versions.write

    def watched(gallery, known):
        if known.current == 2:
            with pytest.raises(GalleryError, match="another process is writing"):
                index(place.parent / "photos", f"{place}@1", colours.builder(*REWARDS))
            refused.append(True)
        original(gallery, known)

    monkeypatch.setattr(versions, "write", watched)
    assert reindex(place, stretched()).switched
    assert refused


def test_a_retriever_that_cannot_remove_a_store_says_so(place, monkeypatch):
    class WithoutDrop:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            if name == "drop":
                raise AttributeError(name)
            return getattr(self.inner, name)

    build = stretched()
    reindex(place, build)
    original = build.retriever
    monkeypatch.setattr(build, "retriever", lambda location: WithoutDrop(original(location)))
    with pytest.raises(PluginError, match="cannot remove a store"):
        switching.delete(place, 1, build)
    assert versions.read(place).known == (1, 2)


def test_the_record_is_json_that_people_can_read(place):
    reindex(place, stretched())
    assert json.loads((place / versions.CURRENT).read_text()) == {
        "current": 2, "known": [1, 2], "before": [1], "highest": 2
    }  # fmt: skip
