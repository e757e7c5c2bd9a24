"""The contracts of rewards."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import SpaceMismatchError
from aesalign_core.hookspecs import Kind
from aesalign_core.plugins import Registry
from aesalign_core.protocols import CombinedReward, Reward, TrainableEncoder
from aesalign_core.recipe import Recipe
from aesalign_core.testing.contracts.arrays import check_each_for_itself, check_finite, check_rows, check_same
from aesalign_core.testing.contracts.base import Make, refuses
from aesalign_core.testing.contracts.fingerprints import Answers, FingerprintContract, Other
from aesalign_core.testing.contracts.pixels import PixelsContract, sizes
from aesalign_core.testing.contracts.stores import FIXED
from aesalign_core.types import Scores, Vectors

_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")


def check_column(name: object) -> None:
    """A name that a gallery can have a column of."""
    assert isinstance(name, str), f"its name is a {type(name).__name__}, not a text"
    assert _COLUMN.match(name), (
        f"{name!r} is no name of a column: use lower-case letters, digits and _, a letter first, at most 63 in all"
    )
    assert name not in FIXED, f"{name!r} is a column of every gallery, which its scores would overwrite: rename it"


_CHANGING = (
    "built twice from the same settings it has the fingerprints {!r} and {!r}: make them of settings and weights"
)


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

    @pytest.fixture
    def answers(self, pictures: list[Image.Image]) -> Answers:
        """The pictures' scores."""
        return lambda built: {"fingerprint": self._scored(built, pictures)}

    def test_it_can_be_a_column(self, built: Reward) -> None:
        """Its name is one, and it says what it reads."""
        check_column(built.name)
        assert built.space is None or (isinstance(built.space, str) and built.space), (
            f"its space is {built.space!r}: None if it reads pictures only, else the fingerprint of the vectors'"
            " space, such as encoder.spaces.image"
        )

    def test_scores_are_float32_and_finite(self, built: Reward, pictures: list[Image.Image]) -> None:
        """(n,), whatever the pictures' sizes."""
        scores = check_rows(self._scored(built, pictures), len(pictures), what="score_pixels", of="photo")
        check_finite(scores, what="score_pixels", of="photo", seen=sizes(pictures))
        assert len(set(scores.tolist())) > 1, (
            f"it gives every picture the same score, {scores[0]:.6g}: nothing can be chosen by it"
        )

    def test_a_score_depends_on_its_picture_alone(self, built: Reward, pictures: list[Image.Image]) -> None:
        """Not on chance, nor on its place, nor on what else is in the batch."""
        check_each_for_itself(
            lambda part: self._scored(built, part), pictures, what="score_pixels", of="photo", answers="scores",
            tolerance=self.tolerance,
        )  # fmt: skip

    def test_scoring_changes_nothing_that_it_is_given(
        self, built: Reward, pictures: list[Image.Image], vectors: Vectors | None
    ) -> None:
        """An encoder and other rewards read the same pixels and vectors after it."""
        pixels = [built.preprocess(picture) for picture in pictures]
        before, given = [np.array(one) for one in pixels], list(pixels)
        built.score_pixels(given)
        kept = len(given) == len(pixels) and all(a is b for a, b in zip(given, pixels, strict=True))
        assert kept, "`score_pixels` changes the list that it is given: make one of your own"
        for number, (one, old) in enumerate(zip(pixels, before, strict=True), 1):
            assert np.array_equal(np.asarray(one), old), (
                f"`score_pixels` changes the pixels of photo {number}, which others read after it: work on a copy,"
                " and write a = a * 2 and not a *= 2"
            )
        if vectors is not None:
            old = vectors.copy()
            built.score_vectors(vectors)
            assert np.array_equal(vectors, old), (
                "`score_vectors` changes the vectors, which are what a gallery stores: work on a copy"
            )

    def test_no_pictures_no_scores(self, built: Reward, vectors: Vectors | None) -> None:
        """(0,) float32."""
        check_rows(built.score_pixels([]), 0, what="score_pixels([])", of="photo")
        if vectors is not None:
            check_rows(built.score_vectors(vectors[:0]), 0, what="score_vectors of no vectors", of="photo")

    def test_built_twice_it_says_the_same(self, make: Make, pictures: list[Image.Image]) -> None:
        """Equal settings, equal fingerprints, equal scores."""
        one, other = make(), make()
        assert one.fingerprint == other.fingerprint, _CHANGING.format(one.fingerprint, other.fingerprint)
        check_same(
            self._scored(one, pictures), self._scored(other, pictures), problem="built twice it scores differently",
            of="photo", tolerance=self.tolerance,
        )  # fmt: skip

    def test_vectors_score_as_their_pictures_do(
        self, built: Reward, pictures: list[Image.Image], vectors: Vectors | None
    ) -> None:
        """An index scores the vectors that it has computed anyway; a reward without a space refuses any."""
        if vectors is None:
            with refuses(
                "a reward without a space reads no vectors: `score_vectors` raises SpaceMismatchError",
                SpaceMismatchError,
            ):
                built.score_vectors(np.zeros((1, 8), np.float32))
            return
        scores = check_rows(built.score_vectors(vectors), len(vectors), what="score_vectors", of="photo")
        check_same(
            scores, self._scored(built, pictures), problem="score_vectors and score_pixels disagree",
            of="photo", tolerance=self.tolerance,
        )  # fmt: skip
        check_each_for_itself(
            lambda part: built.score_vectors(np.stack(part)), list(vectors), what="score_vectors", of="photo",
            answers="scores", tolerance=self.tolerance,
        )  # fmt: skip


