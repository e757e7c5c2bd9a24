"""Recipes are validated whole, before anything is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aesalign_core import recipe
from aesalign_core.errors import AesalignError, RecipeError


def _write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_names_components_and_their_settings(tmp_path: Path) -> None:
    loaded = recipe.load(
        _write(
            tmp_path,
            """
            device = "cpu"
            [objective]
            use = "ranked_dpo"
            beta = 0.5
            [pairs]
            rows = 3
            [align]
            tune = "both"
            """,
        )
    )
    assert loaded.objective.settings == {"beta": 0.5}
    assert (loaded.pairs.rows, loaded.align.tune, loaded.encoder.use) == (3, "both", "embedded")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encodr = 1", "unknown key 'encodr'.*did you mean 'encoder'"),
        ("[pairs]\nrow = 3", r"\[pairs\].*unknown key 'row'.*did you mean 'rows'"),
        ("[align]\nsteps = 0", r"\[align\].*steps.*greater than or equal to 1"),
        ("[align]\ntune = 'texts'", "tune.*'text', 'image', 'both' or 'adapter'"),
        ("[objective]\nuse = 'ranked_dpo'\nbetta = 1", "unknown key 'betta'.*did you mean 'beta'"),
        ("[objective]\nuse = 'ranked_dop'", "no objective is named 'ranked_dop'.*did you mean 'ranked_dpo'"),
        ("[[rewards]]\nuse = 'embeded'", "no reward is named 'embeded'.*'embedded'"),
        ("[encoder]\nname = 'x'", "encoder.use is missing \\(set it in the recipe\\)"),
        ("[encoder", "not valid TOML"),
        ("pairs = 3", "pairs"),
    ],
)
def test_anything_wrong_is_one_line_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AesalignError, match=message) as caught:
        recipe.load(_write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_recipe_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        recipe.load(tmp_path / "none.toml")
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not valid TOML"):
        recipe.load(path)


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    first = recipe.load(_write(tmp_path, "[[rewards]]\nuse = 'embedded'\n[pairs]\nmargin = 0.25"))
    assert recipe.load(_write(tmp_path, recipe.dumps(first))) == first


def test_validating_the_default_recipe_imports_no_model_library(tmp_path: Path) -> None:
    path = _write(tmp_path, "[encoder]\nuse = 'embedded'\n[rephraser]\nuse = 'litellm'\nmodel = 'openai/gpt-4o-mini'")
    program = (
        "import sys; from pathlib import Path; from aesalign_core import recipe;"
        f"recipe.load(Path({str(path)!r}));"
        "print([m for m in ('torch', 'litellm', 'lancedb', 'transformers', 'open_clip', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
