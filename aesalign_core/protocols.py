"""What each kind of component must do.

All protocols are batch-first: they take and give whole batches, keep the order, and give for each item a result
that does not depend on the other items of its batch. Shapes and units stand in the docstrings. Nothing here
imports torch; only `TrainableEncoder` and `Objective` speak of its types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from aesalign_core.types import Match, Pixels, Rephrasing, Row, Scores, Spaces, Strategy, Vectors, Verdict

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from PIL.Image import Image
    from pydantic import BaseModel


@runtime_checkable
class Encoder(Protocol):
    """Two towers that embed images and texts in one space.

    Attributes:
        name: What the user calls it (`embedded`, `open_clip:ViT-B-32/openai`, a RUN folder).
        dim: d, the width of an embedding.
        temperature: τ, by which cosines are divided in the model's own contrastive loss.
        spaces: The fingerprints of its spaces.
        device: Where it computes, as torch names it.
    """

    name: str
    dim: int
    temperature: float
    spaces: Spaces
    device: str

    def preprocess(self, image: Image) -> Pixels:
        """Turns an upright RGB image into what the image tower reads. Thread-safe: loaders call it in workers."""
        ...

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embeds n preprocessed images: (n, d) float32, rows of unit length; (0, d) for none."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeds n texts: (n, d) float32, rows of unit length; over-long texts are truncated by the tokenizer."""
        ...


@runtime_checkable
class TrainableEncoder(Encoder, Protocol):
    """An encoder whose towers split into frozen features and a trainable head.

    For each tower, `embedding = normalise(head(features))`. Features are computed once and can be kept; the
    heads are what alignment trains and what a RUN stores.
    """

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """Frozen features of n preprocessed images: (n, f_image) float32."""
        ...

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """Frozen features of n texts: (n, f_text) float32."""
        ...

    def image_head(self) -> torch.nn.Module:
        """A fresh copy of the image head: (n, f_image) → (n, d), not normalised, in eval mode, on `device`."""
        ...

    def text_head(self) -> torch.nn.Module:
        """A fresh copy of the text head: (n, f_text) → (n, d), not normalised, in eval mode, on `device`."""
        ...

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> TrainableEncoder:
        """The same encoder with other head weights (state dicts); fingerprints of replaced heads change."""
        ...


@runtime_checkable
class Rephraser(Protocol):
    """Extends queries with what a viewer would hope to see."""

    name: str

    def rephrase(self, queries: Sequence[str], *, strategy: Strategy) -> list[Rephrasing]:
        """One rephrasing per query, in order. A query that fails falls back to itself, with the reason."""
        ...


@runtime_checkable
class Reward(Protocol):
    """Scores photos, higher is better.

    Attributes:
        name: The gallery's column; `[a-z][a-z0-9_]*`.
        fingerprint: Of weights and settings: equal fingerprints give equal scores.
        space: The space of the vectors that `score_vectors` reads; None if it reads images only. A gallery whose
            encoder computes vectors of this space anyway scores without a second forward pass.
    """

    name: str
    fingerprint: str
    space: str | None

    def preprocess(self, image: Image) -> Pixels:
        """Turns an upright RGB image into what `score_pixels` reads. Thread-safe."""
        ...

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """Scores n preprocessed images: (n,) float32."""
        ...

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Scores n vectors of `space`: (n,) float32. Raises SpaceMismatchError if `space` is None."""
        ...


@runtime_checkable
class CombinedReward(Protocol):
    """A reward computed from other rewards' columns of a whole gallery, so that scales never mix.

    Attributes:
        name: The gallery's column.
        fingerprint: Of its settings and of its members' fingerprints.
        members: The rewards it needs. They are scored first.
    """

    name: str
    fingerprint: str
    members: Sequence[Reward]

    def fit(self, columns: Mapping[str, Scores]) -> dict[str, Any]:
        """What must be known of the whole gallery (mean and spread of each member), as plain JSON types."""
        ...

    def combine(self, columns: Mapping[str, Scores], statistics: Mapping[str, Any]) -> Scores:
        """Scores photos from their members' scores and the gallery's statistics: (n,) float32."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """A store of rows (id, path, width, height, vector, reward columns) that finds the nearest vectors.

    One writer at a time. `metadata` is a flat map of strings, kept with the rows.
    """

    def exists(self) -> bool:
        """Whether the store is there already."""
        ...

    def create(self, *, dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Makes an empty store."""
        ...

    def metadata(self) -> dict[str, str]:
        """The metadata. Raises GalleryError if the store is missing or not one of ours."""
        ...

    def update_metadata(self, values: Mapping[str, str]) -> None:
        """Adds or replaces metadata."""
        ...

    def count(self) -> int:
        """Number of rows."""
        ...

    def columns(self) -> list[str]:
        """Names of the reward columns."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Holds the right to write over several writes (each write takes it itself otherwise).

        Raises GalleryError if another process has it.
        """
        ...

    def add(self, rows: pa.Table) -> None:
        """Appends rows: id, path (string), width, height (int32), vector (list<float32>[d]), rewards (float32)."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Removes rows by id."""
        ...

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Gives known ids new paths (photos that were moved)."""
        ...

    def set_column(self, name: str, ids: Sequence[str], scores: Scores) -> None:
        """Writes a reward column, adding it if it is new; rows not named keep what they have; NaN: no score."""
        ...

    def scan(self, columns: Sequence[str], *, batch_size: int = 4096) -> Iterator[pa.RecordBatch]:
        """All rows, in batches, in a stable order."""
        ...

    def fetch(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of these ids, in the order asked for. Raises GalleryError if one is missing."""
        ...

    def search(
        self, vectors: Vectors, *, k: int, rewards: Sequence[str] = (), where: str | None = None
    ) -> list[list[Match]]:
        """For each of q query vectors the k nearest rows by cosine, nearest first; ties by id.

        Args:
            vectors: (q, d) float32 embeddings.
            k: How many; fewer come back where the store holds fewer.
            rewards: Reward columns to bring along.
            where: An SQL condition on the columns, applied before the search.
        """
        ...

    def build_index(self) -> str:
        """Builds the approximate index that its settings ask for and says what it built."""
        ...


