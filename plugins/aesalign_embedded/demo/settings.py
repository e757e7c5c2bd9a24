"""How the demonstration trains, unless the user's recipe says otherwise."""

from __future__ import annotations

from typing import Any

from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Recipe
from aesalign_core.settings import Settings

PAIRS = PairSettings(rows=2, columns=6, candidates=40)
ALIGN = AlignSettings(tune="text", steps=120, batch_size=64, learning_rate=1e-4, pretraining_weight=0.3)
CANDIDATES_SHARE = 0.25
"""Of the photos, that may be candidates of one query: further down a ranking nothing is relevant."""


def recipe_for(recipe: Recipe, *, photos: int, seed: int) -> Recipe:
    """The recipe with the demonstration's settings wherever the user's leaves the default.

    Args:
        recipe: The user's.
        photos: How many can be candidates; small folders get smaller grids.
        seed: Of the training.
    """
    pairs = _fit(PAIRS, photos).model_copy(update=_changed(recipe.pairs, PairSettings()))
    align = ALIGN.model_copy(update={"seed": seed, **_changed(recipe.align, AlignSettings())})
    return recipe.model_copy(update={"pairs": pairs, "align": align})


def without_pretraining(recipe: Recipe) -> Recipe:
    """For photos without captions: there is nothing to compute the pre-training loss from."""
    return recipe.model_copy(update={"align": recipe.align.model_copy(update={"pretraining_weight": 0.0})})


def _changed(given: Settings, default: Settings) -> dict[str, Any]:
    """What differs from the defaults. Which keys were written cannot be told: recipes are completed on the way."""
    return {name: value for name, value in given if value != getattr(default, name)}


def _fit(pairs: PairSettings, photos: int) -> PairSettings:
    candidates = max(4, min(pairs.candidates, round(photos * CANDIDATES_SHARE)))
    rows = min(pairs.rows, max(1, candidates // 4))
    columns = min(pairs.columns, max(1, candidates // rows))
    return pairs.model_copy(update={"candidates": candidates, "rows": rows, "columns": columns})
