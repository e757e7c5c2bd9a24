"""Texts of many requests in one forward pass, and the texts that were embedded before."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from aesalign_core.types import Vectors

TURN = 0.25
"""Seconds of a pass that one request may fill: a large one must not keep the others waiting."""
Means = Callable[[Sequence[str]], Vectors]
Watch = Callable[[int, int], None]


class BusyError(Exception):
    """More texts wait than may."""


@dataclass(slots=True)
class Waiting:
    """One text of one request, and who waits for it."""

    text: str
    answer: asyncio.Future[Vectors]


class Batcher:
    """Gathers texts and embeds them in one thread, one pass after the other.

    Belongs to the event loop that `start` is called in.

    Args:
        means: What embeds: n texts → (n, d).
        most: Texts of one pass.
        wait: Seconds that a pass waits for more texts.
        queue: Texts that may wait.
        kept: Texts whose embeddings are kept, the least recently used going first.
        watch: Told the texts of each pass, and how many more wait.
    """

    def __init__(
        self, means: Means, *, most: int, wait: float, queue: int, kept: int, watch: Watch = lambda *_: None
    ) -> None:
        self._means, self._most, self._wait, self._queue, self._watch = means, most, wait, queue, watch
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._room = kept
        self._waiting: deque[deque[Waiting]] = deque()
        self._each = 0.0  # seconds of a text, lately
        self._came = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aesalign-encode")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to embed."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Ends. Who still waits is told so."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for request in self._waiting:
            for one in request:
                one.answer.cancel()
        self._thread.shutdown(wait=True)

    @property
    def depth(self) -> int:
        """Texts that wait."""
        return sum(map(len, self._waiting))

    async def embed(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        """Embeds texts.

        Returns:
            (n, d), and how many of the n were known already.

        Raises:
            BusyError: There is no room for them; none was taken.
        """
        known = {text: self._recall(text) for text in dict.fromkeys(texts)}
        missing = [text for text, row in known.items() if row is None]
        if self.depth + len(missing) > self._queue:
            raise BusyError
        loop = asyncio.get_running_loop()
        asked = [Waiting(text, loop.create_future()) for text in missing]
        if asked:
            self._waiting.append(deque(asked))
            self._came.set()
        try:
            rows = await asyncio.gather(*(one.answer for one in asked))
        finally:
            for one in asked:
                one.answer.cancel()  # whoever left, left: no pass is spent on it
        known.update(zip(missing, rows, strict=True))
        return np.stack([row for text in texts if (row := known[text]) is not None]), len(texts) - len(missing)

    def _recall(self, text: str) -> Vectors | None:
        if (row := self._kept.get(text)) is not None:
            self._kept.move_to_end(text)
        return row

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next()
            texts = list(dict.fromkeys(one.text for one in batch))
            if not texts:
                continue
            self._watch(len(texts), self.depth)
            began = loop.time()
            try:
                rows = await loop.run_in_executor(self._thread, self._means, texts)
            except Exception as error:
                _fail(batch, error)
                continue
            each = (loop.time() - began) / len(texts)
            self._each = (self._each + each) / 2 if self._each else each
            found = dict(zip(texts, rows, strict=True))
            self._keep(found)
            for one in batch:
                if not one.answer.done():
                    one.answer.set_result(found[one.text])

    async def _next(self) -> list[Waiting]:
        """Waits for texts; takes at most as many as fit a pass, without those that nobody waits for any more.

        Requests take turns, and each gives no more than it may fill of a pass.
        """
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        if self._wait and self.depth < self._most:
            await self._more()
        share = max(1, int(min(self._most, TURN / self._each if self._each else self._most)))
        taken: list[Waiting] = []
        for _ in range(len(self._waiting)):
            request = self._waiting.popleft()
            room = len(taken) + min(share, self._most - len(taken))
            while request and len(taken) < room:
                one = request.popleft()
                if not one.answer.done():
                    taken.append(one)
            if request:
                self._waiting.append(request)
        return taken

    async def _more(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                while self.depth < self._most:
                    self._came.clear()
                    await self._came.wait()

    def _keep(self, found: dict[str, Vectors]) -> None:
        for text, row in found.items():
            self._kept[text] = row.copy()  # a row of a matrix would keep all of it
            self._kept.move_to_end(text)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
