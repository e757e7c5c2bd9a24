"""aesalign: align vision-language retrieval with human preference.

The public API and nothing else. Names are imported on first use, so that `import aesalign_core` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aesalign_core.hookspecs import Component, hookimpl

if TYPE_CHECKING:
    from aesalign_core.alignment.align import AlignResult, align
    from aesalign_core.build import Builder
    from aesalign_core.errors import AesalignError
    from aesalign_core.exporting.export import export
    from aesalign_core.gallery import Gallery
    from aesalign_core.indexing.index import index
    from aesalign_core.indexing.reindex import reindex
    from aesalign_core.preferences.pairs import make_pairs
    from aesalign_core.protocols import (
        BuildContext,
        Encoder,
        Judge,
        Objective,
        Rephraser,
        Retriever,
        Reward,
        TrainableEncoder,
    )
    from aesalign_core.recipe import Recipe
    from aesalign_core.searching import search
    from aesalign_core.settings import Settings
    from aesalign_core.types import Hit, PreferenceGrid, Rephrasing, SearchResult, Verdict

__version__ = "0.1.0"

_HOMES = {
    "AesalignError": "errors",
    "AlignResult": "alignment.align",
    "BuildContext": "protocols",
    "Builder": "build",
    "Encoder": "protocols",
    "Gallery": "gallery",
    "Hit": "types",
    "Judge": "protocols",
    "Objective": "protocols",
    "PreferenceGrid": "types",
    "Recipe": "recipe",
    "Rephraser": "protocols",
    "Rephrasing": "types",
    "Retriever": "protocols",
    "Reward": "protocols",
    "SearchResult": "types",
    "Settings": "settings",
    "TrainableEncoder": "protocols",
    "Verdict": "types",
    "align": "alignment.align",
    "export": "exporting.export",
    "index": "indexing.index",
    "make_pairs": "preferences.pairs",
    "reindex": "indexing.reindex",
    "search": "searching",
}

__all__ = [
    "AesalignError",
    "AlignResult",
    "BuildContext",
    "Builder",
    "Component",
    "Encoder",
    "Gallery",
    "Hit",
    "Judge",
    "Objective",
    "PreferenceGrid",
    "Recipe",
    "Rephraser",
    "Rephrasing",
    "Retriever",
    "Reward",
    "SearchResult",
    "Settings",
    "TrainableEncoder",
    "Verdict",
    "__version__",
    "align",
    "export",
    "hookimpl",
    "index",
    "make_pairs",
    "reindex",
    "search",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"aesalign_core.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aesalign_core' has no attribute {name!r}")
