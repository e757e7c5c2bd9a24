"""The reward against aesalign's contract of its kind."""

from __future__ import annotations

from aesalign_core.testing import RewardContract


class TestSharpness(RewardContract):
    component = "sharpness"
    refused = ({"side": 8}, {"side": 5000})
