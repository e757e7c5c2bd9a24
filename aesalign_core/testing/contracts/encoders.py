"""The contracts of encoders."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from aesalign_core.errors import AesalignError
from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.testing.contracts.arrays import (
    check_each_for_itself,
    check_finite,
    check_rows,
    check_same,
    check_unit,
)
from aesalign_core.testing.contracts.base import Make
from aesalign_core.testing.contracts.fingerprints import Answers
from aesalign_core.testing.contracts.pixels import PixelsContract, sizes
from aesalign_core.types import Pixels, Vectors

TEXTS = (
    "a dog runs along a beach", "a dog", "two children play football", "Ein Schloss im Nebel", "山の上の月", "🐕 🏖️",
    "", "   ", "UPPER and lower", "tabs\tand\nlines", "word " * 2_000,
)  # fmt: skip
"""Short, long, of other scripts, empty: what people type."""


class EncoderContract(PixelsContract):
    """What a `protocols.Encoder` must do."""

    kind: ClassVar[Kind] = "encoder"

    @pytest.fixture
    def texts(self) -> list[str]:
        """What is embedded; override it for others."""
        return list(TEXTS)

    def exercise(self, built: Encoder) -> object:
        """Embeds a text and a picture."""
        return built.encode_texts(["a dog"]), built.encode_pixels([built.preprocess(Image.new("RGB", (8, 8)))])

    def _pictures(self, built: Encoder, pictures: list[Image.Image]) -> Vectors:
        return built.encode_pixels([built.preprocess(picture) for picture in pictures])

    @pytest.fixture
    def answers(self, texts: list[str], pictures: list[Image.Image]) -> Answers:
        """The embeddings of both towers, by the name of their space."""
        return lambda built: {"text": built.encode_texts(texts), "image": self._pictures(built, pictures)}

    def test_it_says_what_it_is(self, built: Encoder) -> None:
        """Name, width, temperature, device."""
        assert isinstance(built.name, str), f"its name is a {type(built.name).__name__}, not a text"
        assert built.name, "it has no name, which galleries and reports show"
        assert built.dim > 0, f"its dim is {built.dim}: it is the width of an embedding"
        assert 0 < built.temperature < 10, (
            f"its temperature is {built.temperature}: it is what cosines are divided by, such as 0.01, and not the"
            " factor, such as 100"
        )
        assert built.device, "it does not say on which device it computes, such as context.device"

    def test_embeddings_are_unit_rows(self, built: Encoder, texts: list[str], pictures: list[Image.Image]) -> None:
        """(n, d) float32 of both towers, whatever the text or the size of the picture."""
        for what, of, found, seen in (
            ("encode_texts", "text", built.encode_texts(texts), [repr(text[:40]) for text in texts]),
            ("encode_pixels", "photo", self._pictures(built, pictures), sizes(pictures)),
        ):
            vectors = check_rows(found, len(seen), what=what, of=of, width=built.dim)
            check_finite(vectors, what=what, of=of, seen=seen)
            check_unit(vectors, what=what, of=of, seen=seen)
        different = len(np.unique(built.encode_texts(texts[:3]).round(4), axis=0))
        assert different == 3, f"of three texts {different} embeddings came: texts are all the same to it"

    def test_nothing_gives_nothing(self, built: Encoder) -> None:
        """(0, d) float32."""
        check_rows(built.encode_texts([]), 0, what="encode_texts([])", of="text", width=built.dim)
        check_rows(built.encode_pixels([]), 0, what="encode_pixels([])", of="photo", width=built.dim)

    def test_a_text_is_embedded_for_itself(self, built: Encoder, texts: list[str]) -> None:
        """Not by chance, nor by its place, nor by what else is in the batch."""
        check_each_for_itself(
            built.encode_texts, texts, what="encode_texts", of="text", answers="embeddings", tolerance=self.tolerance,
            width=built.dim,
        )  # fmt: skip

    def test_a_picture_is_embedded_for_itself(self, built: Encoder, pictures: list[Image.Image]) -> None:
        """Likewise."""
        check_each_for_itself(
            lambda part: self._pictures(built, part), pictures, what="encode_pixels", of="photo",
            answers="embeddings", tolerance=self.tolerance, width=built.dim,
        )  # fmt: skip

    def test_embedding_leaves_the_pixels_alone(self, built: Encoder, pictures: list[Image.Image]) -> None:
        """Rewards may read the same ones after it."""
        pixels = [built.preprocess(picture) for picture in pictures]
        before = [np.array(one) for one in pixels]
        built.encode_pixels(list(pixels))
        for number, (one, old) in enumerate(zip(pixels, before, strict=True), 1):
            assert np.array_equal(np.asarray(one), old), (
                f"`encode_pixels` changes the pixels of photo {number}: work on a copy"
            )

    def test_built_twice_it_is_the_same(self, make: Make, texts: list[str], pictures: list[Image.Image]) -> None:
        """Equal settings, equal fingerprints, equal embeddings: a gallery outlives the process that filled it."""
        one, other = make(), make()
        assert one.spaces == other.spaces, (
            f"built twice from the same settings it has the spaces {one.spaces} and {other.spaces}: a gallery that"
            " the one filled would be refused to the other"
        )
        problem = "built twice it embeds differently"
        for of, a, b in (
            ("text", one.encode_texts(texts), other.encode_texts(texts)),
            ("photo", self._pictures(one, pictures), self._pictures(other, pictures)),
        ):
            check_same(a, b, problem=problem, of=of, tolerance=self.tolerance)


class TrainableEncoderContract(EncoderContract):
    """What a `protocols.TrainableEncoder` must do besides, so that it can be aligned."""

    def _features(self, built: TrainableEncoder, tower: str) -> Vectors:
        if tower == "text":
            return built.text_features(TEXTS[:4])
        return built.pixel_features(
            [built.preprocess(Image.new("RGB", (40, 30), c)) for c in ("red", "teal", "grey")]
        )

    def _embeddings(self, built: TrainableEncoder, tower: str) -> Vectors:
        if tower == "text":
            return built.encode_texts(TEXTS[:4])
        return built.encode_pixels(_plain(built))

    @pytest.mark.parametrize("tower", ["text", "image"])
    def test_an_embedding_is_its_head_on_its_features(self, built: TrainableEncoder, tower: str) -> None:
        """`normalise(head(features))`: alignment trains the head on kept features."""
        import torch

        head = built.text_head() if tower == "text" else built.image_head()
        assert not head.training, "a head comes in eval mode"
        features = self._features(built, tower)
        assert features.dtype == np.float32
        with torch.no_grad():
            raw = head(torch.from_numpy(features).to(built.device)).float()
        found = torch.nn.functional.normalize(raw, dim=1).cpu().numpy()
        np.testing.assert_allclose(found, self._embeddings(built, tower), atol=self.tolerance)

    @pytest.mark.parametrize("tower", ["text", "image"])
    def test_no_features_of_nothing(self, built: TrainableEncoder, tower: str) -> None:
        """(0, f), as wide as others."""
        empty = built.text_features([]) if tower == "text" else built.pixel_features([])
        assert empty.shape == (0, *self._features(built, tower).shape[1:])

    @pytest.mark.parametrize("tower", ["text", "image"])
    def test_heads_are_copies(self, built: TrainableEncoder, tower: str) -> None:
        """Training one leaves the encoder as it was."""
        before = self._embeddings(built, tower)
        _shake(built.text_head() if tower == "text" else built.image_head())
        np.testing.assert_array_equal(self._embeddings(built, tower), before)

    @pytest.mark.parametrize("tower", ["text", "image"])
    def test_other_heads_make_another_tower(self, built: TrainableEncoder, tower: str) -> None:
        """Its space is another; the other tower's space and embeddings stay, so that old galleries stay valid."""
        head = built.text_head() if tower == "text" else built.image_head()
        same = built.with_heads(name="same", **{tower: dict(head.state_dict())})
        _shake(head)
        changed = built.with_heads(name="changed", **{tower: dict(head.state_dict())})
        assert (same.name, changed.name) == ("same", "changed")
        other = "image" if tower == "text" else "text"
        np.testing.assert_allclose(self._embeddings(same, tower), self._embeddings(built, tower), atol=self.tolerance)
        assert not np.allclose(self._embeddings(changed, tower), self._embeddings(built, tower), atol=1e-3)
        np.testing.assert_allclose(
            self._embeddings(changed, other), self._embeddings(built, other), atol=self.tolerance
        )
        assert getattr(changed.spaces, tower) != getattr(built.spaces, tower), "a changed tower has another space"
        assert getattr(changed.spaces, other) == getattr(built.spaces, other)
        assert getattr(changed.spaces, f"{tower}_features") == getattr(built.spaces, f"{tower}_features")

    @pytest.mark.parametrize("tower", ["text", "image"])
    def test_heads_of_another_shape_are_refused(self, built: TrainableEncoder, tower: str) -> None:
        """In one line."""
        import torch

        head = built.text_head() if tower == "text" else built.image_head()
        wrong: dict[str, Any] = {name: torch.zeros(3, 5, 7) for name in head.state_dict()}
        with pytest.raises(AesalignError):
            built.with_heads(name="wrong", **{tower: wrong})


def _plain(built: Encoder) -> list[Pixels]:
    """Three pictures of one colour each, preprocessed."""
    return [built.preprocess(Image.new("RGB", (40, 30), colour)) for colour in ("red", "teal", "grey")]


def _shake(head: Any) -> None:
    """Changes every weight of a head."""
    import torch

    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for weight in head.parameters():
            weight += torch.randn(weight.shape, generator=generator).to(weight.device) * 0.3
