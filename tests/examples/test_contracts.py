"""The example packages, installed with what they depend on, against their own tests: the contract of their kind."""

from __future__ import annotations

import json
from pathlib import Path

import plugin_environment
import pytest

from aesalign_core.authoring.checking import check

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.mark.parametrize("name", ["sharpness", "faiss", "pyiqa"])
def test_an_example_passes_the_contract_of_its_kind(name: str, tmp_path: Path) -> None:
    folder = EXAMPLES / f"aesalign-{name}"
    assert {finding.status for finding in check(str(folder))} == {"ok"}
    python = plugin_environment.environment(tmp_path, folder, needs=True)
    said = plugin_environment.run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests", cwd=folder
    )
    assert " passed" in said
    assert "skipped" not in said


def test_a_gallery_in_faiss_is_searched_as_one_in_lancedb(small_photos: Path, tmp_path: Path) -> None:
    """The same photographs, queries and scores, by the command line."""
    python = plugin_environment.environment(tmp_path, EXAMPLES / "aesalign-faiss", needs=True)
    answers = []
    for retriever in ("lancedb", "faiss"):
        chosen = ("-g", tmp_path / retriever, "--set", f"retriever.use={retriever}")
        plugin_environment.run(python, "-m", "aesalign_core", "index", small_photos, *chosen, cwd=tmp_path)
        said = plugin_environment.run(
            python, "-m", "aesalign_core", "search", "a cat", *chosen, "-k", "5", "--json", cwd=tmp_path
        )
        answers.append([(hit["path"], pytest.approx(hit["score"], abs=1e-5)) for hit in json.loads(said)["hits"]])
    assert answers[0] == answers[1]
