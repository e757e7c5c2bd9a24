"""Galleries as LanceDB tables."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_retrievers() -> list[Component]:
    """The retriever."""
    return [
        Component(
            "lancedb",
            "aesalign_lancedb.retriever:LanceRetriever",
            summary="A LanceDB table: exact search by default, IVF with refinement when asked.",
        )
    ]
