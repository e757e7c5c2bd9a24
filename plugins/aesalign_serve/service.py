"""What the routes share: one gallery, the towers that search it, and the texts in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aesalign_core.errors import GalleryError, QueryError
from aesalign_core.messages import nearest
from aesalign_core.searching import search_vectors
from aesalign_core.types import SearchResult, Vectors
from aesalign_serve.batching import Batcher
from aesalign_serve.meanings import Towers, at
from aesalign_serve.measures import Measures
from aesalign_serve.photos import Photos
from aesalign_serve.settings import MAX_STRENGTH, ServeSettings

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.plugins import Registry

BASE, ALIGNED = "base", "aligned"


class UnknownModelError(QueryError):
    """No model of the service has this name."""


@dataclass
class Service:
    """One gallery, served.

    Attributes:
        gallery: What is searched.
        towers: What embeds.
        settings: Its limits.
        plugins: Whose hooks see each result.
        measures: Where it counts.
        photos: The gallery's photos, as pages show them.
        batcher: Where texts wait.
        is_ready: Whether it answers.
    """

    gallery: Gallery
    towers: Towers
    settings: ServeSettings
    plugins: Registry | None = None
    measures: Measures = field(default_factory=Measures)
    photos: Photos = field(init=False)
    batcher: Batcher = field(init=False)
    is_ready: bool = False

    def __post_init__(self) -> None:
        """Opens what needs no event loop."""
        self.photos = Photos(self.gallery)

    def start(self) -> None:
        """Begins to answer, in the running event loop."""
        given = self.settings
        self.batcher = Batcher(
            self.towers.means, most=given.max_batch, wait=given.max_wait_ms / 1000, queue=given.queue,
            kept=given.kept, watch=self.measures.passed,
        )  # fmt: skip
        self.batcher.start()
        self.is_ready = True

    async def close(self) -> None:
        """Ends."""
        self.is_ready = False
        await self.batcher.close()
        self.photos.close()

    def models(self) -> list[str]:
        """What `model` may be; of an aligned encoder also `aligned@STRENGTH`."""
        return [BASE, ALIGNED] if self.towers.is_aligned else [BASE]

    def strength_of(self, model: str) -> float:
        """The strength that a model's name means.

        Raises:
            UnknownModelError: There is none of this name.
        """
        name, _, rest = model.partition("@")
        if name == BASE and not rest:
            return 0.0
        if name == ALIGNED and self.towers.is_aligned:
            try:
                value = float(rest) if rest else 1.0
            except ValueError:
                value = -1.0
            if 0 <= value <= MAX_STRENGTH:
                return value
        raise UnknownModelError("there is no such model", hint=nearest(model, self.models()))

    def strength(self, asked: float | None) -> float:
        """The strength that is meant.

        Raises:
            QueryError: One was asked for, and there is nothing aligned.
        """
        if asked and not self.towers.is_aligned:
            raise QueryError(
                "strength belongs to an aligned encoder", hint="this service was started without --encoder RUN"
            )
        return self.towers.strength if asked is None else asked

    async def has_gallery(self) -> bool:
        """Whether the gallery is still there, and can be read."""
        try:
            return await asyncio.to_thread(self.gallery.retriever.exists)
        except GalleryError:
            return False

    async def embed(self, texts: Sequence[str], strength: float) -> Vectors:
        """Embeds texts: (n, d) unit rows.

        Raises:
            BusyError: Too many wait.
        """
        means, known = await self.batcher.embed(texts)
        self.measures.texts.inc(len(texts))
        self.measures.known.inc(known)
        return at(means, strength, self.towers.dim)

    async def search(
        self, query: str, strength: float, *, k: int, reward: str | None, reward_weight: float
    ) -> SearchResult:
        """Answers a query."""
        if reward:
            self.gallery.default_reward(reward)
        vectors = await self.embed([query], strength)
        found = await asyncio.to_thread(
            search_vectors, [query], vectors, self.gallery, k=k, reward=reward, reward_weight=reward_weight,
            plugins=self.plugins,
        )  # fmt: skip
        return found[0]
