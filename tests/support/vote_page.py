"""The human judge's page as people meet it: a process that serves it, and people who vote over HTTP."""

from __future__ import annotations

import html
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from command_line import Done
from PIL import Image

VALUES = {"left": 2, "similar": 4, "right": 6}


def photo(path: Path, colour: tuple[int, int, int], *, size: tuple[int, int] = (90, 60)) -> str:
    """A small picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path)


def rankings(folder: Path, count: int, *, per_row: int = 3, queries: Sequence[str] = ()) -> tuple[Path, Path]:
    """Two files of ranked lists: the old system finds dark photos, the new one light ones."""
    lines: dict[str, list[str]] = {"old": [], "new": []}
    for number in range(count):
        query = queries[number] if number < len(queries) else f"query {number}"
        for name, base in (("old", 10), ("new", 200)):
            hits = [
                photo(folder / "photos" / f"{name}-{number}-{rank}.png", (base + rank, number % 250, base))
                for rank in range(per_row)
            ]
            lines[name].append(json.dumps({"query": query, "hits": hits}, ensure_ascii=False))
    for name, written in lines.items():
        (folder / f"{name}.jsonl").write_text("\n".join(written) + "\n", encoding="utf-8")
    return folder / "old.jsonl", folder / "new.jsonl"


@dataclass
class Served:
    """A process that serves the page."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.Client:
        """A browser without a name, whose posts come from the page unless it is told otherwise."""
        given = headers or {"origin": self.origin}
        self.clients.append(httpx.Client(base_url=self.origin, headers=given, timeout=20))
        return self.clients[-1]

    @property
    def origin(self) -> str:
        """Scheme, host and port, as this machine reaches it."""
        return f"http://127.0.0.1:{urlsplit(self.url).port}"

    @property
    def origins(self) -> tuple[str, ...]:
        """What the page may load from."""
        return (self.origin,)

    def person(self, name: str) -> Person:
        """Somebody who has given their name."""
        return Person(self.client(), name)

    def interrupt(self) -> Done:
        """Ctrl-C, and what it left."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def finish(self) -> Done:
        """Somebody presses the last button, and what it left."""
        assert "Thank you" in self.person("the last").http.post("/finish").text
        return self.wait()

    def wait(self) -> Done:
        """What it leaves by itself."""
        out, err = self.process.communicate(timeout=60)
        self._close()
        return Done(self.process.returncode, out, "".join(self.said) + err)

    def kill(self) -> None:
        """At once, as `kill -9` does."""
        self.process.kill()
        self.process.communicate(timeout=60)
        self._close()

    def _close(self) -> None:
        for client in self.clients:
            client.close()


class Person:
    """Somebody who votes."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.http = client
        self.name = name
        entered = client.post("/name", data={"name": name})
        assert entered.status_code == 303, entered.text

    def next(self) -> Shown | None:
        """What is shown next; None at the end."""
        return self._shown(self.http.get("/next", follow_redirects=True))

    def at(self, position: int) -> Shown | None:
        """One comparison."""
        return self._shown(self.http.get(f"/c/{position}", follow_redirects=True))

    def post(self, shown: Shown, **fields: Any) -> httpx.Response:
        """An answer, as a form gives it."""
        return self.http.post(f"/c/{shown.position}", data={"comparison": shown.comparison, **fields})

    def vote(self, shown: Shown, *values: int) -> httpx.Response:
        """An answer to each question."""
        return self.post(shown, do="save", **{f"aspect-{number}": value for number, value in enumerate(values)})

    def vote_all(self, choose: Callable[[Shown], Sequence[int]]) -> list[Shown]:
        """Answers everything that is left."""
        answered = []
        while shown := self.next():
            assert self.vote(shown, *choose(shown)).status_code == 303
            answered.append(shown)
        return answered

    def _shown(self, response: httpx.Response) -> Shown | None:
        assert response.status_code == 200, response.text
        return (
            None if response.url.path == "/end" else Shown(response.text, int(response.url.path.rpartition("/")[2]))
        )


@dataclass(frozen=True)
class Shown:
    """A comparison's page."""

    text: str
    position: int

    @property
    def comparison(self) -> str:
        return re.findall(r'name="comparison" value="(\w+)"', self.text)[0]

    @property
    def query(self) -> str:
        return html.unescape(re.findall(r'<h1 tabindex="-1"><bdi>(.*?)</bdi></h1>', self.text)[0])

    @property
    def left(self) -> list[str]:
        """sha256 of the photos on the left."""
        return re.findall(r'href="/photo/(\w+)/large" data-side="left"', self.text)

    @property
    def right(self) -> list[str]:
        return re.findall(r'href="/photo/(\w+)/large" data-side="right"', self.text)

    @property
    def checked(self) -> list[int]:
        """Answers that are filled in."""
        return [int(value) for value in re.findall(r'value="(\d)" required aria-label="[^"]+" checked', self.text)]


Serve = Callable[..., Served]


def _in_the_child(limit: int | None) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def start(
    folder: Path, *arguments: object, limit: int | None = None, environment: dict[str, str] | None = None
) -> Served:
    """Starts `aesalign judge …` in a folder and waits for its address.

    Args:
        folder: Where.
        arguments: After `judge`.
        limit: Most bytes that a file may grow to.
        environment: Further variables.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "aesalign_core", "judge", *map(str, arguments), "--set", "judge.port=0"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(environment or {})}, preexec_fn=lambda: _in_the_child(limit),
    )  # fmt: skip
    said: list[str] = []
    assert process.stderr is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"vote at (http://\S+)", line):
            watchdog.cancel()
            return Served(process, found[1], said)
    watchdog.cancel()
    raise AssertionError("".join(said))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts pages in the test's own folder; what is left running is ended."""
    started: list[Served] = []

    def _serve(*arguments: object, **options: Any) -> Served:
        started.append(start(tmp_path, *arguments, **options))
        return started[-1]

    yield _serve
    for one in started:
        one.kill()
