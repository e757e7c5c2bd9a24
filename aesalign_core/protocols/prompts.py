"""What a text tower is told of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Prompts(Protocol):
    """What a text tower is told of a class, so that photos can be classified without training.

    Attributes:
        templates: Each holds one `{}`, where the class's name goes: `a photo of a {}.`
    """

    templates: Sequence[str]

    def class_names(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Readable names of the folders of classes that it knows, such as ImageNet's; others are left out."""
        ...
