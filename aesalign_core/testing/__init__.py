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

from aesalign_core.testing.contracts import (
    CombinedRewardContract,
    ComponentContract,
    EncoderContract,
    JudgeContract,
    ObjectiveContract,
    PromptsContract,
    RephraserContract,
    RetrieverContract,
    RewardContract,
    TrainableEncoderContract,
)

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
