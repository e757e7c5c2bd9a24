"""An objective that fails in the second process of a launcher, and there alone."""

from __future__ import annotations

import os

from aesalign_core import Component, hookimpl
from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.ranked_dpo import RankedDPO


class Fragile(RankedDPO):
    """Ranked DPO until then."""

    name = "fragile"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        if os.environ.get("RANK") == "1":
            raise RuntimeError("this process alone broke")
        return super().__call__(batch)


@hookimpl
def aesalign_objectives() -> list[Component]:
    return [Component("fragile", "fragile:Fragile")]
