"""What is kept from the training, to watch it by: some captioned photos with all their captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.captions import Matched
from aesalign_core.errors import AlignmentError
from aesalign_core.preferences.records import PairsResult
from aesalign_core.types import Vectors

if TYPE_CHECKING:
    from aesalign_core.alignment.settings import AlignSettings
    from aesalign_core.gallery import Gallery

LEAST, MOST = 20, 2_000
"""Photos held out. More than 2,000 would cost time and tell nothing more."""


@dataclass(frozen=True)
class HeldOut:
    """Photos and captions that nothing is learnt from.

    Attributes:
        texts: h captions.
        ids: m photos.
        own: (h,) the photo of each caption, as its place among them.
        names: The reward that is trained on, and the one that is not, if any.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    own: tuple[int, ...]
    names: tuple[str, ...]

    def rewards(self, gallery: Gallery, photos: Sequence[str]) -> Vectors:
        """(n, 1 or 2) rewards of photos, in standard deviations of the gallery; NaN where one is missing."""
        columns = []
        for name in self.names:
            mean, std = gallery.statistics(name)
            columns.append((gallery.scores(name, photos) - np.float32(mean)) / np.float32(std or 1.0))
        return np.stack(columns, 1)


def hold_out(
    captions: Matched, pairs: PairsResult, gallery: Gallery, settings: AlignSettings
) -> tuple[Matched, PairsResult, HeldOut]:
    """Takes some photos' captions out of the training.

    Grids of a query that is such a caption go, too. In grids of others the photos are masked later.

    Args:
        captions: All of them.
        pairs: All grids.
        gallery: With the rewards of the photos.
        settings: How many, and which other reward.

    Returns:
        The captions and grids that are left, and what was taken.

    Raises:
        AlignmentError: Too few photos, or no grid would be left, or the other reward is the trained one.
        QueryError: The gallery has no such other reward.
    """
    names = _names(pairs, gallery, settings)
    photos = sorted(set(captions.ids))
    count = min(MOST, round(settings.held_out * len(photos)))
    if count < LEAST:
        raise AlignmentError(
            f"{settings.held_out:.0%} of {len(photos)} captioned photos are too few to watch a training by",
            hint=f"caption more photos, or raise align.held_out: {LEAST} must be held out",
        )
    drawn = np.random.default_rng([settings.seed, 3]).permutation(len(photos))[:count]
    chosen = sorted(photos[k] for k in drawn)
    place = {photo: k for k, photo in enumerate(chosen)}
    out = [(text, place[photo]) for text, photo in zip(captions.texts, captions.ids, strict=True) if photo in place]
    held = HeldOut(tuple(t for t, _ in out), tuple(chosen), tuple(k for _, k in out), names)
    return _left(captions, set(chosen)), _without(pairs, set(held.texts)), held


def _names(pairs: PairsResult, gallery: Gallery, settings: AlignSettings) -> tuple[str, ...]:
    trained = pairs.header.reward
    if settings.watch_reward is None:
        return (trained,)
    if settings.watch_reward == trained:
        raise AlignmentError(
            f"the grids are ordered by {trained!r}, so that it tells nothing when watched",
            hint="name another reward of the gallery as align.watch_reward",
        )
    return (trained, gallery.default_reward(settings.watch_reward))


def _left(captions: Matched, photos: set[str]) -> Matched:
    kept = [(t, i) for t, i in zip(captions.texts, captions.ids, strict=True) if i not in photos]
    if not kept:
        raise AlignmentError("all captioned photos would be held out", hint="lower align.held_out")
    return Matched(tuple(t for t, _ in kept), tuple(i for _, i in kept), captions.missing)


def _without(pairs: PairsResult, texts: set[str]) -> PairsResult:
    grids = tuple(grid for grid in pairs.grids if grid.query not in texts)
    if not grids:
        raise AlignmentError(
            "the queries of all grids are captions of photos that are held out", hint="lower align.held_out"
        )
    return replace(pairs, grids=grids)
