"""A small real encoder and rewards on simple colours, for tests: deterministic, trainable, no weights to load.

An image is its histogram over nine named colours, its brightness and its contrast; a text is the colour words in
it. So "a red photo" finds red pictures for real, and brighter pictures are there for alignment to prefer. This
module is also a plugin: `registry()` and `builder()` offer it beside LanceDB and the objectives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from aesalign_core import Component, hookimpl, plugins
from aesalign_core.build import Builder
from aesalign_core.errors import SpaceMismatchError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import NoSettings, Settings
from aesalign_core.types import Pixels, Scores, Spaces, Vectors

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 170, 30),
    "blue": (30, 30, 220),
    "yellow": (230, 220, 30),
    "cyan": (30, 220, 220),
    "magenta": (220, 30, 220),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
}
WORDS = ("bright", "dark", "beautiful", "photo")
SIZE = 32
F_IMAGE = len(COLOURS) + 3
"""Colour shares, brightness - 0.5, contrast, 1."""
F_TEXT = len(COLOURS) + len(WORDS) + 1
"""Counts of colour words and other words, 1."""
DIM = len(COLOURS) + 3
"""Colours, brightness, contrast, bias."""
IMAGE_FEATURES = fingerprint("colour image features", 1)
TEXT_FEATURES = fingerprint("colour text features", 1)
PACKAGES = ("colours", "lancedb", "prefrl")


def _image_head() -> torch.nn.Linear:
    head = torch.nn.Linear(F_IMAGE, DIM, bias=False)
    weight = torch.eye(F_IMAGE)
    weight[-3, -3], weight[-2, -2], weight[-1, -1] = 0.5, 0.5, 0.2
    head.load_state_dict({"weight": weight})
    return head.eval()


def _text_head() -> torch.nn.Linear:
    head = torch.nn.Linear(F_TEXT, DIM, bias=False)
    weight = torch.zeros(DIM, F_TEXT)
    weight[: len(COLOURS), : len(COLOURS)] = torch.eye(len(COLOURS))
    weight[-1, -1] = 0.2
    head.load_state_dict({"weight": weight})
    return head.eval()


def _of_weights(head: torch.nn.Module) -> str:
    return fingerprint(*(v.detach().numpy().tobytes() for _, v in sorted(head.state_dict().items())))


class ColourEncoder:
    """A `TrainableEncoder`: linear heads on colour histograms and colour words."""

    class Settings(Settings):
        """`stretch` makes another image space."""

        stretch: float = 1.0

    def __init__(self, settings: Settings | None = None, context: Any = None) -> None:
        self.settings = settings or self.Settings()
        self.name = "colours"
        self.dim = DIM
        self.temperature = 0.1
        self.device = "cpu"
        self._image, self._text = _image_head(), _text_head()
        with torch.no_grad():
            self._image.weight[-1] *= self.settings.stretch
        self._stamp()

    def _stamp(self) -> None:
        image, text = (
            fingerprint(f, _of_weights(h)) for f, h in ((IMAGE_FEATURES, self._image), (TEXT_FEATURES, self._text))
        )
        self.spaces = Spaces(image, text, IMAGE_FEATURES, TEXT_FEATURES)

    def preprocess(self, image: Image.Image) -> Pixels:
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), dtype=np.uint8)

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        rows = [_features(np.asarray(p)) for p in pixels]
        return np.array(rows, dtype=np.float32).reshape(len(rows), F_IMAGE)

    def text_features(self, texts: Sequence[str]) -> Vectors:
        rows = []
        for text in texts:
            words = re.findall(r"[a-z]+", text.lower())
            rows.append([float(words.count(w)) for w in (*COLOURS, *WORDS)] + [1.0])
        return np.array(rows, dtype=np.float32).reshape(len(rows), F_TEXT)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        return _embed(self._image, self.pixel_features(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return _embed(self._text, self.text_features(texts))

    def image_head(self) -> torch.nn.Module:
        head = _image_head()
        head.load_state_dict(self._image.state_dict())
        return head

    def text_head(self) -> torch.nn.Module:
        head = _text_head()
        head.load_state_dict(self._text.state_dict())
        return head

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> ColourEncoder:
        other = ColourEncoder(self.settings)
        other.name = name
        other._image.load_state_dict(dict(image) if image else self._image.state_dict())
        other._text.load_state_dict(dict(text) if text else self._text.state_dict())
        other._stamp()
        return other


def _features(pixels: np.ndarray) -> np.ndarray:
    flat = pixels.reshape(-1, 3).astype(np.float32)
    palette = np.array(list(COLOURS.values()), dtype=np.float32)
    # Hue decides, so that a dim red is still red: compare after scaling the brightest channel to 255.
    scaled = flat * (255 / np.maximum(flat.max(axis=1, keepdims=True), 64))
    nearest = ((scaled[:, None] - palette[None]) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(COLOURS)) / len(flat)
    light = flat.mean(axis=1) / 255
    return np.concatenate([shares, [light.mean() - 0.5, light.std(), 1.0]]).astype(np.float32)


def _embed(head: torch.nn.Module, features: Vectors) -> Vectors:
    with torch.inference_mode():
        embedded = torch.nn.functional.normalize(head(torch.from_numpy(features)), dim=1)
    return embedded.numpy().reshape(len(features), DIM)


class BrightnessReward:
    """Prefers bright pictures; reads the encoder's frozen features, so a gallery scores with no second pass."""

    Settings = NoSettings
    name = "brightness"
    fingerprint = fingerprint("brightness", 1)
    space: str | None = IMAGE_FEATURES
    _column = -3

    def __init__(self, settings: Any = None, context: Any = None) -> None:
        self.encoder = ColourEncoder()

    def preprocess(self, image: Image.Image) -> Pixels:
        return self.encoder.preprocess(image)

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        return self.score_vectors(self.encoder.pixel_features(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        return np.ascontiguousarray(vectors[:, self._column], dtype=np.float32)


class ContrastReward(BrightnessReward):
    """Prefers contrast; reads pictures only (`space` is None)."""

    name = "contrast"
    fingerprint = fingerprint("contrast", 1)
    space = None
    _column = -2

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        return super().score_vectors(self.encoder.pixel_features(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        raise SpaceMismatchError("contrast reads pictures only")


class DimnessReward(BrightnessReward):
    """Prefers what brightness does not."""

    name = "dimness"
    fingerprint = fingerprint("dimness", 1)

    def score_vectors(self, vectors: Vectors) -> Scores:
        return -super().score_vectors(vectors)


class RednessReward:
    """Prefers red pictures; reads embeddings of the encoder's own image space."""

    Settings = NoSettings
    name = "redness"
    fingerprint = fingerprint("redness", 1)

    def __init__(self, settings: Any = None, context: Any = None) -> None:
        self.encoder = ColourEncoder()
        self.space: str | None = self.encoder.spaces.image

    def preprocess(self, image: Image.Image) -> Pixels:
        return self.encoder.preprocess(image)

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        return self.score_vectors(self.encoder.encode_pixels(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        return np.ascontiguousarray(vectors[:, 0], dtype=np.float32)


class BlendReward:
    """Half standardised brightness, half standardised contrast: a `CombinedReward`."""

    Settings = NoSettings
    name = "blend"
    fingerprint = fingerprint("blend", 1)

    def __init__(self, settings: Any = None, context: Any = None) -> None:
        self.members = (BrightnessReward(), ContrastReward())

    def fit(self, columns: Mapping[str, Scores]) -> dict[str, Any]:
        return {name: [float(values.mean()), float(values.std())] for name, values in columns.items()}

    def combine(self, columns: Mapping[str, Scores], statistics: Mapping[str, Any]) -> Scores:
        parts = [(columns[m.name] - statistics[m.name][0]) / (statistics[m.name][1] or 1) for m in self.members]
        return np.asarray(sum(parts) / len(parts), dtype=np.float32)


@hookimpl
def aesalign_encoders() -> list[Component]:
    return [Component("colours", "colours:ColourEncoder", summary="Colour words find colours.")]


@hookimpl
def aesalign_rewards() -> list[Component]:
    return [
        Component("brightness", "colours:BrightnessReward"),
        Component("contrast", "colours:ContrastReward"),
        Component("dimness", "colours:DimnessReward"),
        Component("redness", "colours:RednessReward"),
        Component("blend", "colours:BlendReward"),
    ]


def registry() -> plugins.Registry:
    """This plugin beside the bundled retriever and objectives, and nothing else."""
    modules = {"colours": "colours", **{p: f"aesalign_{p}.plugin" for p in PACKAGES[1:]}}
    return plugins.load([EntryPoint(name, value, plugins.GROUP) for name, value in modules.items()])


def builder(*rewards: str, **recipe: Any) -> Builder:
    """A builder whose encoder is `colours`; rewards by name, `brightness` by default."""
    uses = tuple(Use(use=name) for name in rewards or ("brightness",))
    values = {
        "encoder": Use(use="colours"), "rewards": uses, "device": "cpu", "objective": Use(use="ranked_dpo"), **recipe
    }  # fmt: skip
    return Builder(Recipe(**values), found=registry())


def paint(
    path: Path, colour: str, *, brightness: float = 1.0, seed: int = 0, size: tuple[int, int] = (64, 48)
) -> Path:
    """Writes one picture of one colour with a little noise, so that each seed is another file."""
    rng = np.random.default_rng(seed)
    base = np.array(COLOURS[colour], dtype=np.float32) * brightness
    noisy = base + rng.normal(0, 4, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    return path


def write_photos(folder: Path, *, each: int = 4, colours: Sequence[str] = ("red", "green", "blue")) -> list[Path]:
    """Writes `each` pictures per colour, from dim to bright, named `<colour>-<i>.png`; gives their paths."""
    levels = np.linspace(0.5, 1.0, each)
    return [
        paint(folder / f"{colour}-{i}.png", colour, brightness=float(level), seed=i)
        for colour in colours
        for i, level in enumerate(levels)
    ]
