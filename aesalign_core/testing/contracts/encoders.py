"""The contracts of encoders."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from aesalign_core.errors import AesalignError
from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.testing.contracts.base import Make
from aesalign_core.testing.contracts.pixels import PixelsContract
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

    def test_it_says_what_it_is(self, built: Encoder) -> None:
        """Name, width, temperature, device and the fingerprints of its spaces."""
        assert built.name
        assert built.dim > 0
        assert 0 < built.temperature < 10
        assert built.device
        assert built.spaces.image
        assert built.spaces.text

    def test_embeddings_are_unit_rows(self, built: Encoder, texts: list[str], pictures: list[Image.Image]) -> None:
        """(n, d) float32 of both towers, whatever the text or the size of the picture."""
        for vectors, count in (
            (built.encode_texts(texts), len(texts)),
            (self._pictures(built, pictures), len(pictures)),
        ):
            assert isinstance(vectors, np.ndarray)
            assert vectors.dtype == np.float32
            assert vectors.shape == (count, built.dim)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
        assert len(np.unique(built.encode_texts(texts[:3]).round(4), axis=0)) == 3, "texts are all the same to it"

    def test_nothing_gives_nothing(self, built: Encoder) -> None:
        """(0, d) float32."""
        for vectors in (built.encode_texts([]), built.encode_pixels([])):
            assert vectors.shape == (0, built.dim)
            assert vectors.dtype == np.float32

    def test_a_text_is_embedded_for_itself(self, built: Encoder, texts: list[str]) -> None:
        """Not by its place, nor by what else is in the batch."""
        together = built.encode_texts(texts)
        backwards = built.encode_texts(texts[::-1])[::-1]
        alone = np.concatenate([built.encode_texts([text]) for text in texts])
        np.testing.assert_allclose(backwards, together, atol=self.tolerance, err_msg="the order was not kept")
        np.testing.assert_allclose(alone, together, atol=self.tolerance, err_msg="texts depend on their batch")

    def test_a_picture_is_embedded_for_itself(self, built: Encoder, pictures: list[Image.Image]) -> None:
        """Likewise."""
        together = self._pictures(built, pictures)
        backwards = self._pictures(built, pictures[::-1])[::-1]
        alone = np.concatenate([self._pictures(built, [picture]) for picture in pictures])
        np.testing.assert_allclose(backwards, together, atol=self.tolerance, err_msg="the order was not kept")
        np.testing.assert_allclose(alone, together, atol=self.tolerance, err_msg="pictures depend on their batch")

    def test_built_twice_it_is_the_same(self, make: Make, texts: list[str], pictures: list[Image.Image]) -> None:
        """Equal settings, equal fingerprints, equal embeddings: a gallery outlives the process that filled it."""
        one, other = make(), make()
        assert one.spaces == other.spaces
        np.testing.assert_allclose(one.encode_texts(texts), other.encode_texts(texts), atol=self.tolerance)
        np.testing.assert_allclose(
            self._pictures(one, pictures), self._pictures(other, pictures), atol=self.tolerance
        )


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
