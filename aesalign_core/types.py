"""The records that flow between the parts.

All are immutable. Arrays are NumPy: `Vectors` is float32 of shape (n, d) with rows of unit length wherever a
docstring says *embedding*; a *score* is any real number, higher is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    """(n, d) float32."""
    Scores = NDArray[np.float32]
    """(n,) float32, higher is better."""
    Pixels = NDArray[np.generic]
    """One preprocessed image, of the shape and dtype that its maker chose."""
else:
    # Only type checkers read these; at start-up NumPy would be half of the time that `aesalign --help` takes.
    Vectors = Scores = Pixels = Any

Tower = Literal["text", "image"]
Strategy = Literal["original", "repeat", "detail", "k_list", "kw_dict", "reorg"]
STRATEGIES: tuple[Strategy, ...] = ("original", "repeat", "detail", "k_list", "kw_dict", "reorg")


@dataclass(frozen=True, slots=True)
class Spaces:
    """Fingerprints of the spaces that an encoder's outputs lie in.

    Two vectors may be compared only if the fingerprints of their spaces are equal. A fingerprint covers
    architecture, preprocessing and weights of one tower.

    Attributes:
        image: Where image embeddings lie. A gallery carries it.
        text: Of the text tower, whose embeddings are compared with those of `image`.
        image_features: Of the frozen features under the image head (see `TrainableEncoder`), if any.
        text_features: Of the frozen features under the text head, if any.
    """

    image: str
    text: str
    image_features: str | None = None
    text_features: str | None = None


@dataclass(frozen=True, slots=True)
class Rephrasing:
    """What a rephraser made of one query.

    Attributes:
        query: The user's own words.
        text: What is to be searched instead; equals `query` after a fallback.
        strategy: The prompt strategy, by its name in the paper.
        rephraser: The component that made it.
        fallback: Why `text` is the original query although another was asked for; None if it is not.
        cached: Whether the answer came from the cache.
    """

    query: str
    text: str
    strategy: Strategy
    rephraser: str
    fallback: str | None = None
    cached: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Match:
    """One row that a retriever found.

    Attributes:
        id: sha256 of the photo's file, in hex.
        path: Where the photo was when it was indexed.
        similarity: Cosine with the query vector, in [-1, 1].
        rewards: The reward columns asked for, by name; a reward that is missing for this photo is left out.
    """

    id: str
    path: str
    similarity: float
    rewards: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo in the answer to a query.

    Attributes:
        id: sha256 of the photo's file, in hex.
        path: Where the photo was when it was indexed.
        score: What the answer is ordered by: similarity, plus weight x reward if one was asked for.
        similarity: Cosine of query and photo, in [-1, 1].
        rewards: The photo's rewards, by column name.
    """

    id: str
    path: str
    score: float
    similarity: float
    rewards: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "id": self.id,
            "path": self.path,
            "score": self.score,
            "similarity": self.similarity,
            "rewards": dict(self.rewards),
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one query.

    Attributes:
        query: The user's own words.
        rephrasing: What was searched instead, if a rephraser was used.
        hits: Best first.
    """

    query: str
    hits: tuple[Hit, ...]
    rephrasing: Rephrasing | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, as `search --queries` prints it."""
        document: dict[str, Any] = {"query": self.query}
        if self.rephrasing is not None:
            document["rephrasing"] = self.rephrasing.as_dict()
        return {**document, "hits": [hit.as_dict() for hit in self.hits]}


@dataclass(frozen=True, slots=True)
class PreferenceGrid:
    """The paper's partially ordered set for one query: u rows fall in semantics, v columns fall in reward.

    Attributes:
        query: The query that is trained: the user's own.
        rephrased: The text that the candidates were retrieved with.
        ids: u tuples of v photo ids.
        rewards: (u, v) float32, falling (not rising) along each row: what each photo counts with, see
            `PairSettings.hard_negatives`.
        similarities: (u, v) float32, cosine with the rephrased query.
    """

    query: str
    rephrased: str
    ids: tuple[tuple[str, ...], ...]
    rewards: NDArray[np.float32]
    similarities: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(u, v): semantic bands, photos in each."""
        return len(self.ids), len(self.ids[0]) if self.ids else 0


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's comparison of two rows of photos for one query and one aspect.

    Attributes:
        query: The query both rows answer.
        aspect: `accuracy`, `aesthetic` or `diversity`.
        outcome: `win` if the second (new) row is better, `loss` if the first is, else `similar`;
            None if the judge failed, and then `reason` says how.
        score_old: The judge's score of the first row, where it gives one.
        score_new: The judge's score of the second row, where it gives one.
        reason: The judge's words, or why it failed.
        flipped: Whether the judge said something else when the rows changed places; None if it was not asked twice.
    """

    query: str
    aspect: str
    outcome: Literal["win", "similar", "loss"] | None
    score_old: float | None = None
    score_new: float | None = None
    reason: str = ""
    flipped: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)


Row = Sequence[str]
"""Paths of photos, best first: one system's answer to one query."""
