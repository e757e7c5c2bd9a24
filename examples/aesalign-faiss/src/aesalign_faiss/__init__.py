"""What the package offers. Listing plugins imports this module and no more, so nothing heavy belongs here."""

from __future__ import annotations

from aesalign_core import Component, hookimpl


@hookimpl
def aesalign_retrievers() -> list[Component]:
    """The retriever."""
    return [Component("faiss", "aesalign_faiss.retriever:FaissRetriever", summary="Any FAISS index; all in memory.")]
