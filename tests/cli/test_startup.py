"""Help and listing load no model library."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "accelerate", "litellm", "lancedb", "transformers", "open_clip", "timm", "numpy", "pyarrow",
         "uvicorn", "starlette", "fastapi", "prometheus_client", "ray")  # fmt: skip
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
