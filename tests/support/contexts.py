"""What components are built with, where a test builds one by itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Context:
    """A `BuildContext` that knows only the CPU."""

    device: str = "cpu"
    warnings: list[str] = field(default_factory=list)

    def encoder(self, spec=None):
        raise NotImplementedError

    def reward(self, spec, settings=None):
        raise NotImplementedError

    def warn(self, message):
        self.warnings.append(message)
