"""Which plugins to check: those of a folder, or of what is installed."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from aesalign_core.authoring import requirements
from aesalign_core.errors import PluginError
from aesalign_core.messages import nearest
from aesalign_core.plugins import GROUP


@dataclass(frozen=True, slots=True)
class Target:
    """A plugin to check.

    Attributes:
        plugin: The entry point's name.
        module: What it names.
        attribute: Of the module, if it names an object that has the hooks; else empty.
        package: The distribution.
        path: Where its modules are looked for.
        folder: Where they must lie; None: anywhere.
        declared: The distributions that its metadata names, normalised; None: nobody can tell before it is built.
    """

    plugin: str
    module: str
    attribute: str
    package: str
    path: tuple[str, ...]
    folder: Path | None
    declared: frozenset[str] | None


def find(package: str | None) -> list[Target]:
    """The plugins of a package, or of all that is installed.

    Args:
        package: A distribution that is installed, or a folder with a `pyproject.toml`; None: all installed ones.

    Raises:
        PluginError: It is neither, or offers no plugin.
    """
    folder = Path(package) if package else None
    return _in_folder(folder) if folder and (folder / "pyproject.toml").is_file() else _installed(package)


def _installed(package: str | None) -> list[Target]:
    points = [(p, p.dist) for p in entry_points(group=GROUP) if p.dist]
    wanted = requirements.normal(package) if package else None
    found = [(p, dist) for p, dist in points if wanted in (None, requirements.normal(dist.name))]
    if not found:
        hint = nearest(package or "", [dist.name for _, dist in points])
        raise PluginError(
            f"no installed package {package!r} offers a plugin, and no folder of that name holds a pyproject.toml",
            hint=hint,
        )
    path = tuple(sys.path)
    return [
        Target(p.name, p.module, p.attr or "", dist.name, path, None, requirements.named(dist.requires or ()))
        for p, dist in sorted(found, key=lambda f: f[0].name)
    ]


def _in_folder(folder: Path) -> list[Target]:
    try:
        written = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        project = written.get("project", {})
        points = {str(name): str(value) for name, value in project.get("entry-points", {}).get(GROUP, {}).items()}
        path = (*_source_folders(folder, written.get("tool", {})), *sys.path)
        name, declared = str(project.get("name", folder.name)), requirements.of_project(project)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PluginError(f"cannot read {folder / 'pyproject.toml'}: {error}") from None
    if not points:
        raise PluginError(
            f"{folder / 'pyproject.toml'} names no plugin", hint=f"add a table [project.entry-points.{GROUP}]"
        )
    return [
        Target(plugin, module.strip(), attribute.strip(), name, path, folder, declared)
        for plugin, (module, _, attribute) in sorted((n, point.partition(":")) for n, point in points.items())
    ]


def _source_folders(folder: Path, tool: dict[str, Any]) -> list[str]:
    """`src`, the folder itself, and where the settings of hatch and setuptools say that packages lie."""
    setuptools = tool.get("setuptools", {})
    packages = setuptools.get("packages", {})
    where = packages.get("find", {}).get("where", ()) if isinstance(packages, dict) else ()
    hatch = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {}).get("packages", ())
    said = [*where, setuptools.get("package-dir", {}).get("", ""), *(str(Path(one).parent) for one in hatch)]
    return list(dict.fromkeys(str(folder / one) for one in ("src", "", *said)))
