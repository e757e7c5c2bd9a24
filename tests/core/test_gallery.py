"""Galleries as readers see them."""

from __future__ import annotations

import colours
import numpy as np
import pyarrow as pa
import pytest

from aesalign_core.errors import GalleryError, QueryError, SpaceMismatchError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.recipe import Use

REWARDS = ("brightness", "contrast")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    root = tmp_path_factory.mktemp("filled")
    colours.write_photos(root / "photos", each=5)
    builder = colours.builder(*REWARDS)
    index(root / "photos", root / "gallery", builder)
    return root / "gallery", builder


@pytest.fixture
def gallery(filled):
    return Gallery.open(*filled)


def test_it_says_what_it_is(gallery):
    encoder = colours.ColourEncoder()
    assert (len(gallery), gallery.rewards, gallery.encoder_name) == (15, list(REWARDS), "colours")
    assert (gallery.space, gallery.dim) == (encoder.spaces.image, encoder.dim)
    assert gallery.reward_fingerprints["contrast"] == colours.ContrastReward.fingerprint


def test_whole_and_partial_answers_agree(gallery):
    ids = gallery.ids()
    chosen = [ids[7], ids[0], ids[7]]
    assert gallery.paths(chosen) == [gallery.paths()[i] for i in (7, 0, 7)]
    np.testing.assert_array_equal(gallery.vectors(chosen), gallery.vectors()[[7, 0, 7]])
    np.testing.assert_array_equal(gallery.scores("contrast", chosen), gallery.scores("contrast")[[7, 0, 7]])
    assert gallery.vectors().shape == (15, colours.DIM)
    assert (gallery.vectors([]).shape, gallery.paths([]), gallery.scores("contrast", []).shape) == (
        (0, colours.DIM), [], (0,),
    )  # fmt: skip
    assert sum(batch.num_rows for batch in gallery.scan(["id", "width"])) == 15


def test_statistics_are_those_of_the_column(gallery):
    values = gallery.scores("brightness").astype(float)
    assert gallery.statistics("brightness") == pytest.approx((values.mean(), values.std()))


def test_statistics_leave_missing_scores_out(tmp_path):
    builder = colours.builder("brightness")
    colours.write_photos(tmp_path / "p", each=2)
    index(tmp_path / "p", tmp_path / "g", builder)
    store = builder.retriever(tmp_path / "g")
    ids = Gallery.open(tmp_path / "g", builder).ids()
    values = np.array([1, 3, np.nan, np.nan, np.nan, np.nan], np.float32)
    store.set_column("brightness", ids, values)
    assert Gallery.open(tmp_path / "g", builder).statistics("brightness") == (2.0, 1.0)
    store.set_column("brightness", ids, np.full(6, np.nan, np.float32))
    assert Gallery.open(tmp_path / "g", builder).statistics("brightness") == (0.0, 1.0)


def test_searching_finds_the_colour_and_brings_rewards(gallery):
    vectors = colours.ColourEncoder().encode_texts(["a red photo", "blue"])
    red, blue = gallery.search(vectors, 5, rewards=["brightness"])
    assert all("red" in m.path for m in red)
    assert all("blue" in m.path for m in blue)
    assert all(m.rewards.keys() == {"brightness"} for m in red)
    brighter = gallery.search(vectors, 15, rewards=["brightness"], where="brightness > -0.2")[0]
    assert brighter
    assert all(m.rewards["brightness"] > -0.2 for m in brighter)


def test_the_default_reward(gallery):
    assert (gallery.default_reward(), gallery.default_reward("contrast")) == ("brightness", "contrast")
    with pytest.raises(QueryError, match=r"no reward 'contrasts'.*did you mean 'contrast'"):
        gallery.default_reward("contrasts")


def test_a_gallery_without_rewards_says_how_to_get_one(tmp_path):
    builder = colours.builder(rewards=())
    colours.write_photos(tmp_path / "p", each=1)
    index(tmp_path / "p", tmp_path / "g", builder)
    with pytest.raises(QueryError, match=r"has no rewards.*--reward"):
        Gallery.open(tmp_path / "g", builder).default_reward()


def test_encoders_of_another_space_are_refused(gallery):
    gallery.check_encoder(colours.ColourEncoder())
    other = colours.builder(encoder=Use(use="colours", stretch=3.0)).encoder()
    with pytest.raises(SpaceMismatchError, match=r"filled by the image tower of 'colours'.*--encoder colours"):
        gallery.check_encoder(other)


def test_places_that_hold_no_gallery(tmp_path):
    builder = colours.builder()
    with pytest.raises(GalleryError, match=r"no gallery at .*aesalign index"):
        Gallery.open(tmp_path / "missing", builder)
    store = builder.retriever(tmp_path / "older")
    store.create(dim=3, rewards=[], metadata={"format": "aesalign gallery 0"})
    with pytest.raises(GalleryError, match="of the format 'aesalign gallery 0'"):
        Gallery.open(tmp_path / "older", builder)
    builder.retriever(tmp_path / "bare").create(dim=3, rewards=[], metadata={})
    with pytest.raises(GalleryError, match="is no gallery of aesalign"):
        Gallery.open(tmp_path / "bare", builder)


def test_a_damaged_gallery_is_one_line(tmp_path):
    import lancedb

    lancedb.connect(str(tmp_path / "g")).create_table("photos", data=pa.table({"x": [1]}))
    with pytest.raises(GalleryError) as caught:
        Gallery.open(tmp_path / "g", colours.builder())
    assert "\n" not in str(caught.value)
