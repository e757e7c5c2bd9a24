"""For the tests of plugins: a contract per kind of component, and the fakes that such tests need.

Example:
    ```python
    from aesalign_core.testing import RewardContract

    class TestSharpness(RewardContract):
        component = "sharpness"
        refused = ({"side": 0},)
    ```

pytest finds the fixtures by itself: `llm_server`, `tiny_clip`, `tiny_gallery` (`pytest_plugin`).
"""

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
