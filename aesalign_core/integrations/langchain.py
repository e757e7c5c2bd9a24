"""A gallery as a LangChain retriever (extra `langchain`)."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PrivateAttr

from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery
from aesalign_core.searching import MAX_K, search


class GalleryRetriever(BaseRetriever):  # type: ignore[misc]
    """Photos of a gallery as documents: `page_content` is the path, `metadata` id, path, score, similarity, rewards.

    Attributes:
        gallery: Its folder.
        encoder: By any name that `--encoder` takes; None: `embedded`.
        k: Photos of an answer.
    """

    gallery: str
    encoder: str | None = None
    k: int = Field(10, ge=1, le=MAX_K)
    _opened: Any = PrivateAttr(default=None)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        if self._opened is None:
            builder = Builder()
            self._opened = Gallery.open(self.gallery, builder), builder.encoder(self.encoder)
        (result,) = search([query], *self._opened, k=self.k)
        return [Document(page_content=hit.path, metadata=hit.as_dict(), id=hit.id) for hit in result.hits]