class CombinedRewardContract(FingerprintContract):
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

    @pytest.fixture
    def answers(self) -> Answers:
        """Scores of made-up photos."""

        def found(built: CombinedReward) -> dict[str, NDArray[np.generic]]:
            columns = self._columns(built)
            return {"fingerprint": built.combine(columns, built.fit(columns))}

        return found

    def exercise(self, built: CombinedReward) -> object:
        """Fits and combines."""
        columns = self._columns(built)
        return built.combine(columns, built.fit(columns))

    def test_it_can_be_a_column(self, built: CombinedReward) -> None:
        """Its name is one, its members' are others."""
        check_column(built.name)
        assert built.members, "it has no members: a reward that is made of no others is a `Reward`"
        names = [member.name for member in built.members]
        assert len({built.name, *names}) == len(names) + 1, (
            f"two columns of one name, among {built.name} and its members {', '.join(names)}"
        )

    def test_its_fingerprint_covers_its_members(self, built: CombinedReward, others: list[Other]) -> None:
        """Their scores are what its own are made of."""
        for variant, _, other in others:
            if [m.fingerprint for m in other.members] != [m.fingerprint for m in built.members]:
                assert other.fingerprint != built.fingerprint, (
                    f"with {dict(variant)} its members have other fingerprints, and its own stays"
                    f" {built.fingerprint!r}: make it of theirs, too"
                )

    def test_what_it_must_know_is_plain_json(self, built: CombinedReward, columns: dict[str, Scores]) -> None:
        """A gallery keeps it as text, and scores of later photos are computed from that."""
        known = built.fit(columns)
        try:
            kept: dict[str, Any] = json.loads(json.dumps(known, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise AssertionError(
                f"`fit` gave what is no plain JSON ({error}): give dicts, lists, texts and finite Python floats"
            ) from None
        assert np.array_equal(built.combine(columns, kept), built.combine(columns, known)), (
            "`combine` gives other scores of the statistics once they have been kept as JSON: keys become texts there"
        )

    def test_scores_do_not_depend_on_their_batch(self, built: CombinedReward, columns: dict[str, Scores]) -> None:
        """Only on the gallery's statistics."""
        known = built.fit(columns)

        def combined(rows: list[int]) -> Scores:
            return built.combine({name: column[rows] for name, column in columns.items()}, known)

        every = list(range(self.photos))
        scores = check_rows(combined(every), self.photos, what="combine", of="photo")
        check_finite(scores, what="combine", of="photo", seen=[f"row {row}" for row in every])
        check_each_for_itself(combined, every, what="combine", of="photo", answers="scores", tolerance=self.tolerance)
        check_rows(combined([]), 0, what="combine of no photos", of="photo")

    def test_built_twice_it_says_the_same(self, make: Make, columns: dict[str, Scores]) -> None:
        """Equal settings, equal fingerprints, equal scores."""
        one, other = make(), make()
        assert one.fingerprint == other.fingerprint, _CHANGING.format(one.fingerprint, other.fingerprint)
        check_same(
            one.combine(columns, one.fit(columns)), other.combine(columns, other.fit(columns)),
            problem="built twice it scores differently", of="photo", tolerance=0.0,
        )  # fmt: skip
