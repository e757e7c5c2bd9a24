"""Encoders and galleries as other libraries know such things, asked by those libraries themselves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import lancedb
import numpy as np
import pytest
import torch
from lancedb.embeddings import get_registry
from lancedb.pydantic import LanceModel, Vector
from PIL import Image

from aesalign_core.build import Builder
from aesalign_core.errors import QueryError
from aesalign_core.images.decoding import decode
from aesalign_core.integrations.sentences import SentenceEncoder
from aesalign_core.searching import search
from aesalign_core.testing.pictures import scene
from aesalign_core.testing.tiny_gallery import TinyGallery

QUERY = "a landscape with sharp things in it"


@pytest.fixture
def expected(tiny_gallery: TinyGallery) -> list[tuple[str, float]]:
    """What our own search finds."""
    (result,) = search([QUERY], tiny_gallery.open(), tiny_gallery.builder().encoder(), k=4)
    return [(hit.path, pytest.approx(hit.score, abs=1e-5)) for hit in result.hits]  # type: ignore[misc]


def test_encode_is_what_sentence_transformers_users_expect(tiny_clip: str) -> None:
    model, encoder = SentenceEncoder(tiny_clip, device="cpu"), Builder().encoder(tiny_clip)
    texts = [f"a photo of {number} things" for number in range(7)]
    rows = model.encode(texts, batch_size=3, show_progress_bar=False)
    np.testing.assert_allclose(rows, encoder.encode_texts(texts), atol=1e-5)
    assert model.encode(texts[0]).shape == (model.get_sentence_embedding_dimension(),)
    assert model.encode([]).shape == (0, encoder.dim)
    assert isinstance(model.encode(texts, convert_to_tensor=True), torch.Tensor)
    assert len(model.encode(texts, convert_to_numpy=False)) == 7
    picture = scene(3)
    np.testing.assert_allclose(
        model.encode(picture), encoder.encode_pixels([encoder.preprocess(picture)])[0], atol=1e-5
    )
    assert model.similarity(model.encode_query(texts), model.encode_document([picture] * 2)).shape == (7, 2)


def test_what_encode_cannot_do_is_one_line(tiny_clip: str) -> None:
    model = SentenceEncoder(tiny_clip, device="cpu")
    for wrong in ({"normalize_embeddings": False}, {"batch_size": 0}):
        with pytest.raises(QueryError):
            model.encode(["a"], **wrong)
    with pytest.raises(QueryError, match="cannot be embedded in one call"):
        model.encode(["a", scene(1)])
    for name, value in {
        "truncate_dim": 4,
        "precision": "int8",
        "output_value": "token_embeddings",
        "prompt": "a ",
    }.items():
        with pytest.raises(QueryError, match=f"^encode has no use for {name}="):
            model.encode(["a"], **{name: value})
    for nothing in ([None], [3], np.zeros((2, 3))):
        with pytest.raises(QueryError, match="is neither a text nor a photo"):
            model.encode(nothing)


def test_what_encode_takes_besides(tiny_clip: str) -> None:
    model = SentenceEncoder(tiny_clip, device="cpu")
    texts = ["a dog", "a cat"]
    for given in (np.array(texts), tuple(texts), (text for text in texts)):
        found = model.encode(given, precision="float32", prompt=None, device="cpu")
        np.testing.assert_allclose(found, model.encode(texts), atol=1e-5)


def test_opened_pictures_are_seen_as_indexed_files_are(tiny_clip: str, tmp_path: Path) -> None:
    import aesalign_lancedb.embedding_function

    exif = Image.Exif()
    exif[0x0112] = 6
    scene(3).resize((90, 60)).save(tmp_path / "turned.jpg", exif=exif)
    clear = scene(3).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(tmp_path / "clear.png")
    model, embed = SentenceEncoder(tiny_clip, device="cpu"), aesalign_lancedb.embedding_function.AesalignEmbeddings
    for path in (tmp_path / "turned.jpg", tmp_path / "clear.png"):
        expected = model.encoder.encode_pixels([model.encoder.preprocess(decode(path))])[0]
        with Image.open(path) as opened:
            np.testing.assert_allclose(model.encode(opened), expected, atol=1e-5)
        with Image.open(path) as opened:
            found = embed.create(encoder=tiny_clip).compute_source_embeddings([opened])[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_lancedb_table_embeds_photos_and_queries_itself(
    tiny_gallery: TinyGallery, expected: list[tuple[str, float]], tmp_path: Path
) -> None:
    import aesalign_lancedb.embedding_function as registered

    assert registered.AesalignEmbeddings is get_registry().get("aesalign")
    embed = get_registry().get("aesalign").create(encoder=tiny_gallery.encoder)

    class Photo(LanceModel):  # type: ignore[misc]
        path: str = embed.SourceField()
        vector: Vector(embed.ndims()) = embed.VectorField()  # type: ignore[valid-type]

    table = lancedb.connect(tmp_path / "db").create_table("photos", schema=Photo)
    table.add([{"path": str(path)} for path in sorted(tiny_gallery.photos.iterdir())])
    again = lancedb.connect(tmp_path / "db").open_table("photos")  # which knows its function from its own schema
    for opened in (table, again):
        found = opened.search(QUERY).distance_type("cosine").limit(4).to_list()
        assert [(row["path"], 1 - row["_distance"]) for row in found] == expected
    with pytest.raises(RuntimeError, match=r"none\.jpg: no such file"):  # at once; LanceDB hides its kind
        table.add([{"path": str(tmp_path / "none.jpg")}])
    as_bytes = embed.compute_source_embeddings([Path(expected[0][0]).read_bytes()])
    np.testing.assert_allclose(as_bytes[0], found[0]["vector"], atol=1e-5)


def test_langchain_retrieves_what_search_finds(tiny_gallery: TinyGallery, expected: list[tuple[str, float]]) -> None:
    from aesalign_core.integrations.langchain import GalleryRetriever

    retriever = GalleryRetriever(gallery=str(tiny_gallery.path), encoder=tiny_gallery.encoder, k=4)
    for found in (retriever.invoke(QUERY), asyncio.run(retriever.ainvoke(QUERY))):
        assert [(one.page_content, one.metadata["score"]) for one in found] == expected
        assert all(len(one.id or "") == 64 for one in found)


def test_llamaindex_retrieves_what_search_finds(tiny_gallery: TinyGallery, expected: list[tuple[str, float]]) -> None:
    from aesalign_core.integrations.llamaindex import GalleryRetriever

    found = GalleryRetriever(tiny_gallery.path, encoder=tiny_gallery.encoder, k=4).retrieve(QUERY)
    assert [(one.node.image_path, one.score) for one in found] == expected  # type: ignore[attr-defined]


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    optional = ("langchain_core", "llama_index", "onnx", "fastapi", "ray", "accelerate", "prometheus_client", "peft")
    code = (
        "import sys, aesalign_core.cli.app, aesalign_core.integrations.sentences, aesalign_core.alignment.align\n"
        "from aesalign_core.build import Builder; Builder().encoder()\n"
        f"print(*sorted({set(optional)!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert not done.stdout.split()
