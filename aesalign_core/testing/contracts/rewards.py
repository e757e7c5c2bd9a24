"""The contracts of rewards."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import SpaceMismatchError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry
from aesalign_core.protocols import CombinedReward, Reward, TrainableEncoder
from aesalign_core.recipe import Recipe
from aesalign_core.testing.contracts.base import ComponentContract, Make
from aesalign_core.testing.contracts.pixels import PixelsContract
from aesalign_core.types import Scores, Vectors

_COLUMN = re.compile(r"[a-z][a-z0-9_]*\Z")


class RewardContract(PixelsContract):
    """What a `protocols.Reward` must do.

    A reward that reads vectors is given those of the recipe's encoder; where it reads another space, override
    `vectors`.
    """

    kind: ClassVar[Kind] = "reward"

    @pytest.fixture
    def vectors(
        self, built: Reward, pictures: list[Image.Image], recipe: Recipe, plugins: Registry
    ) -> Vectors | None:
        """(n, d) vectors of the pictures in the reward's space; None if it reads pictures only."""
        if built.space is None:
            return None
        encoder = Builder(recipe, found=plugins).encoder()
        pixels = [encoder.preprocess(picture) for picture in pictures]
        if built.space == encoder.spaces.image:
            return encoder.encode_pixels(pixels)
        if isinstance(encoder, TrainableEncoder) and built.space == encoder.spaces.image_features:
            return encoder.pixel_features(pixels)
        pytest.fail("the reward reads a space that is not the recipe's encoder's: override the fixture `vectors`")

    def exercise(self, built: Reward) -> object:
        """Scores two pictures."""
        return built.score_pixels([built.preprocess(Image.new("RGB", (8, 8), c)) for c in ("red", "navy")])

    def _scored(self, built: Reward, pictures: list[Image.Image]) -> Scores:
        return built.score_pixels([built.preprocess(picture) for picture in pictures])

    def test_it_can_be_a_column(self, built: Reward) -> None:
        """Its name is one, and its fingerprint says what filled it."""
        assert _COLUMN.match(built.name), f"{built.name!r} is no name of a column"
        assert built.fingerprint
        assert built.space != ""

    def test_scores_are_float32_and_finite(self, built: Reward, pictures: list[Image.Image]) -> None:
        """(n,), whatever the pictures' sizes."""
        scores = self._scored(built, pictures)
        assert isinstance(scores, np.ndarray)
        assert scores.dtype == np.float32
        assert scores.shape == (len(pictures),)
        assert np.isfinite(scores).all()
        assert len(set(scores.tolist())) > 1, "it gives every picture the same score"

    def test_a_score_depends_on_its_picture_alone(self, built: Reward, pictures: list[Image.Image]) -> None:
        """Not on its place, nor on what else is in the batch."""
        together = self._scored(built, pictures)
        backwards = self._scored(built, pictures[::-1])[::-1]
        alone = np.concatenate([self._scored(built, [picture]) for picture in pictures])
        np.testing.assert_allclose(backwards, together, atol=self.tolerance, err_msg="the order was not kept")
        np.testing.assert_allclose(alone, together, atol=self.tolerance, err_msg="scores depend on their batch")

    def test_no_pictures_no_scores(self, built: Reward, vectors: Vectors | None) -> None:
        """(0,) float32."""
        none = [built.score_pixels([])] + ([] if vectors is None else [built.score_vectors(vectors[:0])])
        for scores in none:
            assert scores.shape == (0,)
            assert scores.dtype == np.float32

    def test_built_twice_it_says_the_same(self, make: Make, pictures: list[Image.Image]) -> None:
        """Equal settings, equal fingerprints, equal scores."""
        one, other = make(), make()
        assert one.fingerprint == other.fingerprint
        np.testing.assert_allclose(self._scored(one, pictures), self._scored(other, pictures), atol=self.tolerance)

    def test_vectors_score_as_their_pictures_do(
        self, built: Reward, pictures: list[Image.Image], vectors: Vectors | None
    ) -> None:
        """An index scores the vectors that it has computed anyway; a reward without a space refuses any."""
        if vectors is None:
            with pytest.raises(SpaceMismatchError):
                built.score_vectors(np.zeros((1, 8), np.float32))
            return
        scores = built.score_vectors(vectors)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, self._scored(built, pictures), atol=self.tolerance)
        backwards = built.score_vectors(np.ascontiguousarray(vectors[::-1]))[::-1]
        np.testing.assert_allclose(backwards, scores, atol=self.tolerance)


class CombinedRewardContract(ComponentContract):
    """What a `protocols.CombinedReward` must do."""

    kind: ClassVar[Kind] = "reward"
    photos: ClassVar[int] = 40

    @pytest.fixture
    def columns(self, built: CombinedReward) -> dict[str, Scores]:
        """Made-up scores of the members, of a whole gallery."""
        return self._columns(built)

    def _columns(self, built: CombinedReward) -> dict[str, Scores]:
        rng = np.random.default_rng(0)
        return {m.name: rng.normal(3, 2, self.photos).astype(np.float32) for m in built.members}

    def exercise(self, built: CombinedReward) -> object:
        """Fits and combines."""
        columns = self._columns(built)
        return built.combine(columns, built.fit(columns))

    def test_it_can_be_a_column(self, built: CombinedReward) -> None:
        """Its name is one, its members' are others."""
        assert _COLUMN.match(built.name), f"{built.name!r} is no name of a column"
        assert built.fingerprint
        assert built.members
        names = [member.name for member in built.members]
        assert len({built.name, *names}) == len(names) + 1, "two columns of one name"

    def test_what_it_must_know_is_plain_json(self, built: CombinedReward, columns: dict[str, Scores]) -> None:
        """A gallery keeps it as text, and scores of later photos are computed from that."""
        known = built.fit(columns)
        kept: dict[str, Any] = json.loads(json.dumps(known, allow_nan=False))
        assert np.array_equal(built.combine(columns, kept), built.combine(columns, known))

    def test_scores_do_not_depend_on_their_batch(self, built: CombinedReward, columns: dict[str, Scores]) -> None:
        """Only on the gallery's statistics."""
        known = built.fit(columns)
        scores = built.combine(columns, known)
        assert scores.dtype == np.float32
        assert scores.shape == (self.photos,)
        assert np.isfinite(scores).all()
        parts = [
            built.combine({n: c[at : at + 7] for n, c in columns.items()}, known) for at in range(0, self.photos, 7)
        ]
        np.testing.assert_allclose(np.concatenate(parts), scores, atol=self.tolerance)
        assert built.combine({n: c[:0] for n, c in columns.items()}, known).shape == (0,)

    def test_built_twice_it_says_the_same(self, make: Make, columns: dict[str, Scores]) -> None:
        """Equal settings, equal fingerprints, equal scores."""
        one, other = make(), make()
        assert one.fingerprint == other.fingerprint
        assert np.array_equal(one.combine(columns, one.fit(columns)), other.combine(columns, other.fit(columns)))
