"""Services in processes of their own, and many clients at once that ask them."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx


@contextmanager
def service(gallery: Path, run: Path, *flags: str) -> Iterator[str]:
    """`aesalign serve` on a free port; gives its address."""
    command = [sys.executable, "-m", "aesalign_core", "serve", "-g", str(gallery), "--encoder", str(run)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--rate", "0", "--json", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"].rstrip("/")
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


@dataclass
class Load:
    """Requests for embeddings of one text each, no text twice.

    Attributes:
        url: Of the service.
        clients: That ask at once.
        requests: Of one round.
        queries: What the texts begin with.
        numbers: What they end with; shared by all that ask one service, or it would know their texts already.
        rounds: Seconds of each request, round by round.
    """

    url: str
    clients: int
    requests: int
    queries: list[str]
    numbers: Iterator[int]
    rounds: list[list[float]] = field(default_factory=list)

    def __call__(self) -> None:
        """One round."""
        self.rounds.append(asyncio.run(self._round()))

    async def _round(self) -> list[float]:
        texts = [f"{query} {next(self.numbers)}" for query in self._queries()]
        seconds: list[float] = []
        limits = httpx.Limits(max_connections=self.clients)
        async with httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits) as client:

            async def ask() -> None:
                while texts:
                    body = {"input": texts.pop(), "model": "aligned", "encoding_format": "base64"}
                    started = time.perf_counter()
                    answer = await client.post("/v1/embeddings", json=body)
                    seconds.append(time.perf_counter() - started)
                    answer.raise_for_status()

            await asyncio.gather(*(ask() for _ in range(self.clients)))
        return seconds

    def _queries(self) -> list[str]:
        return [self.queries[i % len(self.queries)] for i in range(self.requests)]

    def latency(self) -> dict[str, float]:
        """Milliseconds of a request: medians over the rounds of p50 and p99; the first round does not count."""
        cuts = [statistics.quantiles(one, n=100) for one in self.rounds[1:]]
        return {
            "p50": 1000 * statistics.median(c[49] for c in cuts),
            "p99": 1000 * statistics.median(c[98] for c in cuts),
        }
