"""What encoders and rewards share: both preprocess pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aesalign_core.testing.contracts.base import ComponentContract
from aesalign_core.testing.pictures import scenes


class PixelsContract(ComponentContract):
    """What holds for whatever reads pictures."""

    @pytest.fixture
    def pictures(self) -> list[Image.Image]:
        """Pictures of all sorts of sizes; override it for others."""
        return scenes()

    def test_preprocessing_may_run_in_threads(self, built: Any, pictures: list[Image.Image]) -> None:
        """Loaders call it in workers, many at once."""
        alone = [np.asarray(built.preprocess(picture)) for picture in pictures]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(built.preprocess, pictures * 4))
        for number, pixels in enumerate(together):
            assert np.array_equal(np.asarray(pixels), alone[number % len(pictures)]), "threads disturb each other"

    def test_preprocessing_leaves_the_picture_alone(self, built: Any, pictures: list[Image.Image]) -> None:
        """An encoder and rewards read the same picture one after another."""
        for picture in pictures:
            before = picture.size, picture.mode, picture.tobytes()
            built.preprocess(picture)
            assert (picture.size, picture.mode, picture.tobytes()) == before, "the picture was changed in place"
