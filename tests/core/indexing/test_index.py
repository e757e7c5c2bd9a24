"""Filling galleries: one pass, incremental runs, rewards that come later."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import colours
import numpy as np
import pytest
from PIL import Image

from aesalign_core.errors import GalleryError, SettingsError, SpaceMismatchError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.recipe import Use


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    colours.write_photos(folder, each=4)
    return folder


@pytest.fixture
def place(tmp_path):
    return tmp_path / "gallery"


def contents(place, builder, *rewards):
    gallery = Gallery.open(place, builder)
    ids = sorted(gallery.ids())
    columns = [dict(zip(ids, gallery.scores(r, ids).tolist(), strict=True)) for r in rewards]
    return dict(zip(ids, gallery.paths(ids), strict=True)), *columns


def counts(report):
    names = ("added", "unchanged", "moved", "duplicates", "removed", "vanished")
    return {name: getattr(report, name) for name in names if getattr(report, name)} | (
        {"bad": len(report.bad)} if report.bad else {}
    )


def no_decoding(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("decoded again")

    monkeypatch.setattr("aesalign_core.images.loading.decode_bytes", refuse)


def test_rows_hold_what_the_files_and_models_say(photos, place):
    Image.new("RGB", (30, 20)).save(photos / "sideways.jpg", exif=_turned())
    builder = colours.builder("brightness", "contrast", "redness")
    report = index(photos, place, builder, batch_size=5)
    assert counts(report) == {"added": 13}
    assert report.photos == 13
    encoder, gallery = builder.encoder(), Gallery.open(place, builder)
    table = gallery.retriever.fetch(gallery.ids(), ["id", "path", "width", "height"])
    for row in table.to_pylist():
        assert row["id"] == hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
        assert (row["width"], row["height"]) == ((20, 30) if "sideways" in row["path"] else (64, 48))
    plain = [p for p in gallery.paths() if "sideways" not in p]
    ids = [i for i, p in zip(gallery.ids(), gallery.paths(), strict=True) if p in plain]
    pixels = [encoder.preprocess(Image.open(p)) for p in plain]
    # The one pass through features and head gives what the encoder itself gives ...
    np.testing.assert_allclose(gallery.vectors(ids), encoder.encode_pixels(pixels), atol=1e-5)
    # ... and rewards on features, on embeddings and on pictures give what they give alone.
    for reward in builder.rewards():
        np.testing.assert_allclose(gallery.scores(reward.name, ids), reward.score_pixels(pixels), atol=1e-5)


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_nothing_depends_on_the_batch(photos, place, tmp_path):
    names = ("brightness", "contrast", "redness", "blend")
    builder = colours.builder(*names)
    found = []
    for size in (1, 5, 64):
        index(photos, tmp_path / f"g{size}", builder, batch_size=size)
        found.append(contents(tmp_path / f"g{size}", builder, *names))
    for other in found[1:]:
        assert other[0] == found[0][0]
        for column, first in zip(other[1:], found[0][1:], strict=True):
            assert column == pytest.approx(first, abs=1e-5)


def test_one_forward_serves_encoder_and_rewards(photos, place, monkeypatch):
    calls = []
    original = colours.ColourEncoder.pixel_features
    monkeypatch.setattr(
        colours.ColourEncoder,
        "pixel_features",
        lambda self, pixels: calls.append(len(pixels)) or original(self, pixels),
    )
    index(photos, place, colours.builder("brightness", "redness"), batch_size=12)
    assert calls == [12]


def test_a_second_run_reads_nothing(photos, place, monkeypatch):
    builder = colours.builder("brightness", "blend")
    index(photos, place, builder)
    before = contents(place, builder, "brightness", "blend")
    monkeypatch.setattr("aesalign_core.images.loading.read_bytes", None)
    assert counts(index(photos, place, builder)) == {"unchanged": 12}
    assert contents(place, builder, "brightness", "blend") == before


def test_new_files_only_are_decoded(photos, place, monkeypatch):
    builder = colours.builder()
    index(photos, place, builder)
    colours.paint(photos / "cyan.png", "cyan")
    seen = []
    original = colours.ColourEncoder.preprocess
    monkeypatch.setattr(
        colours.ColourEncoder, "preprocess", lambda self, image: seen.append(image.size) or original(self, image)
    )
    assert counts(index(photos, place, builder)) == {"added": 1, "unchanged": 12}
    assert len(seen) == 1


def test_without_the_manifest_files_are_hashed_but_not_decoded(photos, place, monkeypatch, capsys):
    builder = colours.builder()
    index(photos, place, builder)
    no_decoding(monkeypatch)
    (place / "files.parquet").write_bytes(b"garbage")
    assert counts(index(photos, place, builder)) == {"unchanged": 12}
    assert "files.parquet is damaged" in capsys.readouterr().err
    (place / "files.parquet").unlink()
    assert counts(index(photos, place, builder)) == {"unchanged": 12}


def test_a_touched_file_is_looked_at_but_not_decoded(photos, place, monkeypatch):
    builder = colours.builder()
    index(photos, place, builder)
    os.utime(photos / "red-0.png", (1, 1))
    no_decoding(monkeypatch)
    assert counts(index(photos, place, builder)) == {"unchanged": 12}


def test_moved_files_only_get_their_path(photos, place, monkeypatch):
    builder = colours.builder()
    index(photos, place, builder)
    before, scores = contents(place, builder, "brightness")
    (photos / "sub").mkdir()
    (photos / "red-0.png").rename(photos / "sub" / "renamed.png")
    no_decoding(monkeypatch)
    assert counts(index(photos, place, builder)) == {"unchanged": 11, "moved": 1}
    after, same = contents(place, builder, "brightness")
    assert same == scores
    changed = {before[i]: after[i] for i in before if before[i] != after[i]}
    assert changed == {str(photos / "red-0.png"): str(photos / "sub" / "renamed.png")}


def test_duplicates_are_one_row_and_the_other_copy_takes_over(photos, place):
    builder = colours.builder()
    shutil.copy(photos / "red-0.png", photos / "zcopy.png")
    shutil.copy(photos / "red-0.png", photos / "another.png")
    assert counts(index(photos, place, builder)) == {"added": 12, "duplicates": 2}
    assert counts(index(photos, place, builder)) == {"unchanged": 12, "duplicates": 2}
    (photos / "another.png").unlink()  # first by name, so the row's path
    assert counts(index(photos, place, builder, prune=True)) == {"unchanged": 11, "moved": 1, "duplicates": 1}


def test_vanished_files_stay_until_pruned(photos, place):
    builder = colours.builder()
    index(photos, place, builder)
    (photos / "red-0.png").unlink()
    assert counts(index(photos, place, builder)) == {"unchanged": 11, "vanished": 1}
    assert len(Gallery.open(place, builder)) == 12
    assert counts(index(photos, place, builder, prune=True)) == {"unchanged": 11, "removed": 1}
    assert len(Gallery.open(place, builder)) == 11


def test_a_second_folder_leaves_the_first_alone_even_when_pruning(photos, place, tmp_path):
    builder = colours.builder()
    index(photos, place, builder)
    colours.write_photos(tmp_path / "more", each=2, colours=["cyan"])
    assert counts(index(tmp_path / "more", place, builder, prune=True)) == {"added": 2}
    assert len(Gallery.open(place, builder)) == 14


def test_a_file_that_holds_another_picture_now_replaces_its_row(photos, place):
    builder = colours.builder()
    index(photos, place, builder)
    colours.paint(photos / "red-0.png", "cyan", seed=9)
    assert counts(index(photos, place, builder)) == {"added": 1, "unchanged": 11, "removed": 1}
    assert sorted(contents(place, builder)[0].values()) == sorted(str(p) for p in photos.iterdir())
    # ... but a picture that broke keeps its row: it may be half copied
    (photos / "red-0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert counts(index(photos, place, builder)) == {"unchanged": 11, "bad": 1}
    assert len(Gallery.open(place, builder)) == 12


def test_bad_files_are_told_each_time_and_cost_nothing_else(photos, place):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nope")
    (photos / "empty.png").touch()
    builder = colours.builder()
    for _ in range(2):
        report = index(photos, place, builder)
        assert sorted((b.path, b.reason) for b in report.bad)[1] == (str(photos / "empty.png"), "empty file")
        assert len(report.bad) == 2
    assert report.as_dict()["bad"][0].keys() == {"path", "reason"}


def test_names_that_are_no_text(photos, place):
    shutil.copy(photos / "red-0.png", os.fsdecode(os.fsencode(photos) + b"/\xff.png"))
    report = index(photos, place, colours.builder())
    assert [b.reason for b in report.bad] == ["its name is not valid UTF-8"]
    report.bad[0].path.encode()


def test_only_bad_files_make_an_empty_gallery(tmp_path, place):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x.jpg").write_bytes(b"x")
    builder = colours.builder("brightness", "blend")
    assert counts(index(tmp_path / "p", place, builder)) == {"bad": 1}
    assert len(Gallery.open(place, builder)) == 0


def test_lists_and_paths_are_sources_too(photos, place, tmp_path):
    builder = colours.builder()
    (tmp_path / "list.txt").write_text("photos/red-0.png\nphotos/missing.png\n")
    assert counts(index(tmp_path / "list.txt", place, builder)) == {"added": 1, "bad": 1}
    assert counts(index([photos / "red-0.png", photos / "red-1.png"], place, builder)) == {"added": 1, "unchanged": 1}


def test_no_photos_make_no_gallery(tmp_path, place):
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "missing", []):
        with pytest.raises(GalleryError, match=r"no photos|no such file"):
            index(source, place, colours.builder())
    assert not place.exists()


def test_progress_rises_to_the_whole(photos, place):
    calls = []
    (photos / "bad.jpg").write_bytes(b"x")
    index(photos, place, colours.builder(), batch_size=4, progress=lambda *c: calls.append(c))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (13, 13)
    calls.clear()
    index(photos, place, colours.builder("brightness", "contrast"), progress=lambda *c: calls.append(c))
    assert calls[-1] == (25, 25)  # 13 looked at, 12 read again for the new reward


def test_another_encoder_is_refused_before_anything_is_written(photos, place):
    builder = colours.builder()
    index(photos, place, builder)
    other = colours.builder(encoder=Use(use="colours", stretch=2.0))
    colours.paint(photos / "cyan.png", "cyan")
    with pytest.raises(SpaceMismatchError, match=r"was filled by the image tower of 'colours'.*--encoder colours"):
        index(photos, place, other)
    assert len(Gallery.open(place, builder)) == 12


def test_an_encoder_with_another_text_head_may_go_on(photos, place, monkeypatch):
    builder = colours.builder()
    index(photos, place, builder)
    tuned = builder.encoder().with_heads(
        name="run", text={k: v * 2 for k, v in builder.encoder().text_head().state_dict().items()}
    )
    monkeypatch.setattr(builder, "encoder", lambda spec=None: tuned)
    assert counts(index(photos, place, builder)) == {"unchanged": 12}


def test_a_new_reward_on_embeddings_reads_no_file(photos, place, monkeypatch):
    index(photos, place, colours.builder())
    no_decoding(monkeypatch)
    builder = colours.builder("brightness", "redness")
    assert index(photos, place, builder).rescored == {"redness": 12}
    gallery = Gallery.open(place, builder)
    np.testing.assert_allclose(gallery.scores("redness"), gallery.vectors()[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", ["contrast", "brightness"])
def test_a_new_reward_on_pictures_or_features_reads_those_that_lack_it(photos, place, name):
    index(photos, place, colours.builder("redness"))
    (photos / "red-0.png").unlink()  # vanished: it cannot be scored
    colours.paint(photos / "red-1.png", "cyan", seed=5)  # replaced
    builder = colours.builder("redness", name)
    report = index(photos, place, builder)
    assert counts(report) == {"added": 1, "unchanged": 10, "removed": 1, "vanished": 1}
    assert report.rescored == {name: 10}
    gallery = Gallery.open(place, builder)
    scores = dict(zip(gallery.paths(), gallery.scores(name), strict=True))
    reward = builder.rewards()[1]
    assert np.isnan(scores.pop(str(photos / "red-0.png")))
    expected = {p: reward.score_pixels([reward.preprocess(Image.open(p))])[0] for p in scores}
    assert scores == pytest.approx(expected, abs=1e-6)


def test_photos_unreadable_for_a_new_reward_are_told(photos, place, tmp_path):
    index(photos, place, colours.builder("redness"))
    (photos / "red-0.png").write_bytes(b"broken")
    colours.write_photos(tmp_path / "more", each=1, colours=["cyan"])
    report = index(tmp_path / "more", place, colours.builder("redness", "contrast"))
    assert [(b.path, b.reason[:11]) for b in report.bad] == [(str(photos / "red-0.png"), "not an imag")]
    assert report.rescored == {"contrast": 11}


def test_a_changed_reward_is_computed_anew_saying_so(photos, place, monkeypatch, capsys):
    index(photos, place, colours.builder("redness", "blend"))
    before = contents(place, colours.builder(), "redness", "brightness")
    monkeypatch.setattr(colours.RednessReward, "fingerprint", "another")
    monkeypatch.setattr(colours.RednessReward, "score_vectors", lambda self, v: -v[:, 0])
    builder = colours.builder("redness", "blend")
    assert index(photos, place, builder).rescored == {"redness": 12}
    assert "reward 'redness' has changed" in capsys.readouterr().err
    _, redness, brightness = contents(place, builder, "redness", "brightness")
    assert redness == pytest.approx({k: -v for k, v in before[1].items()})
    assert brightness == before[2]
    assert Gallery.open(place, builder).reward_fingerprints["redness"] == "another"


def test_rewards_that_are_not_asked_for_are_told(photos, place, capsys):
    index(photos, place, colours.builder("brightness", "redness"))
    colours.paint(photos / "cyan.png", "cyan")
    index(photos, place, colours.builder("brightness"))
    assert "new photos get no 'redness'" in capsys.readouterr().err
    assert np.isnan(Gallery.open(place, colours.builder()).scores("redness")).sum() == 1
    assert index(photos, place, colours.builder("redness")).rescored == {"redness": 1}


def test_combined_rewards_keep_their_statistics_until_refitted(photos, place):
    builder = colours.builder("blend")
    index(photos, place, builder)
    before, blend = contents(place, builder, "blend")
    assert np.mean(list(blend.values())) == pytest.approx(0, abs=1e-4)  # each member standardised over the gallery
    colours.paint(photos / "white.png", "white")
    report = index(photos, place, builder)
    assert report.rescored == {"blend": 1}
    _, later = contents(place, builder, "blend")
    assert {i: later[i] for i in before} == blend
    assert index(photos, place, builder, refit=True).rescored == {"blend": 13}
    _, refitted = contents(place, builder, "blend")
    assert np.mean(list(refitted.values())) == pytest.approx(0, abs=1e-4)
    # By hand: the mean of both members' standard scores.
    gallery = Gallery.open(place, builder)
    members = [gallery.scores(n).astype(float) for n in ("brightness", "contrast")]
    by_hand = sum((m - m.mean()) / m.std() for m in members) / 2
    np.testing.assert_allclose(gallery.scores("blend"), by_hand, atol=1e-5)


def test_two_rewards_of_one_name_are_refused(photos, place, monkeypatch):
    builder = colours.builder("brightness", "contrast")
    monkeypatch.setattr(colours.ContrastReward, "name", "brightness")
    with pytest.raises(SettingsError, match=r"two different rewards are named 'brightness'"):
        index(photos, place, builder)
    assert not place.exists()


def test_the_index_is_built_when_asked_for(tmp_path, place):
    colours.write_photos(tmp_path / "many", each=100)
    builder = colours.builder(retriever=Use(use="lancedb", index="ivf", partitions=4))
    assert index(tmp_path / "many", place, builder).index == "IVF_FLAT index of 4 partitions over 300 photos"
    found = Gallery.open(place, builder).search(builder.encoder().encode_texts(["red"]), 10)
    assert all("red" in m.path for m in found[0])
