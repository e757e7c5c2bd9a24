"""An encoder in LanceDB's own registry of embedding functions: tables that embed photos and queries by themselves.

Importing this module registers it, as `aesalign`:

    from lancedb.embeddings import get_registry
    import aesalign_lancedb.embedding_function

    embed = get_registry().get("aesalign").create(encoder="run@0.6")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lancedb.embeddings import EmbeddingFunction, register
from PIL import Image
from pydantic import PrivateAttr

from aesalign_core.build import Builder
from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode, decode_bytes, upright
from aesalign_core.protocols import Encoder


@register("aesalign")
class AesalignEmbeddings(EmbeddingFunction):  # type: ignore[misc]
    """Embeds photos for a table's vector column, and texts (or photos) for its queries.

    Attributes:
        encoder: By any name that `--encoder` takes. One aligned with `--tune text` searches what its base filled.
        batch_size: Photos at once.
    """

    encoder: str = "embedded"
    batch_size: int = 32
    _built: Any = PrivateAttr(default=None)

    def _encoder(self) -> Encoder:
        if self._built is None:
            self._built = Builder().encoder(self.encoder)
        built: Encoder = self._built
        return built

    def ndims(self) -> int:
        """D."""
        return self._encoder().dim

    def compute_query_embeddings_with_retry(self, *args: Any, **kwargs: Any) -> list[Any]:
        """At once: nothing here heals by waiting, as the services do that the library's retries are for."""
        return self.compute_query_embeddings(*args, **kwargs)

    def compute_source_embeddings_with_retry(self, *args: Any, **kwargs: Any) -> list[Any]:
        """At once, too."""
        return self.compute_source_embeddings(*args, **kwargs)

    def compute_query_embeddings(self, query: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """One embedding, of a text or of a photo."""
        if isinstance(query, str):
            return list(self._encoder().encode_texts([query]))
        return self.compute_source_embeddings([query])

    def compute_source_embeddings(self, images: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """An embedding per photo: paths, encoded bytes or PIL images.

        Raises:
            ImageError: One cannot be decoded.
        """
        given = self.sanitize_input(images)
        photos: Sequence[Any] = list(given) if isinstance(given, list | tuple) else [given]
        encoder = self._encoder()
        found: list[Any] = []
        for at in range(0, len(photos), self.batch_size):
            pixels = [encoder.preprocess(_decoded(photo)) for photo in photos[at : at + self.batch_size]]
            found.extend(encoder.encode_pixels(pixels))
        return found


def _decoded(photo: Any) -> Image.Image:
    if isinstance(photo, Image.Image):
        return upright(photo)
    if isinstance(photo, bytes):
        return decode_bytes(photo).image
    try:
        return decode(Path(photo))
    except ImageError as error:
        raise ImageError(f"{photo}: {error}") from error
