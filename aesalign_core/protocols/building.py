"""How components are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from aesalign_core.protocols.encoders import Encoder
from aesalign_core.protocols.rewards import Reward

if TYPE_CHECKING:
    from pydantic import BaseModel


class BuildContext(Protocol):
    """What a component may ask for while it is built."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `cuda:1`, `mps`: where to compute."""
        ...

    def encoder(self, spec: str | None = None) -> Encoder:
        """An encoder by component name, `ARCH/PRETRAINED` or RUN folder; None: the recipe's own. Built once."""
        ...

    def reward(self, spec: str, settings: Mapping[str, Any] | None = None) -> Reward:
        """A reward by component name."""
        ...

    def warn(self, message: str) -> None:
        """Tells the user something they must know, on stderr, once."""
        ...


class ComponentFactory(Protocol):
    """What a `Component.factory` must name: a class with `Settings`, built from them and a context."""

    Settings: ClassVar[type[BaseModel]]

    def __call__(self, settings: Any, context: BuildContext) -> Any:
        """Builds the component. Heavy imports belong in here, not at module level."""
        ...
