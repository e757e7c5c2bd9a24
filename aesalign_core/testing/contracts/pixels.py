"""What encoders and rewards share: both preprocess pictures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aesalign_core.testing.contracts.fingerprints import FingerprintContract
from aesalign_core.testing.pictures import scenes


def sizes(pictures: Sequence[Image.Image]) -> list[str]:
    """How each is told from the others when something is wrong with it."""
    return [f"{picture.width} x {picture.height} pixels" for picture in pictures]


class PixelsContract(FingerprintContract):
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
            assert np.array_equal(np.asarray(pixels), alone[number % len(pictures)]), (
                "`preprocess` gives something else when other threads call it at the same time: keep nothing of a"
                " picture on `self`"
            )

    def test_it_answers_in_another_thread(self, built: Any) -> None:
        """`aesalign serve` and Ray's workers build in one thread and ask in another, one question at a time."""
        with ThreadPoolExecutor(1) as pool:
            error = pool.submit(self.exercise, built).exception()
        assert error is None, (
            f"in another thread than it was built in it raises {type(error).__name__}: {error}. Keep nothing that"
            " belongs to one thread, such as a connection to SQLite"
        )

    def test_preprocessing_leaves_the_picture_alone(self, built: Any, pictures: list[Image.Image]) -> None:
        """An encoder and rewards read the same picture one after another."""
        for picture in pictures:
            before = picture.size, picture.mode, picture.tobytes()
            built.preprocess(picture)
            assert (picture.size, picture.mode, picture.tobytes()) == before, (
                "`preprocess` changes the picture that it is given: change a copy, as image.copy() makes one"
            )
