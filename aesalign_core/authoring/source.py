"""Reading a package's source without running any of it."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

MAX_BYTES = 4_000_000
"""No module that anybody wrote is larger."""


Function = ast.FunctionDef | ast.AsyncFunctionDef


class SourceError(Exception):
    """A module's source is not there, or is no Python."""


@dataclass(frozen=True, eq=False)
class Source:
    """A module, parsed.

    Attributes:
        name: `package.module`.
        file: Where it lies.
        tree: Its syntax.
    """

    name: str
    file: Path
    tree: ast.Module

    def functions(self) -> dict[str, Function]:
        """Functions at the module's top level."""
        return {node.name: node for node in self.tree.body if isinstance(node, Function)}

    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes at the module's top level."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def names(self) -> set[str]:
        """Every name that the module binds at its top level, so that an import path may end in it."""
        return set(_names(self.tree.body))

    def package(self) -> str:
        """What `.` means in its imports."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]

    def imported_from(self, node: ast.ImportFrom) -> str:
        """The module that an `import from` names, whole."""
        if not node.level:
            return node.module or ""
        above = self.package().split(".")
        above = above[: len(above) - node.level + 1]
        return ".".join([*above, *([node.module] if node.module else [])])

    def origins(self) -> dict[str, tuple[str, str]]:
        """Where names that are imported from a module come from: the module, and what it calls them."""
        found: dict[str, tuple[str, str]] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: (self.imported_from(node), alias.name) for alias in node.names}
        return found


def _names(body: Sequence[ast.AST]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        else:
            yield from _names(list(ast.iter_child_nodes(node)))


class Sources:
    """The modules that a path leads to, each read once.

    Args:
        path: Where packages are looked for, as `sys.path` is.
    """

    def __init__(self, path: Sequence[str]) -> None:
        self._path = list(path)
        self._found: dict[str, ModuleSpec | None] = {}
        self._read: dict[str, Source] = {}
        # Whoever checks a package has just changed it.
        PathFinder.invalidate_caches()

    def find(self, module: str) -> ModuleSpec | None:
        """Finds a module as an import would, but imports nothing, not even the packages that it lies in."""
        if module not in self._found:
            self._found[module] = self._search(module)
        return self._found[module]

    def _search(self, module: str) -> ModuleSpec | None:
        parent, _, _ = module.rpartition(".")
        path = self._path
        if parent:
            above = self.find(parent)
            if above is None:
                return None
            path = list(above.submodule_search_locations or ())
        return PathFinder.find_spec(module, path) or _installed_finder(module, path if parent else None)

    def read(self, module: str) -> Source:
        """Parses a module.

        Raises:
            SourceError: There is no such module, it has no source, or the source is no Python.
        """
        if module not in self._read:
            self._read[module] = _parsed(module, self._file(module))
        return self._read[module]

    def _file(self, module: str) -> Path:
        parts = module.split(".")
        for depth in range(len(parts)):
            if self.find(name := ".".join(parts[: depth + 1])) is None:
                raise SourceError(f"there is no module {name}")
        spec = self.find(module)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise SourceError(f"{module} has no source to read")
        return Path(spec.origin)


def _installed_finder(module: str, path: list[str] | None) -> ModuleSpec | None:
    """What an import hook of this process says, such as those of editable installs whose folders are named otherwise.

    They are asked, never the package: only importing runs code of it.
    """
    for finder in sys.meta_path:
        if finder is PathFinder:
            continue
        try:
            spec = finder.find_spec(module, path, None)
        except Exception:  # noqa: S112  # whatever is wrong with a stranger's hook, it does not know the module
            continue
        if spec is not None:
            return spec
    return None


def _parsed(module: str, file: Path) -> Source:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SourceError(f"{module} is too large to be a module ({MAX_BYTES:,} bytes)")
        with warnings.catch_warnings():
            # Such as of a backslash in a string: Python says it when the module is imported.
            warnings.simplefilter("ignore")
            return Source(module, file, ast.parse(file.read_bytes(), filename=str(file)))
    except OSError as error:
        raise SourceError(f"cannot read {module}: {error.strerror}") from None
    except SyntaxError as error:
        raise SourceError(f"{module} is not Python: {file}, line {error.lineno or 1}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{module} is not Python: {file}: {error}") from None
