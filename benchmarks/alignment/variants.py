"""What else was tried: each group changes one thing of the text tower's tuned recipe.

`python -m benchmarks.alignment --seeds 0 --sweep kl grids` measures groups, beside re-ranking in the same run.
Seed 0 is the one that settings are chosen on; `docs/experiments.md` has the tables.
"""

from __future__ import annotations

from typing import Any

from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Use
from benchmarks.alignment.recipes import DISTILLED, GRIDS, LOW_RANK, RANKED, TUNED
from benchmarks.alignment.world import Method


def _align(**changes: Any) -> Method:
    return Method(DISTILLED, AlignSettings(**{**TUNED.model_dump(), **changes}), GRIDS)


def _grids(**changes: Any) -> Method:
    return Method(DISTILLED, TUNED, PairSettings(**{**GRIDS.model_dump(), **changes}))


def _objective(**settings: Any) -> Method:
    return Method(Use(**settings), TUNED, GRIDS)


GROUPS: dict[str, dict[str, Method]] = {
    "pretraining": {f"text: w_pt {w:g}": _align(pretraining_weight=w) for w in (0.0, 0.1, 1.0, 10.0)},
    "kl": {f"text: KL {w:g}, no L_pt": _align(pretraining_weight=0.0, kl_weight=w) for w in (0.3, 1.0, 3.0, 10.0)}
    | {f"text: KL {w:g} and L_pt": _align(kl_weight=w) for w in (1.0, 10.0)},
    "grids": {
        "text: 3 x 3 of 100": _grids(rows=3, columns=3),
        "text: 4 x 5 of 40": _grids(rows=4, columns=5, candidates=40),
        "text: 5 x 5 of 300": _grids(candidates=300),
        "text: 1 x 25 of 100": _grids(rows=1, columns=25),
        "text: 10 x 3 of 100": _grids(rows=10, columns=3),
        "text: stride 1": _grids(stride=1),
        "text: margin 0.3": _grids(margin=0.3),
    },
    "negatives": {f"text: hard negatives of the next {depth}": _grids(hard_negatives=depth) for depth in (100, 500)},
    "queries": {
        "text: short queries": Method(DISTILLED, TUNED, GRIDS, "short"),
        "text: short queries, k_list": Method(
            DISTILLED, TUNED, GRIDS.model_copy(update={"strategy": "k_list"}), "short"
        ),
    },
    "objectives": {
        "text: ranked_dpo": Method(RANKED, TUNED, GRIDS),
        "text: ranked_dpo, rows only": _objective(use="ranked_dpo", pairs="rows"),
        "text: distillation, rows only": _objective(use="reward_distillation", target=1.0, pairs="rows"),
        "text: ipo, beta 0.2": _objective(use="ipo", beta=0.2),
        "text: slic": _objective(use="slic"),
        "text: plackett_luce": _objective(use="plackett_luce"),
        "text: lambda_dpo": _objective(use="lambda_dpo"),
    },
    "strategies": {f"text: {name}": _grids(strategy=name) for name in ("repeat", "detail", "kw_dict", "reorg")},
    "adapter": {
        "text: adapter": _align(tune="adapter"),
        **{f"text: adapter, rate {rate:g}": _align(tune="adapter", learning_rate=rate) for rate in (5e-5, 1e-3)},
    },
    "low rank": {
        "text: rank 32": _align(text_lora_rank=32),
        "both: whole heads": _align(tune="both", batch_size=32),
        **{
            f"both: image rank {rank}": Method(
                DISTILLED, LOW_RANK.model_copy(update={"image_lora_rank": rank}), GRIDS
            )
            for rank in (1, 16)
        },
    },
}
"""By what they change."""
