"""Where galleries are: folders, and places in object stores."""

from __future__ import annotations

from pathlib import Path, PurePath

import colours
import object_store
import pytest

from aesalign_core.errors import GalleryError, PluginError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing import switching
from aesalign_core.indexing.index import index
from aesalign_core.indexing.reindex import reindex
from aesalign_core.locations import StoreUri, delete, locate, read_bytes, write_bytes
from aesalign_core.recipe import Use


@pytest.fixture(scope="module")
def environment():
    with object_store.served() as found:
        yield found


@pytest.fixture
def bucket(environment, monkeypatch, request):
    """A place of this test's own."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return StoreUri(f"s3://{object_store.BUCKET}/{abs(hash(request.node.name))}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("S3:///bucket//a", "s3://bucket/a"),
        ("gs://bucket", "gs://bucket"),
        # What `Path` makes of a URI.
        (Path("s3://bucket/a"), "s3://bucket/a"),
    ],
)
def test_a_uri_stays_what_it_is(text, expected):
    found = locate(text)
    assert isinstance(found, StoreUri)
    assert str(found) == expected
    assert locate(found) is found
    below = found / "versions" / "2"
    assert (str(below), below.name, str(below.parent.parent)) == (f"{expected}/versions/2", "2", expected)


@pytest.mark.parametrize("text", ["gallery", "/a/b", "./a", "a:b", "C:\\photos", "gallery@2"])
def test_anything_else_is_a_path(text):
    assert locate(text) == Path(text)
    assert isinstance(locate(PurePath(text)), Path)


@pytest.mark.parametrize("text", ["ftp://bucket/a", "http://bucket/a", "s3://", "s3:///", "s3://bucket/../b"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(GalleryError):
        locate(text)


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_small_files(where, tmp_path, bucket):
    place = bucket if where == "bucket" else tmp_path
    file = place / "below" / "file"
    assert read_bytes(file, limit=10) is None
    for data in (b"one", b"another", b""):
        write_bytes(file, data)
        assert read_bytes(file, limit=7) == data
    write_bytes(file, b"too large")
    with pytest.raises(GalleryError, match="larger than 7 bytes"):
        read_bytes(file, limit=7)
    delete(file)
    delete(file)
    assert read_bytes(file, limit=10) is None
    write_bytes(file, b"again")
    delete(place / "below")
    assert read_bytes(file, limit=10) is None


def test_a_gallery_in_an_object_store_holds_what_one_in_a_folder_does(bucket, tmp_path, capfd):
    photos = tmp_path / "photos"
    colours.write_photos(photos, each=6)
    (photos / "broken.jpg").write_bytes(b"no picture")
    build = colours.builder("brightness", "contrast", "blend")
    for round_ in range(3):
        told = [index(photos, place, build, batch_size=4).as_dict() for place in (tmp_path / "gallery", bucket)]
        for report in told:
            del report["gallery"], report["seconds"]
        assert told[0] == told[1]
        assert (told[1]["added"], len(told[1]["bad"])) == ([18, 1, 0][round_], 1)
        colours.paint(photos / "late.png", "white", seed=50)
    here, there = (Gallery.open(place, build) for place in (tmp_path / "gallery", str(bucket)))
    ids = sorted(here.ids())
    assert sorted(there.ids()) == ids
    assert (there.vectors(ids) == here.vectors(ids)).all()
    for reward in here.rewards:
        assert (there.scores(reward, ids) == here.scores(reward, ids)).all()
    asked = build.encoder().encode_texts(["a red photo", "blue"])
    assert there.search(asked, 5, rewards=["brightness"]) == here.search(asked, 5, rewards=["brightness"])
    assert "has no lock, as no object store has" in capfd.readouterr().err


def test_versions_in_an_object_store(bucket, tmp_path):
    photos = tmp_path / "photos"
    colours.write_photos(photos, each=4)
    index(photos, bucket, colours.builder())
    build = colours.builder(encoder=Use(use="colours", stretch=3.0))
    report = reindex(bucket, build)
    assert (report.version, report.added, report.copied, report.switched) == (2, 12, {"brightness": 12}, True)
    assert Gallery.open(bucket, build).space == build.encoder().spaces.image
    assert Gallery.open(f"{bucket}@1", build).space != build.encoder().spaces.image
    assert switching.rollback(bucket, build) == 1
    switching.delete(bucket, 2, build)
    assert [(v.number, v.photos) for v in switching.listing(bucket, build)] == [(1, 12)]


def test_a_store_that_cannot_be_used_is_one_clear_line(bucket, monkeypatch):
    build = colours.builder()
    with pytest.raises(GalleryError, match="there is no gallery at s3://"):
        Gallery.open(bucket, build)
    with pytest.raises(GalleryError, match="there is no such bucket"):
        Gallery.open("s3://nowhere/gallery", build)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(GalleryError, match="the store cannot be reached"):
        Gallery.open(bucket, build)


def test_a_retriever_that_knows_no_object_stores_is_not_given_one(bucket, monkeypatch):
    from aesalign_lancedb.retriever import LanceRetriever

    monkeypatch.delattr(LanceRetriever, "object_stores")
    with pytest.raises(PluginError, match="keeps no galleries in object stores"):
        Gallery.open(bucket, colours.builder())
