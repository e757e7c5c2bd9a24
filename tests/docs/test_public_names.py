"""What docs, examples and scaffolds import of aesalign is what `docs/plugins/compatibility.md` calls public."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import aesalign_core
from aesalign_core.authoring.scaffold import scaffold
from aesalign_core.hookspecs import KINDS, Kind

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "docs/plugins/compatibility.md"
CODE = re.compile(r"^```python\n(.*?)^```$|<<'PYTHON'\n(.*?)^PYTHON$", re.M | re.S)
WHOLE = ("protocols", "types", "errors", "settings", "hookspecs")


def public() -> set[str]:
    """The names of the table, and of those that are shown without a promise, below `aesalign_core`."""
    section = LIST.read_text(encoding="utf-8").partition("## What is public")[2].partition("\nAnything else")[0]
    rows = section[section.index("|---") :]
    return {name for name in re.findall(r"`([a-z_]+(?:\.\w+)*)`", rows) if name not in ("aesalign_core", "__all__")}


def imported(code: str) -> Iterator[tuple[str, str]]:
    """Modules of aesalign, and what is imported from them or read of them."""
    for node in ast.walk(ast.parse(textwrap.dedent(code))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "aesalign_core":
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((a.name, "") for a in node.names if a.name.startswith("aesalign_core."))
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "aesalign_core":
            yield "aesalign_core", node.attr


def is_public(module: str, name: str, listed: set[str]) -> bool:
    if module == "aesalign_core":
        return name in aesalign_core.__all__ or name in WHOLE
    inner = module.removeprefix("aesalign_core.")
    if inner == "testing":
        return name in import_module(module).__all__
    return (inner in WHOLE and not name.startswith("_")) or f"{inner}.{name}" in listed


def refused(code: str) -> list[str]:
    listed = public()
    return [f"{module}: {name}" for module, name in imported(code) if not is_public(module, name, listed)]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_page_shows_what_is_public(page: Path) -> None:
    for found in CODE.finditer(page.read_text(encoding="utf-8")):
        assert refused(found[1] or found[2]) == []


@pytest.mark.parametrize("module", sorted((ROOT / "examples").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_an_example_uses_what_is_public(module: Path) -> None:
    assert refused(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaffold_uses_what_is_public(kind: Kind, tmp_path: Path) -> None:
    made = scaffold("fine", kind, tmp_path)
    code = [(made.folder / file).read_text() for file in made.files if file.endswith(".py")]
    assert len(code) == 3
    assert [one for text in code for one in refused(text)] == []


def test_what_is_called_public_is_there() -> None:
    assert set(WHOLE) | {"testing", "recipe.Use", "files.write_text"} <= public()
    for name in sorted(public()):
        module, _, attribute = name.rpartition(".")
        try:
            import_module(f"aesalign_core.{name}")
        except ModuleNotFoundError:
            assert hasattr(import_module(f"aesalign_core.{module}"), attribute), name


def test_what_is_not_public_is_noticed() -> None:
    assert refused("from aesalign_core.build import Builder") == ["aesalign_core.build: Builder"]
    assert refused("import aesalign_core.plugins") == ["aesalign_core.plugins: "]
    assert refused("import aesalign_core\naesalign_core.plugins") == ["aesalign_core: plugins"]
    assert refused("from aesalign_core.types import _hidden") == ["aesalign_core.types: _hidden"]
