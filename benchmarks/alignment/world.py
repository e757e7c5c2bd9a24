"""What one turn of the benchmark is made from, by the product's own functions: encoder, galleries, grids, RUNs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from aesalign_core import Builder, Gallery, Recipe, TrainableEncoder, align, index, make_pairs, plugins
from aesalign_core.alignment.adapted import AdaptedEncoder
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.captions import Caption, write_captions
from aesalign_core.fingerprints import fingerprint
from aesalign_core.images.decoding import decode
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Use
from aesalign_core.types import Scores, Vectors
from aesalign_embedded.heads import embed
from aesalign_embedded.reward_head import RewardHead
from aesalign_embedded.training import beauty
from aesalign_embedded.training.contrastive import Examples, fit
from aesalign_embedded.training.contrastive import Recipe as HeadsRecipe
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.split import Indices
from aesalign_embedded.training.storing import store
from benchmarks.alignment.split import Split

QUERIES = 6_000
"""Captions that grids are cut for."""
REWARD, SHUFFLED = "bench", "shuffled"
HEADS = HeadsRecipe(views=("plain",))
Say = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """One way to align.

    Attributes:
        objective: With its settings.
        align: How it is trained.
        pairs: How its grids are cut.
        queries: What grids are cut for: `captions`, or the first words of each that carry meaning (`short`).
    """

    objective: Use
    align: AlignSettings
    pairs: PairSettings
    queries: Literal["captions", "short"] = "captions"


class Base:
    """The base encoder of one seed.

    Args:
        store: Features of all photographs.
        parts: Who is who.
        folder: Where everything of this seed goes.
        seed: Of heads, grids and training.
    """

    def __init__(self, features: FeatureStore, parts: Split, folder: Path, *, seed: int) -> None:
        self.photographs, self.parts, self.folder, self.seed = features.photographs, parts, folder, seed
        self.heads = folder / "heads" / "heads.safetensors"
        self._plain = features.view("plain")
        if not self.heads.exists():
            self._train(features.captions())

    def _train(self, texts: Vectors) -> None:
        chosen = self.parts.base
        grouped = np.stack([texts[self.photographs.photo_of == i] for i in chosen])
        examples = Examples(images=torch.from_numpy(self._plain[chosen])[None], texts=torch.from_numpy(grouped))
        image, text, scale = fit(examples, HEADS, seed=self.seed)
        tensors = {f"image.{k}": v for k, v in image.state_dict().items()}
        tensors |= {f"text.{k}": v for k, v in text.state_dict().items()}
        store(self.heads.parent, self.heads.name, tensors, {"logit_scale": f"{scale:.6f}"})

    def fit_reward(self, encoder: TrainableEncoder, rated: Indices, path: Path) -> None:
        """Kernel ridge regression on the look and the content of rated photographs, as in the embedded reward."""
        scores = np.array([self.photographs.scores[self.photographs.names[i]] for i in rated], np.float32)
        looks = torch.from_numpy(self._plain)
        shown = embed(encoder.image_head(), looks)  # type: ignore[arg-type]
        head = RewardHead(looks.shape[1], shown.shape[1], centres=len(rated))
        with torch.no_grad():
            head.features.fit(looks[self.parts.align])
            head.embedding.fit(shown[self.parts.align])
            beauty.fit(head, head.place(looks[rated], shown[rated]), scores)
        store(path.parent, path.name, head.state_dict(), {})

    def paths(self, chosen: Indices) -> list[Path]:
        """Files of some photographs."""
        return [self.photographs.folder / self.photographs.names[i] for i in chosen]


class World:
    """One half of the rated photographs judged, the reward fitted on the other.

    Args:
        base: The seed's encoder.
        judged: 0 or 1, the half that is searched.
        say: Told what is being done.
        labels: Of how many rated photographs the reward is fitted on; None: all of its half.
    """

    def __init__(self, base: Base, judged: int, say: Say, *, labels: int | None = None) -> None:
        self.base, self.say = base, say
        self.folder = base.folder / (f"half-{judged}" + (f"-{labels}-ratings" if labels else ""))
        self.judged, rated = base.parts.rated[judged], base.parts.rated[1 - judged][:labels]
        fitted = self.folder / "reward" / "reward.safetensors"
        use = Use(use="bench_base", heads=str(base.heads.resolve()))
        reward = Use(use="bench_reward", name=REWARD, fitted=str(fitted.resolve()), heads=str(base.heads.resolve()))
        self.recipe = Recipe(device="cpu", encoder=use, rewards=(reward,))
        self.encoder = cast("TrainableEncoder", self.builder(self.recipe).encoder())
        if not fitted.exists():
            base.fit_reward(self.encoder, rated, fitted)
        self.gallery = self._indexed(self.folder / "gallery", self.judged)
        self.trained = self._indexed(self.folder / "gallery-trained", base.parts.align)
        if SHUFFLED not in self.trained.rewards:
            self._shuffle()

    def builder(self, recipe: Recipe) -> Builder:
        """With the benchmark's own components beside the bundled ones."""
        own = EntryPoint("bench", "benchmarks.alignment.components", plugins.GROUP)
        bundled = [point for point in entry_points(group=plugins.GROUP) if point.name != "bench"]
        return Builder(recipe, found=plugins.load([*bundled, own]))

    def _indexed(self, folder: Path, chosen: Indices) -> Gallery:
        self.say(f"index {folder.name}")
        builder = self.builder(self.recipe)
        index(self.base.paths(chosen), folder, builder)
        return Gallery.open(folder, builder)

    def _shuffle(self) -> None:
        """A column of the same rewards, each another photo's."""
        scores = np.random.default_rng(self.base.seed).permutation(self.trained.scores(REWARD))
        self.trained.retriever.set_column(SHUFFLED, self.trained.ids(), scores)
        self.trained = Gallery.open(self.trained.path, self.builder(self.recipe))

    def run(self, name: str, method: Method) -> Path:
        """The RUN folder of a method, trained if it is not there."""
        recipe = self.recipe.model_copy(
            update={
                "objective": method.objective,
                "pairs": method.pairs,
                "align": method.align.model_copy(update={"seed": self.base.seed}),
            }
        )
        builder, out = self.builder(recipe), self.folder / "runs" / name
        captions = self.captions(self.base.parts.align)
        listed = out.parent / "captions.csv"
        write_captions(listed, captions)
        grids = out.parent / f"{fingerprint(method.pairs.model_dump_json(), method.queries)}.parquet"
        self.say(f"cut grids for {name}")
        drawn = np.random.default_rng(self.base.seed).permutation(len(captions))[:QUERIES]
        queries = [captions[i].text for i in drawn]
        if method.queries == "short":
            queries = list(dict.fromkeys(map(shortened, queries)))
        make_pairs(queries, self.trained, self.encoder, builder.rephraser(), method.pairs, out=grids)
        self.say(f"align {name}")
        align(grids, self.trained.path, out, builder, captions=listed, features=self.base.folder / "features")
        return out

    def captions(self, chosen: Indices) -> list[Caption]:
        """All captions of some photographs."""
        known = self.base.photographs
        return [Caption(known.names[known.photo_of[i]], known.captions[i]) for i in known.captions_of(chosen)]

    @cached_property
    def rephrased(self) -> Vectors:
        """(q, d) base embeddings of the captions as the template rephraser extends them."""
        texts = [caption.text for caption in self.captions(self.judged)]
        found = self.builder(self.recipe).rephraser().rephrase(texts, strategy="k_list")
        return self.encoder.encode_texts([r.text for r in found])

    @cached_property
    def truth(self) -> Scores:
        """(n,) true scores of the judged photographs, standardised, in the gallery's order."""
        known = self.base.photographs.scores
        scores = np.array([known[Path(path).name] for path in self.gallery.paths()], np.float32)
        truth: Scores = (scores - scores.mean()) / scores.std()
        return truth

    @cached_property
    def rewards(self) -> Scores:
        """(n,) the fitted reward of the same, standardised."""
        mean, std = self.gallery.statistics(REWARD)
        return (self.gallery.scores(REWARD) - mean) / std

    @cached_property
    def text_features(self) -> torch.Tensor:
        """(q, f) of the judged photographs' captions."""
        return torch.from_numpy(self.encoder.text_features([c.text for c in self.captions(self.judged)]))

    @cached_property
    def image_features(self) -> torch.Tensor:
        """(n, f) of the judged photographs, in the gallery's order."""
        pixels = [self.encoder.preprocess(decode(Path(path))) for path in self.gallery.paths()]
        return torch.from_numpy(self.encoder.pixel_features(pixels))

    @cached_property
    def own(self) -> Indices:
        """(q,) the column of each query's photograph."""
        columns = {Path(path).name: column for column, path in enumerate(self.gallery.paths())}
        return np.array([columns[c.file] for c in self.captions(self.judged)], np.int64)

    @cached_property
    def photos(self) -> Indices:
        """(q,) the photograph that each query describes, by its number among all."""
        known = self.base.photographs
        return known.photo_of[known.captions_of(self.judged)]

    def queries(self, encoder: TrainableEncoder) -> Vectors:
        """(q, d) embeddings of the captions."""
        features = self.text_features
        if isinstance(encoder, AdaptedEncoder):  # whose features are the embeddings of its base
            features = torch.from_numpy(self.queries(self.encoder))
        return cast("Vectors", embed(encoder.text_head(), features).numpy())  # type: ignore[arg-type]

    def images(self, encoder: TrainableEncoder) -> Vectors:
        """(n, d) embeddings of the judged photographs: the gallery's own where the image tower is the same."""
        if encoder.spaces.image == self.gallery.space:
            return self.gallery.vectors()
        return cast("Vectors", embed(encoder.image_head(), self.image_features).numpy())  # type: ignore[arg-type]


def shortened(caption: str) -> str:
    """Its first three words that carry meaning, as people type them; the caption itself if it has none."""
    words = re.findall(r"[a-z]+", caption.lower())
    return " ".join([w for w in words if w not in ENGLISH_STOP_WORDS][:3]) or caption
