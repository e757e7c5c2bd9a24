"""What a plugin may implement.

A plugin is a module named by an entry point of the group `aesalign`. It returns `Component` records, one hook per
kind, and may listen to events. Listing imports only that module: the factories are import paths.

Example:
    ```python
    import aesalign_core

    @aesalign_core.hookimpl
    def aesalign_rewards():
        return [aesalign_core.Component("sharpness", "my_package.rewards:Sharpness", summary="Prefers sharp photos.")]
    ```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pluggy

if TYPE_CHECKING:
    from aesalign_core.types import SearchResult

PROJECT = "aesalign"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Kind = Literal["encoder", "rephraser", "reward", "retriever", "objective", "judge", "prompt"]
KINDS: tuple[Kind, ...] = ("encoder", "rephraser", "reward", "retriever", "objective", "judge", "prompt")


@dataclass(frozen=True, slots=True)
class Component:
    """One thing a plugin offers, without importing it.

    Attributes:
        name: What users type; unique within its kind, `[a-z][a-z0-9_-]*`.
        factory: `package.module:Class`, a `ComponentFactory`; imported on first use.
        summary: One line for `aesalign plugins`.
    """

    name: str
    factory: str
    summary: str = ""


@hookspec
def aesalign_encoders() -> Sequence[Component]:
    """Two-tower models: `protocols.Encoder`."""
    return ()


@hookspec
def aesalign_rephrasers() -> Sequence[Component]:
    """Query rephrasers: `protocols.Rephraser`."""
    return ()


@hookspec
def aesalign_rewards() -> Sequence[Component]:
    """Reward models: `protocols.Reward` or `protocols.CombinedReward`."""
    return ()


@hookspec
def aesalign_retrievers() -> Sequence[Component]:
    """Vector stores: `protocols.Retriever`."""
    return ()


@hookspec
def aesalign_objectives() -> Sequence[Component]:
    """Preference-RL losses: `protocols.Objective`."""
    return ()


@hookspec
def aesalign_judges() -> Sequence[Component]:
    """Judges of two rankings: `protocols.Judge`."""
    return ()


@hookspec
def aesalign_prompts() -> Sequence[Component]:
    """Prompt sets for zero-shot classification: `protocols.Prompts`."""
    return ()


@hookspec
def aesalign_hits(result: SearchResult) -> SearchResult | None:
    """Filters or re-orders the hits of one query; return None to leave them as they are.

    Called plugin by plugin, each seeing what the one before it made.
    """


@hookspec
def aesalign_training_started(run: str, settings: Mapping[str, Any]) -> None:
    """A training run begins or resumes. `run` is its folder."""


@hookspec
def aesalign_training_step(run: str, step: int, metrics: Mapping[str, float]) -> None:
    """A step was logged: the very numbers of its line in `metrics.jsonl`."""


@hookspec
def aesalign_training_watched(run: str, step: int, metrics: Mapping[str, float]) -> None:
    """What is held out was looked at: the very numbers of a line in `watch.jsonl`."""


@hookspec
def aesalign_training_finished(run: str, step: int) -> None:
    """A training run has written its aligned weights."""
