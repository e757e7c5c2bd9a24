"""What the package offers. Listing plugins imports this module and no more, so nothing heavy belongs here."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_rewards() -> list[Component]:
    """The reward."""
    return [Component("pyiqa", "aesalign_pyiqa.reward:PyiqaReward", summary="Any no-reference metric of pyiqa.")]
