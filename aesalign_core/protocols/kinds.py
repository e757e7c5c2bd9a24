"""Which protocols the components of each kind implement, and what a protocol asks for by name."""

from __future__ import annotations

from aesalign_core.hookspecs import Kind
from aesalign_core.protocols.encoders import Encoder
from aesalign_core.protocols.judges import Judge
from aesalign_core.protocols.objectives import Objective
from aesalign_core.protocols.prompts import Prompts
from aesalign_core.protocols.rephrasers import Rephraser
from aesalign_core.protocols.retrievers import Retriever
from aesalign_core.protocols.rewards import CombinedReward, Reward

OF_KIND: dict[Kind, tuple[type, ...]] = {
    "encoder": (Encoder,),
    "rephraser": (Rephraser,),
    "reward": (Reward, CombinedReward),
    "retriever": (Retriever,),
    "objective": (Objective,),
    "judge": (Judge,),
    "prompt": (Prompts,),
}
"""A component implements one of them."""


def required(protocol: type) -> set[str]:
    """The names that whatever implements a protocol must have."""
    names = {name for name in dir(protocol) if not name.startswith("_")}
    names |= set(getattr(protocol, "__annotations__", {}))
    return names | ({"__call__"} if "__call__" in vars(protocol) else set())
