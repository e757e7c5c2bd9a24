"""The command line as people meet it: a process, its two streams and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

CAPTIONS = {
    "astronaut.jpg": "an astronaut in an orange suit in front of a flag",
    "cat.jpg": "a close-up of a tabby cat",
    "coffee.jpg": "a cup of coffee on a wooden table",
    "rocket.jpg": "a rocket on its launch pad at night",
    "china.jpg": "a Chinese temple with a curved roof",
    "flower.jpg": "a pink flower against dark green leaves",
}


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Aesalign = Callable[..., Done]


@pytest.fixture
def aesalign(tmp_path: Path) -> Aesalign:
    """Runs `aesalign` in the test's own folder."""

    def _run(*arguments: object, **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "aesalign_core", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
            env={**os.environ, "COLUMNS": "160", **environment},
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return _run


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real photographs, four crops of each."""
    folder = tmp_path_factory.mktemp("photos")
    china, flower = load_sample_images().images
    pictures = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), china, flower]
    for name, picture in zip(CAPTIONS, pictures, strict=True):
        whole = Image.fromarray(picture)
        for crop in range(4):
            share = 1 - 0.15 * crop
            part = whole.crop((0, 0, round(whole.width * share), round(whole.height * share)))
            part.thumbnail((320, 320))
            part.save(folder / (name if not crop else f"crop{crop}-{name}"), quality=92)
    return folder


@pytest.fixture(scope="session")
def gallery(small_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those photographs, indexed with the embedded components. Tests read it only."""
    folder = tmp_path_factory.mktemp("made") / "gallery"
    command = [sys.executable, "-m", "aesalign_core", "index", str(small_photos), "-g", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 24
    return folder


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """One query a line."""
    path = tmp_path / "queries.txt"
    path.write_text("".join(f"{caption}\n" for caption in CAPTIONS.values()))
    return path


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """CSV of the photographs' captions."""
    path = tmp_path / "captions.csv"
    path.write_text("file,caption\n" + "".join(f"{f},{c}\n" for f, c in CAPTIONS.items()))
    return path
