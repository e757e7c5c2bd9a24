"""The example plugin, built, installed into a fresh environment and used in a search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "aesalign-sharpness"


def _run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that sees this one's packages, with the built wheel installed on top."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", EXAMPLE, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # addsitedir, so that editable installs of this environment are seen as well.
    (packages / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    python = folder / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", wheel, cwd=folder)
    return python


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The same scene, sharp and blurred."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    sharp = Image.fromarray(noise).resize((256, 192))
    sharp.save(folder / "sharp.png")
    sharp.filter(ImageFilter.GaussianBlur(4)).save(folder / "blurred.png")
    return folder


@pytest.mark.slow
@pytest.mark.network
def test_its_component_is_listed_and_used_in_a_search(environment: Path, photos: Path, tmp_path: Path) -> None:
    aesalign = (environment, "-m", "aesalign_core")
    assert "sharpness" not in {r["name"] for r in _listing((sys.executable, "-m", "aesalign_core"), tmp_path)}
    (record,) = [r for r in _listing(aesalign, tmp_path) if r["name"] == "sharpness"]
    assert (record["kind"], record["distribution"], record["status"]) == ("reward", "aesalign-sharpness", "ok")

    gallery = tmp_path / "gallery"
    _run(*aesalign, "index", photos, "-g", gallery, "--reward", "sharpness", cwd=tmp_path)
    answer = json.loads(
        _run(*aesalign, "search", "a pattern", "-g", gallery, "-r", "sharpness", "-w", "10", "--json", cwd=tmp_path)
    )
    first, second = answer["hits"]
    assert os.path.basename(first["path"]) == "sharp.png"  # noqa: PTH119
    assert first["rewards"]["sharpness"] > second["rewards"]["sharpness"]


def _listing(aesalign: tuple[object, ...], folder: Path) -> list[dict[str, str]]:
    return json.loads(_run(*aesalign, "plugins", "--json", cwd=folder))  # type: ignore[no-any-return]
