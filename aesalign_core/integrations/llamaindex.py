"""A gallery as a LlamaIndex retriever (extra `llamaindex`)."""

from __future__ import annotations

from pathlib import Path

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle

from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery
from aesalign_core.searching import search


class GalleryRetriever(BaseRetriever):  # type: ignore[misc]
    """Photos of a gallery as image nodes with their scores.

    Args:
        gallery: Its folder.
        encoder: By any name that `--encoder` takes; None: `embedded`.
        k: Photos of an answer.
    """

    def __init__(self, gallery: str | Path, *, encoder: str | None = None, k: int = 10) -> None:
        builder = Builder()
        self._gallery, self._encoder, self._k = Gallery.open(gallery, builder), builder.encoder(encoder), k
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        (result,) = search([query_bundle.query_str], self._gallery, self._encoder, k=self._k)
        return [
            NodeWithScore(
                node=ImageNode(
                    id_=hit.id, image_path=hit.path, metadata={"path": hit.path, "rewards": dict(hit.rewards)}
                ),
                score=hit.score,
            )
            for hit in result.hits
        ]
