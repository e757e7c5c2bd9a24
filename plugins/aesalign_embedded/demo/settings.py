"""How the demonstration trains, unless the user's recipe says otherwise."""

from __future__ import annotations

from typing import Any

from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import Settings

PAIRS = PairSettings(rows=2, columns=6, candidates=40)
ALIGN = AlignSettings(
    tune="both", steps=40, batch_size=64, learning_rate=1e-4, pretraining_weight=1.0, pretraining_batch=256
)
"""Both towers: that a picture is flawed is seen by the image tower, whatever was asked."""
OBJECTIVE = Use(use="ranked_dpo")
CANDIDATES_SHARE = 0.25
"""Of the photos, that may be candidates of one query: further down a ranking nothing is relevant."""


def recipe_for(recipe: Recipe, *, photos: int, seed: int) -> Recipe:
    """The recipe with the demonstration's settings wherever the user's says nothing.

    Args:
        recipe: The user's.
        photos: How many can be candidates; small folders get smaller grids.
        seed: Of the training.
    """
    pairs = _fit(PAIRS, photos).model_copy(update=_written(recipe.pairs))
    align = ALIGN.model_copy(update={"seed": seed, **_written(recipe.align)})
    objective = recipe.objective if "objective" in recipe.model_fields_set else OBJECTIVE
    return recipe.model_copy(update={"pairs": pairs, "align": align, "objective": objective})


def without_captions(recipe: Recipe, given: Recipe) -> Recipe:
    """For photos without captions: there is nothing to compute the pre-training loss from.

    The image tower, which that loss holds in place, is then left alone unless the user says otherwise.

    Args:
        recipe: What `recipe_for` made.
        given: The user's.
    """
    changes: dict[str, Any] = {"pretraining_weight": 0.0}
    if "tune" not in given.align.model_fields_set:
        changes["tune"] = "text"
    return recipe.model_copy(update={"align": recipe.align.model_copy(update=changes)})


def _written(given: Settings) -> dict[str, Any]:
    """The keys that somebody wrote, even if they wrote the default."""
    return {name: getattr(given, name) for name in given.model_fields_set}


def _fit(pairs: PairSettings, photos: int) -> PairSettings:
    candidates = max(4, min(pairs.candidates, round(photos * CANDIDATES_SHARE)))
    rows = min(pairs.rows, max(1, candidates // 4))
    columns = min(pairs.columns, max(1, candidates // rows))
    return pairs.model_copy(update={"candidates": candidates, "rows": rows, "columns": columns})
