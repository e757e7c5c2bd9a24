"""What the service answers: embeddings as OpenAI's own client asks for them, hits, photos, health, numbers."""

from __future__ import annotations

import base64
import json
import shutil
from io import BytesIO
from pathlib import Path

import colours
import numpy as np
import openai
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from served import Serve, Served
from tiny_alignment import World

from aesalign_core import search


@pytest.fixture
def client(shared: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{shared.url}/v1", api_key="not asked for", max_retries=0)


def test_openais_client_gets_what_the_encoder_gives(client: openai.OpenAI, world: World) -> None:
    texts = ["a red photo", "blue", "a red photo"]
    encoder = colours.builder().encoder()
    for form in ("float", "base64"):
        answer = client.embeddings.create(input=texts, model="base", encoding_format=form)
        assert [one.index for one in answer.data] == [0, 1, 2]
        rows = [
            np.frombuffer(base64.b64decode(one.embedding), dtype="<f4")
            if isinstance(one.embedding, str)
            else one.embedding
            for one in answer.data
        ]
        np.testing.assert_allclose(np.array(rows), encoder.encode_texts(texts), atol=1e-6)
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 7
    single = client.embeddings.create(input="blue", model="aligned")
    aligned = colours.builder().encoder(str(world.root / "run"))
    np.testing.assert_allclose(single.data[0].embedding, aligned.encode_texts(["blue"])[0], atol=1e-6)
    assert [model.id for model in client.models.list()] == ["base", "aligned"]


def test_of_a_linear_head_any_strength_is_that_of_run_at_strength(client: openai.OpenAI, world: World) -> None:
    for strength in (0, 0.35, 1, 1.5):
        name = f"aligned@{strength}"
        served = client.embeddings.create(input="a yellow photo", model=name).data[0].embedding
        whole = colours.builder().encoder(f"{world.root / 'run'}@{strength}").encode_texts(["a yellow photo"])[0]
        np.testing.assert_allclose(served, whole, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"model": "nothing"}, 404, "model_not_found"),
        ({"model": "aligned@9"}, 404, "model_not_found"),
        ({"input": []}, 400, "too_short"),
        ({"input": [[1, 2]]}, 400, "value_error"),
        ({"input": " "}, 400, None),
        ({"input": "\ud800"}, 400, None),
        ({"input": ["a"] * 257}, 400, None),
        ({"input": "a" * 2001}, 400, None),
        ({"dimensions": 7}, 400, None),
        ({"encoding_format": "hex"}, 400, "literal_error"),
        ({"modle": "base"}, 400, "extra_forbidden"),
    ],
)
def test_what_it_cannot_embed_is_told_in_openais_shape(
    shared: Served, asked: dict, status: int, code: str | None
) -> None:
    body = json.dumps({"input": "red", "model": "base", **asked})  # httpx would not send half a surrogate pair
    answer = shared.client(**{"content-type": "application/json"}).post("/v1/embeddings", content=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()["error"]
    assert set(problem) == {"message", "type", "param", "code"}
    assert problem["type"] == "invalid_request_error"
    assert code is None or problem["code"] == code
    assert "\n" not in problem["message"]


def test_half_a_surrogate_pair_is_no_query(shared: Served) -> None:
    json_ = {"content-type": "application/json"}
    for body in ('{"query": "a \\ud800"}', '{"query": "a", "reward": "\\ud800"}', '{"query": "a", "\\ud800": 1}'):
        assert shared.client(**json_).post("/search", content=body).status_code == 400


def test_searching_is_what_the_sdk_finds(shared: Served, world: World) -> None:
    build = colours.builder()
    for name, strength in (("colours", 0), (str(world.root / "run"), 1), (f"{world.root / 'run'}@0.4", 0.4)):
        found = search(["a yellow photo"], world.open(build), build.encoder(name), k=7)[0]
        posted = shared.client().post("/search", json={"query": "a yellow photo", "k": 7, "strength": strength})
        got = shared.client().get("/search", params={"q": "a yellow photo", "k": 7, "strength": strength})
        assert posted.json() == got.json()
        assert [hit["id"] for hit in got.json()["hits"]] == [hit.id for hit in found.hits]
    by_default = shared.client().get("/search", params={"q": "a yellow photo", "k": 7}).json()
    assert by_default["strength"] == 1
    weighted = {"query": "a red photo", "reward": "brightness", "reward_weight": 5}
    hits = shared.client().post("/search", json=weighted).json()["hits"]
    rewards = [hit["rewards"]["brightness"] for hit in hits]
    assert rewards[0] == max(rewards)
    assert shared.client().post("/search", json={"query": "a", "reward": "beauty"}).status_code == 400


def test_the_answer_names_no_folder_of_the_machine(shared: Served, world: World) -> None:
    client = shared.client()
    for path in ("/search?q=red", "/readyz", "/v1/models", "/", "/openapi.json", "/metrics", "/photos/" + "0" * 64):
        assert str(world.root) not in client.get(path).text


def test_photos_are_those_of_the_gallery_and_no_other_file(shared: Served) -> None:
    client = shared.client()
    hit = client.get("/search", params={"q": "red", "k": 1}).json()["hits"][0]
    answer = client.get(f"/photos/{hit['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(BytesIO(answer.content)).size == (64, 48)
    for name in ("0" * 64, "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/etc/passwd", hit["id"][:-1],
                 hit["name"],
                 hit["id"].upper(), hit["id"] + "%00", "' OR 1=1 --"):  # fmt: skip
        refused = client.get(f"/photos/{name}")
        assert refused.status_code in (400, 404), name
        assert b"root:" not in refused.content
    assert client.get(f"/photos/{hit['id']}?size=huge").status_code == 400


def test_a_photo_that_changed_is_not_shown(serve: Serve, world: World) -> None:
    served = serve()
    hit = served.client().get("/search", params={"q": "magenta", "k": 1}).json()["hits"][0]
    path = world.photos / hit["name"]
    kept = path.read_bytes()
    try:
        path.write_bytes(b"not what it was")
        assert served.client().get(f"/photos/{hit['id']}").status_code == 404
    finally:
        path.write_bytes(kept)


def test_a_service_whose_gallery_is_gone_is_not_ready(serve: Serve, world: World, tmp_path: Path) -> None:
    shutil.copytree(world.gallery, tmp_path / "gallery")
    client = serve(gallery=tmp_path / "gallery", run=False).client()
    assert client.get("/readyz").status_code == 200
    (tmp_path / "gallery").rename(tmp_path / "away")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert client.get("/healthz").status_code == 200
    (tmp_path / "away").rename(tmp_path / "gallery")
    assert client.get("/readyz").json()["photos"] == 60


def test_without_a_run_there_is_no_strength(serve: Serve) -> None:
    client = serve(run=False).client()
    assert client.get("/readyz").json() == {"status": "ready", "photos": 60, "aligned": False}
    assert client.get("/search", params={"q": "red"}).json()["strength"] == 0
    refused = client.get("/search", params={"q": "red", "strength": 1})
    assert refused.status_code == 400
    assert "--encoder RUN" in refused.json()["error"]["message"]
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["base"]


def test_prometheus_can_read_the_numbers(shared: Served) -> None:
    client = shared.client()
    for _ in range(3):
        client.get("/search", params={"q": "a cyan photo"})
    client.get("/photos/nothing/of/the/kind")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {
        "aesalign_requests",
        "aesalign_request_seconds",
        "aesalign_batch_texts",
        "aesalign_texts",
    } <= families.keys()
    routes = {sample.labels.get("route") for sample in families["aesalign_requests"].samples}
    assert {"/search", "other"} <= routes
    assert not any(route and "nothing" in route for route in routes)
    values = {sample.name: sample.value for sample in families["aesalign_texts_known"].samples}
    assert values["aesalign_texts_known_total"] >= 2
