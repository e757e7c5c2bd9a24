"""The recipes that the benchmark's methods are made from."""

from __future__ import annotations

from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Use
from benchmarks.alignment.world import REWARD

GRIDS = PairSettings(rows=5, columns=5, candidates=100, strategy="original", reward=REWARD)
TUNED = AlignSettings(
    tune="text", steps=600, batch_size=256, learning_rate=2e-4, pretraining_weight=3.0, pretraining_batch=512,
    checkpoint_every=600, log_every=50,
)  # fmt: skip
LOOSE = TUNED.model_copy(
    update={"steps": 300, "learning_rate": 1e-4, "pretraining_weight": 0.1, "pretraining_batch": 256}
)
"""As the design had it."""
LOW_RANK = TUNED.model_copy(update={"tune": "both", "batch_size": 32, "image_lora_rank": 4})
"""All of the text head and little of the image head, which else learns its photographs by heart."""
DISTILLED, RANKED = Use(use="reward_distillation", target=1.0), Use(use="ranked_dpo")
