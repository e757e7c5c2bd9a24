"""A contract per kind of component, each a class of tests to derive from."""

from __future__ import annotations

from aesalign_core.testing.contracts.base import ComponentContract
from aesalign_core.testing.contracts.encoders import EncoderContract, TrainableEncoderContract
from aesalign_core.testing.contracts.judges import JudgeContract
from aesalign_core.testing.contracts.objectives import ObjectiveContract
from aesalign_core.testing.contracts.prompts import PromptsContract
from aesalign_core.testing.contracts.rephrasers import RephraserContract
from aesalign_core.testing.contracts.retrievers import RetrieverContract
from aesalign_core.testing.contracts.rewards import CombinedRewardContract, RewardContract

__all__ = [
    "CombinedRewardContract",
    "ComponentContract",
    "EncoderContract",
    "JudgeContract",
    "ObjectiveContract",
    "PromptsContract",
    "RephraserContract",
    "RetrieverContract",
    "RewardContract",
    "TrainableEncoderContract",
]
