"""Texts of requests that come together are embedded together, and mean what they mean alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import Serve, Served

from aesalign_core.types import Vectors
from aesalign_serve.batching import Batcher, BusyError


class Tower:
    """Embeds a text as its length, and remembers the passes."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.passes.append(list(texts))
        if "bad" in texts:
            raise ValueError("a bad text")
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def run(steps: Any, tower: Tower | None = None, **settings: Any) -> tuple[Any, Tower]:
    """What a coroutine gives that works with a batcher."""
    tower = tower or Tower()

    async def whole() -> Any:
        batcher = Batcher(tower, **{"most": 4, "wait": 0.05, "queue": 8, "kept": 8, **settings})
        batcher.start()
        try:
            return await steps(batcher)
        finally:
            await batcher.close()

    return asyncio.run(whole()), tower


def test_requests_share_a_pass_and_equal_texts_a_row() -> None:
    async def steps(batcher: Batcher) -> Any:
        return await asyncio.gather(batcher.embed(["a", "bb"]), batcher.embed(["bb"]), batcher.embed(["ccc", "a"]))

    found, tower = run(steps, most=8)
    assert tower.passes == [["a", "bb", "ccc"]]
    assert [rows[:, 0].tolist() for rows, _ in found] == [[1, 2], [2], [3, 1]]


def test_a_pass_takes_no_more_than_it_may() -> None:
    async def steps(batcher: Batcher) -> Any:
        return await batcher.embed(["a", "bb", "ccc", "dddd", "eeeee"])

    found, tower = run(steps, most=2, wait=0.0)
    assert [len(texts) for texts in tower.passes] == [2, 2, 1]
    assert found[0][:, 0].tolist() == [1, 2, 3, 4, 5]


def test_what_was_embedded_is_kept_and_the_oldest_goes() -> None:
    async def steps(batcher: Batcher) -> Any:
        first = await batcher.embed(["a", "bb"])
        again = await batcher.embed(["a"])
        await batcher.embed(["ccc"])
        gone = await batcher.embed(["bb"])
        return first[1], again[1], gone[1]

    found, tower = run(steps, kept=2, wait=0.0)
    assert found == (0, 1, 0)
    assert tower.passes == [["a", "bb"], ["ccc"], ["bb"]]


def test_more_than_may_wait_is_refused_whole() -> None:
    async def steps(batcher: Batcher) -> Any:
        with pytest.raises(BusyError):
            await batcher.embed([str(number) for number in range(9)])
        return batcher.depth

    assert run(steps)[0] == 0


def test_a_broken_pass_fails_its_own_requests_and_no_others() -> None:
    async def steps(batcher: Batcher) -> Any:
        broken = await asyncio.gather(batcher.embed(["bad"]), batcher.embed(["a", "bad"]), return_exceptions=True)
        return broken, await batcher.embed(["a"])

    (broken, fine), _ = run(steps)
    assert [type(one) for one in broken] == [ValueError, ValueError]
    assert fine[0].tolist() == [[1, 1]]


def test_who_leaves_is_not_embedded_for() -> None:
    async def steps(batcher: Batcher) -> Any:
        leaving = asyncio.ensure_future(batcher.embed(["gone"]))
        staying = asyncio.ensure_future(batcher.embed(["here"]))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    _, tower = run(steps)
    assert tower.passes == [["here"]]


def test_a_large_request_keeps_nobody_waiting() -> None:
    class Slow(Tower):
        def __call__(self, texts: Sequence[str]) -> Vectors:
            time.sleep(0.1 * len(texts))
            return super().__call__(texts)

    async def steps(batcher: Batcher) -> Any:
        await batcher.embed(["how long a text takes"])
        large = asyncio.ensure_future(batcher.embed([str(number) for number in range(8)]))
        await asyncio.sleep(0.05)
        await asyncio.gather(batcher.embed(["one"]), batcher.embed(["two"]))
        done = large.done()
        return done, await large

    (done, (rows, _)), tower = run(steps, Slow(), most=8, wait=0.0, queue=20)
    assert not done
    assert rows.shape == (8, 2)
    # A tenth of a second each: a turn is two texts, and each request has one.
    assert [len(texts) for texts in tower.passes[1:]] == [2, 4, 2, 2]
    assert tower.passes[2][2:] == ["one", "two"]


def passes(served: Served) -> tuple[float, float]:
    """Passes of the text tower, and texts in them."""
    families = text_string_to_metric_families(served.client().get("/metrics").text)
    batch = next(family for family in families if family.name == "aesalign_batch_texts")
    values = {sample.name: sample.value for sample in batch.samples}
    return values["aesalign_batch_texts_count"], values["aesalign_batch_texts_sum"]


def test_concurrent_requests_of_a_real_service_share_passes_and_answers_are_those_of_one_alone(serve: Serve) -> None:
    served, alone = serve(delay=0.1), serve(max_batch=1)
    texts = [
        f"{colour} {word} photo {number}"
        for number in range(8)
        for colour, word in (("red", "dark"), ("blue", "bright"))
    ]

    def ask(service: Served, text: str) -> list[float]:
        body = {"input": text, "model": "aligned"}
        answer = service.client().post("/v1/embeddings", json=body)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"][0]["embedding"])

    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda text: ask(served, text), texts))
    np.testing.assert_allclose(together, [ask(alone, text) for text in texts], atol=1e-6)
    count, total = passes(served)
    assert total == 16
    assert count <= 8
    assert passes(alone) == (16, 16)
