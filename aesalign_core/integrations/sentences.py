"""Any encoder as an object with sentence-transformers' `encode`, which much code takes for an embedding model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aesalign_core.build import Builder
from aesalign_core.errors import QueryError
from aesalign_core.images.decoding import upright
from aesalign_core.protocols import Encoder
from aesalign_core.types import Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

_NO_MATTER = frozenset({"show_progress_bar", "device", "pool", "chunk_size"})
_ALWAYS = {"precision": "float32", "output_value": "sentence_embedding"}


class SentenceEncoder:
    """An encoder that is used as a `SentenceTransformer` is: texts, or photos as PIL images, in; unit rows out.

    Args:
        encoder: By any name that `--encoder` takes (a RUN folder, `RUN@0.6`), or built already.
        device: Where to compute, if it is built here; `auto`.
    """

    def __init__(self, encoder: str | Encoder, *, device: str = "auto") -> None:
        if isinstance(encoder, str):
            builder = Builder()
            builder.recipe = builder.recipe.model_copy(update={"device": device})
            encoder = builder.encoder(encoder)
        self.encoder = encoder

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.encoder.device

    def encode(
        self,
        sentences: str | Image | Iterable[str | Image],
        *,
        batch_size: int = 32,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = True,
        **options: Any,
    ) -> Any:
        """Embeds texts or photos.

        Args:
            sentences: n texts or n PIL images, or one of either.
            batch_size: Of them at once.
            convert_to_numpy: One array, rather than a list of n.
            convert_to_tensor: A torch tensor instead.
            normalize_embeddings: Must be true: only directions have a meaning here.
            options: What sentence-transformers takes besides. What changes no embedding, such as
                `show_progress_bar`, is ignored; anything else may only say what holds here anyway.

        Returns:
            (n, d) float32, rows of unit length; (d,) for a single one.

        Raises:
            QueryError: Neither texts nor photos, or both; or an option asks for other embeddings.
        """
        if not normalize_embeddings:
            raise QueryError("these embeddings have unit length", hint="leave normalize_embeddings out")
        if batch_size < 1:
            raise QueryError(f"a batch of {batch_size} holds nothing")
        for name, value in options.items():
            if name not in _NO_MATTER and value not in (None, _ALWAYS.get(name)):
                raise QueryError(f"encode has no use for {name}={value!r:.60}", hint="leave it out")
        one = isinstance(sentences, str) or _is_picture(sentences)
        items: list[Any] = [sentences] if one else list(sentences)  # type: ignore[arg-type]
        batches = [self._embed(items[at : at + batch_size]) for at in range(0, len(items), batch_size)]
        found = np.concatenate(batches) if batches else np.empty((0, self.encoder.dim), np.float32)
        if convert_to_tensor:
            import torch

            tensor = torch.from_numpy(found).to(self.device)
            return tensor[0] if one else tensor
        if one:
            return found[0]
        return found if convert_to_numpy else list(found)

    def encode_query(self, sentences: Any, **options: Any) -> Any:
        """`encode`: queries need no prompt of their own."""
        return self.encode(sentences, **options)

    def encode_document(self, sentences: Any, **options: Any) -> Any:
        """`encode`."""
        return self.encode(sentences, **options)

    def get_sentence_embedding_dimension(self) -> int:
        """D."""
        return self.encoder.dim

    def similarity(self, one: Vectors, other: Vectors) -> Vectors:
        """(n, m) cosines of (n, d) and (m, d) embeddings."""
        cosines: Vectors = np.asarray(one) @ np.asarray(other).T
        return cosines

    def _embed(self, items: Sequence[Any]) -> Vectors:
        if all(isinstance(item, str) for item in items):
            return self.encoder.encode_texts(items)
        if any(isinstance(item, str) for item in items):
            raise QueryError("texts and photos cannot be embedded in one call", hint="call encode for each")
        if odd := [item for item in items if not _is_picture(item)]:
            raise QueryError(f"{type(odd[0]).__name__} is neither a text nor a photo", hint="open photos with PIL")
        return self.encoder.encode_pixels([self.encoder.preprocess(upright(item)) for item in items])


def _is_picture(item: object) -> bool:
    return hasattr(item, "convert") and hasattr(item, "getexif")
