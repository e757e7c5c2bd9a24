"""Rewards that break one promise each, in ways that happen."""

from __future__ import annotations

import socket
import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from aesalign_core import Component, Settings, hookimpl
from aesalign_core.errors import SpaceMismatchError
from aesalign_core.fingerprints import fingerprint


class GoodSettings(Settings):
    gain: float = 1.0
    measure: Literal["mean", "spread"] = "mean"


class Good:
    """The brightness of a picture."""

    Settings = GoodSettings
    name = "good"
    space = None

    def __init__(self, settings: Any, context: Any) -> None:
        self.settings = settings
        self.fingerprint: Any = fingerprint(self.name, 1, settings.gain, settings.measure)

    def preprocess(self, image: Any) -> Any:
        return np.array(image, dtype=np.float32)

    def score_pixels(self, pixels: Any) -> Any:
        measure = np.mean if self.settings.measure == "mean" else np.std
        return np.array([self.settings.gain * measure(one) / 255 for one in pixels], dtype=np.float32)

    def score_vectors(self, vectors: Any) -> Any:
        raise SpaceMismatchError("it reads pictures")


class NotANumber(Good):
    """Of a single pixel."""

    def score_pixels(self, pixels: Any) -> Any:
        return np.array([np.nan if one.size == 3 else one.mean() for one in pixels], dtype=np.float32)


class Double(Good):
    def score_pixels(self, pixels: Any) -> Any:
        return super().score_pixels(pixels).astype(np.float64)


class Column(Good):
    def score_pixels(self, pixels: Any) -> Any:
        return super().score_pixels(pixels)[:, None]


class Reversed(Good):
    def score_pixels(self, pixels: Any) -> Any:
        return super().score_pixels(pixels)[::-1].copy()


class Random(Good):
    def score_pixels(self, pixels: Any) -> Any:
        return np.random.default_rng().random(len(pixels), dtype=np.float32)


class Batched(Good):
    def score_pixels(self, pixels: Any) -> Any:
        scores = super().score_pixels(pixels)
        return scores - scores.mean() if len(scores) else scores


class Number(Good):
    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        self.fingerprint = 7


class Hashed(Good):
    """Strings have another hash in each process."""

    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        self.fingerprint = str(hash(("hashed", settings.gain, settings.measure)))


class Stale(Good):
    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        self.fingerprint = fingerprint("stale", 1, settings.measure)


class Words(Good):
    """Its settings are texts, which cannot be varied without being named."""

    class Settings(Settings):
        colour: str = "red"

    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(GoodSettings(gain=len(settings.colour)), context)
        self.fingerprint = fingerprint("words", 1)


class Unnamed(Words):
    pass


class Taken(Good):
    name = "path"


class Scribbling(Good):
    def score_pixels(self, pixels: Any) -> Any:
        scores = super().score_pixels(pixels)
        for one in pixels:
            one *= 0.5
        return scores


class Printing(Good):
    def score_pixels(self, pixels: Any) -> Any:
        print("scoring", len(pixels))
        return super().score_pixels(pixels)


class Seeding(Good):
    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        np.random.seed(0)  # noqa: NPY002


class Littering(Good):
    def score_pixels(self, pixels: Any) -> Any:
        Path("scores.db").write_text("")
        return super().score_pixels(pixels)


class Threaded(Good):
    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class Calling(Good):
    """It swallows what goes wrong, so that nobody hears of it."""

    def score_pixels(self, pixels: Any) -> Any:
        try:
            socket.create_connection(("192.0.2.1", 80), timeout=1).close()
        except Exception:
            warnings.warn("offline", stacklevel=2)
        return super().score_pixels(pixels)


class Threadbound(Good):
    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        self.home = threading.get_ident()

    def score_pixels(self, pixels: Any) -> Any:
        if threading.get_ident() != self.home:
            raise RuntimeError("made in another thread")
        return super().score_pixels(pixels)


BROKEN = {
    "good": Good, "nan": NotANumber, "double": Double, "column": Column, "reversed": Reversed, "random": Random,
    "batched": Batched, "number": Number, "hashed": Hashed, "stale": Stale, "words": Words, "unnamed": Unnamed,
    "path": Taken, "scribbling": Scribbling, "printing": Printing, "seeding": Seeding, "littering": Littering,
    "threaded": Threaded, "calling": Calling, "threadbound": Threadbound,
}  # fmt: skip


@hookimpl
def aesalign_rewards() -> list[Component]:
    return [Component(name, f"broken_rewards:{made.__name__}", summary="Broken.") for name, made in BROKEN.items()]
