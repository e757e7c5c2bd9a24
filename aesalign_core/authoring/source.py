"""Reading a package's source without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

MAX_BYTES = 4_000_000
"""No module that anybody wrote is larger."""


class SourceError(Exception):
    """A module's source is not there, or is no Python."""


@dataclass(frozen=True)
class Source:
    """A module, parsed.

    Attributes:
        name: `package.module`.
        tree: Its syntax.
    """

    name: str
    tree: ast.Module

    def functions(self) -> dict[str, ast.FunctionDef]:
        """Functions at the module's top level."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes at the module's top level."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def names(self) -> set[str]:
        """Every name that the module binds at its top level, so that an import path may end in it."""
        found: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            else:
                found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return found

    def origins(self) -> dict[str, tuple[str, str]]:
        """Where names that are imported from a module come from: the module, and what it calls them."""
        found: dict[str, tuple[str, str]] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                above = self.name.split(".")[: -node.level] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                found |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
        return found

    def imported(self) -> set[str]:
        """Packages that importing the module imports: not those inside functions, or under `if TYPE_CHECKING`."""
        return set(_imported(self.tree.body))


def _imported(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from _imported([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            yield from _imported([*node.body, *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.ClassDef | ast.With):
            yield from _imported(node.body)


def read(module: str, path: Sequence[str]) -> Source:
    """Finds a module as an import would, but imports nothing, not even the packages that it lies in.

    Args:
        module: `package.module`.
        path: Where packages are looked for, as `sys.path` is.

    Raises:
        SourceError: There is no such module, it has no source, or the source is no Python.
    """
    searched: Sequence[str] = path
    found = None
    for depth, part in enumerate(module.split(".")):
        name = ".".join(module.split(".")[: depth + 1])
        found = PathFinder.find_spec(part if depth == 0 else name, list(searched))
        if found is None:
            raise SourceError(f"there is no module {name}")
        searched = list(found.submodule_search_locations or ())
    origin = found.origin if found else None
    if origin is None or not origin.endswith(".py"):
        raise SourceError(f"{module} has no source to read")
    file = Path(origin)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SourceError(f"{module} is too large to be a module ({MAX_BYTES:,} bytes)")
        return Source(module, ast.parse(file.read_bytes()))
    except OSError as error:
        raise SourceError(f"cannot read {module}: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError) as error:
        raise SourceError(f"{module} is not Python: {error}") from None
