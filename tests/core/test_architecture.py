"""Which way dependencies point, read from the imports themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "aesalign_core").rglob("*.py"))
SOURCES = [*CORE, *sorted((ROOT / "plugins").rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_core_imports_no_plugin_and_none_of_their_libraries() -> None:
    banned = ("aesalign_embedded", "aesalign_human", "aesalign_laion", "aesalign_lancedb", "aesalign_litellm",
              "aesalign_openclip", "aesalign_prefrl", "aesalign_serve", "litellm", "lancedb", "open_clip", "timm",
              "transformers", "starlette", "uvicorn", "fastapi", "prometheus_client")  # fmt: skip
    # A model to test with is made of the library that it is a model of.
    core = [p for p in CORE if p.relative_to(ROOT) != Path("aesalign_core/testing/tiny_clip.py")]
    guilty = {(str(p.relative_to(ROOT)), name) for p in core for name in _imports(p) if name.split(".")[0] in banned}
    assert not guilty


def test_nothing_in_the_core_but_the_command_line_imports_the_command_line() -> None:
    guilty = [p.name for p in CORE if p.parent.name != "cli" and p.name not in ("__main__.py",)
              and any(name.startswith("aesalign_core.cli") for name in _imports(p))]  # fmt: skip
    assert not guilty


def test_no_module_grows_near_four_hundred_lines() -> None:
    assert not {str(p): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 350}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_pickle_but_torch_load_with_weights_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not _imports(path) & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "load"
            and ast.unparse(call.func) == "torch.load"
        ):
            assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in call.keywords)
