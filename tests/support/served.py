"""The service as its clients meet it: a process on loopback, over a small gallery and a RUN on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_alignment import World, make_world

SUPPORT = Path(__file__).resolve().parent


@dataclass
class Served:
    """A process that serves.

    Attributes:
        process: It.
        facts: What it said of itself.
        said: Lines of its stderr, as they come.
        clients: Closed with it.
    """

    process: subprocess.Popen[str]
    facts: dict[str, Any]
    said: list[str]
    reader: threading.Thread
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def origins(self) -> tuple[str, ...]:
        """What the page may load from."""
        return (self.url, "data:")

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return str(self.facts["url"]).rstrip("/")

    def client(self, **headers: str) -> httpx.Client:
        """A client that keeps its connection."""
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=20))
        return self.clients[-1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(timeout=60)
        self.reader.join(timeout=10)
        self.close()
        return code

    def close(self) -> None:
        """What is left of it."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=60)
        self.reader.join(timeout=10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def started(command: list[str], **environment: str) -> Served:
    """Starts a process and waits for the line that it prints once it serves."""
    paths = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    said: list[str] = []
    assert process.stdout
    assert process.stderr
    errors = process.stderr
    reader = threading.Thread(target=lambda: said.extend(errors), daemon=True)
    reader.start()
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    served = Served(process, json.loads(line) if line else {}, said, reader)
    if not line:
        served.close()
        raise AssertionError("".join(said))
    return served


Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Colours, indexed, and a RUN beside them."""
    made = make_world(tmp_path_factory.mktemp("colours"))
    made.align(made.root / "run")
    return made


def colours_command(
    world: World, *, run: bool = True, delay: float = 0.0, gallery: Path | None = None, **settings: Any
) -> list[str]:
    """What serves the colours, or a copy of them."""
    given = json.dumps({"port": 0, "rate": 0, **settings})
    folder = str(world.root / "run") if run else ""
    return [sys.executable, "-m", "serve_colours", str(gallery or world.gallery), folder, given, str(delay)]


@pytest.fixture(scope="module")
def shared(world: World) -> Iterator[Served]:
    """A service that tests only ask."""
    served = started(colours_command(world))
    yield served
    assert served.stop() == 0
    assert not [line for line in served.said if "Traceback" in line], "".join(served.said)


@pytest.fixture
def serve(world: World) -> Iterator[Serve]:
    """Starts services; what is left running is ended."""
    running: list[Served] = []

    def _serve(*, environment: dict[str, str] | None = None, **options: Any) -> Served:
        running.append(started(colours_command(world, **options), **(environment or {})))
        return running[-1]

    yield _serve
    for one in running:
        one.close()
