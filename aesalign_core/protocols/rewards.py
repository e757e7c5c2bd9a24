"""What scores photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from aesalign_core.types import Pixels, Scores, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


@runtime_checkable
class Reward(Protocol):
    """Scores photos, higher is better.

    It may be asked in another thread than the one that built it, but for one thing at a time; only `preprocess` is
    called from several threads at once. What it is given it leaves as it is: others read it too.

    Attributes:
        name: The gallery's column; `[a-z][a-z0-9_]*`.
        fingerprint: Of weights and settings, as a text that is the same in every process: equal fingerprints give
            equal scores, and a gallery is scored again only where it is another.
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
