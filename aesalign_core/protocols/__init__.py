"""What each kind of component must do.

All protocols are batch-first: they take and give whole batches, keep the order, and give for each item a result
that does not depend on the other items of its batch. Shapes and units stand in the docstrings. Nothing here
imports torch; only `TrainableEncoder` and `Objective` speak of its types.
"""

from __future__ import annotations

from aesalign_core.protocols.building import BuildContext, ComponentFactory
from aesalign_core.protocols.encoders import Encoder, Exportable, TrainableEncoder
from aesalign_core.protocols.judges import Judge, WholeJudge
from aesalign_core.protocols.objectives import Objective, ObjectiveOutput, PreferenceBatch
from aesalign_core.protocols.prompts import Prompts
from aesalign_core.protocols.rephrasers import Rephraser
from aesalign_core.protocols.retrievers import Droppable, Retriever
from aesalign_core.protocols.rewards import CombinedReward, Reward

__all__ = [
    "BuildContext",
    "CombinedReward",
    "ComponentFactory",
    "Droppable",
    "Encoder",
    "Exportable",
    "Judge",
    "Objective",
    "ObjectiveOutput",
    "PreferenceBatch",
    "Prompts",
    "Rephraser",
    "Retriever",
    "Reward",
    "TrainableEncoder",
    "WholeJudge",
]
