"""Help and listing load no model library."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = ("torch", "accelerate", "litellm", "lancedb", "transformers", "open_clip", "timm", "numpy", "pyarrow",
         "uvicorn", "starlette", "fastapi", "prometheus_client", "ray")  # fmt: skip
OPTIONAL = ("accelerate", "ray", "fastapi", "prometheus_client", "onnx", "onnxscript", "peft", "textual_image",
            "langchain_core", "llama_index")  # fmt: skip
VERBS = (
    "demo", "index", "reindex", "search", "rephrase", "score", "pairs", "grid", "align", "export", "report", "serve",
    "judge", "eval", "plugins", "doctor",
)  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plugins"], ["plugins", "--json"], ["search", "--help"], ["serve", "--help"]]
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['aesalign', *{arguments!r}]\n"
        "from aesalign_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout


GROUPS = (
    "eval retrieval",
    "eval zeroshot",
    "eval ranking",
    "eval compare",
    "eval hpir",
    "judge compare",
    "judge check",
    "judge vote",
    "plugins new",
    "plugins check",
)


@pytest.mark.parametrize("verb", [*(verb for verb in VERBS if verb not in ("eval", "judge")), *GROUPS])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aesalign_core", *verb.split(), "--help"], capture_output=True, text=True, check=True
    )
    assert "Example:" in done.stdout
    assert "--json" in done.stdout


def test_doctor_knows_every_extra() -> None:
    from aesalign_core.cli.doctor import EXTRAS

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    offered = project["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(offered) - {"dev"}
    for extra, (packages, _) in EXTRAS.items():
        assert {re.split(r"[\[<>=!~ ]", name)[0] for name in offered[extra]} == set(packages)


@pytest.mark.slow
def test_the_way_to_an_aligned_search_imports_no_extra(small_photos: Path, queries: Path, tmp_path: Path) -> None:
    grids = ["--set", "pairs.rows=2", "--set", "pairs.columns=2", "--set", "pairs.candidates=12"]
    way = [
        ["index", str(small_photos), "-g", "gallery"],
        ["pairs", "-g", "gallery", "--queries", str(queries), "-o", "pairs.parquet", *grids],
        ["align", "-p", "pairs.parquet", "-g", "gallery", "-o", "run", "--tune", "both", "--set", "align.steps=2"],
        ["reindex", "-g", "gallery", "-e", "run"],
        ["search", "a cat", "-g", "gallery", "-e", "run"],
        ["doctor"],
    ]
    program = (
        "import sys\n"
        "from aesalign_core.cli import main\n"
        f"for arguments in {way!r}:\n"
        "    sys.argv = ['aesalign', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert not stop.code, (arguments, stop.code)\n"
        f"print('FOUND', [m for m in {OPTIONAL!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "FOUND []"