@dataclass(frozen=True, slots=True)
class PreferenceBatch:
    """Grids of b queries, flattened to n photos each, as an objective reads them.

    Attributes:
        policy: (b, n) similarities of the model being trained, ÷ τ; carries gradients.
        reference: (b, n) similarities of the frozen model, ÷ τ.
        rewards: (b, n) rewards, standardised over the gallery.
        bands: (b, n) int64, the semantic band (row), 0 for the most similar.
        valid: (b, n) bool, False for padding.
    """

    policy: torch.Tensor
    reference: torch.Tensor
    rewards: torch.Tensor
    bands: torch.Tensor
    valid: torch.Tensor


@dataclass(frozen=True, slots=True)
class ObjectiveOutput:
    """What an objective says of one batch.

    Attributes:
        loss: Scalar with gradients, averaged over pairs.
        accuracy: Share of pairs whose implicit reward margin is positive, ties half, in [0, 1]; detached scalar.
        margin: Mean implicit reward margin, β-scaled; detached scalar.
        pairs: Number of pairs; detached scalar.
    """

    loss: torch.Tensor
    accuracy: torch.Tensor
    margin: torch.Tensor
    pairs: torch.Tensor


@runtime_checkable
class Objective(Protocol):
    """A preference-RL loss over grids."""

    name: str

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Compares an old and a new row of photos for each query."""

    name: str
    aspects: Sequence[str]

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query and aspect, query by query. A failed call is a verdict with outcome None."""
        ...


@runtime_checkable
class WholeJudge(Judge, Protocol):
    """A judge that wants all of the work at once: people, to see what is left; an LLM, to keep many questions going.

    Where a judge offers this, it is asked once with every comparison, instead of `compare` batch by batch.
    """

    def compare_all(
        self,
        queries: Sequence[str],
        old: Sequence[Row],
        new: Sequence[Row],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Verdict]:
        """What `compare` gives.

        Args:
            queries: q of them.
            old: (q) rows of the one system.
            new: (q) rows of the other.
            progress: Called with what is done and in all, in the judge's own unit, as often as it likes.
        """
        ...


@runtime_checkable
class Prompts(Protocol):
    """What a text tower is told of a class, so that photos can be classified without training.

    Attributes:
        templates: Each holds one `{}`, where the class's name goes: `a photo of a {}.`
    """

    templates: Sequence[str]

    def class_names(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Readable names of the folders of classes that it knows, such as ImageNet's; others are left out."""
        ...


class BuildContext(Protocol):
    """What a component may ask for while it is built."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `cuda:1`, `mps`: where to compute."""
        ...

    def encoder(self, spec: str | None = None) -> Encoder:
        """An encoder by component name, `ARCH/PRETRAINED` or RUN folder; None: the recipe's own. Built once."""
        ...

    def reward(self, spec: str, settings: Mapping[str, Any] | None = None) -> Reward:
        """A reward by component name."""
        ...

    def warn(self, message: str) -> None:
        """Tells the user something they must know, on stderr, once."""
        ...


class ComponentFactory(Protocol):
    """What a `Component.factory` must name: a class with `Settings`, built from them and a context."""

    Settings: ClassVar[type[BaseModel]]

    def __call__(self, settings: Any, context: BuildContext) -> Any:
        """Builds the component. Heavy imports belong in here, not at module level."""
        ...
