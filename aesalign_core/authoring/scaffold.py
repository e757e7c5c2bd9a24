"""A plugin package to start from, which passes its own tests at once."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from aesalign_core import __version__
from aesalign_core.authoring.bundled import packages
from aesalign_core.errors import PluginError
from aesalign_core.files import new_folder
from aesalign_core.hookspecs import Kind

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_PREFIX = "aesalign-"
_LONGEST = 50


@dataclass(frozen=True, slots=True)
class _Part:
    """What differs between kinds: the contract, what the test says of the component, a summary, what it imports.

    All that it imports comes with aesalign; it is declared all the same, as aesalign may come to do without it.
    """

    contract: str
    test: str
    summary: str
    needs: tuple[str, ...] = ()


_PARTS: dict[Kind, _Part] = {
    "encoder": _Part(
        "TrainableEncoderContract",
        'refused = ({"side": 0},)',
        "Colours, and the words for them.",
        ("numpy", "pydantic", "torch"),
    ),
    "rephraser": _Part(
        "RephraserContract", 'refused = ({"words": ""},)', "Adds the same words to every query.", ("pydantic",)
    ),
    "reward": _Part(
        "RewardContract", 'refused = ({"side": 0},)', "Prefers photographs of much contrast.", ("numpy", "pydantic")
    ),
    "retriever": _Part(
        "RetrieverContract",
        'refused = ({"batch": 0},)\n    filters = False',
        "One Parquet file, searched exactly with NumPy.",
        ("filelock", "numpy", "pyarrow", "pydantic"),
    ),
    "objective": _Part(
        "ObjectiveContract", 'refused = ({"beta": 0.0},)', "DPO within each semantic band.", ("pydantic", "torch")
    ),
    "judge": _Part(
        "JudgeContract", 'refused = ({"margin": -1},)', "Prefers the row of more bytes per pixel.", ("pydantic",)
    ),
    "prompt": _Part("PromptsContract", "refused = ()  # it has no settings", "Two templates."),
}


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A package that was written.

    Attributes:
        folder: Where.
        distribution: What `pip` calls it.
        component: What it offers.
        files: All of them, relative to the folder.
    """

    folder: Path
    distribution: str
    component: str
    files: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {**asdict(self), "folder": str(self.folder)}


def scaffold(name: str, kind: Kind, parent: Path) -> Scaffold:
    """Writes a plugin package.

    Args:
        name: Of the component, or of the package: `sharpness` and `aesalign-sharpness` are the same.
        kind: Of component.
        parent: Where the package's folder is made.

    Raises:
        PluginError: It can be no name, aesalign has a package of it, or there is something at that place.
        AesalignError: The folder cannot be written.
    """
    plain = name.removeprefix(_PREFIX).removeprefix(_PREFIX.replace("-", "_"))
    words = re.split(r"[-_]", plain)
    # As a reward's column is named: so that one name does for the component and the column.
    component = "_".join(words)
    package = f"aesalign_{component}"
    if not _NAME.match(plain) or len(plain) > _LONGEST:
        raise PluginError(
            f"{name!r} can be no plugin's name", hint="use lower-case letters, digits and -, such as fine-light"
        )
    if package in packages():
        raise PluginError(
            f"{package} is a package of aesalign itself, which a plugin of that name would hide",
            hint=f"name it otherwise, such as my-{'-'.join(words)}",
        )
    folder = parent / (_PREFIX + "-".join(words))
    if folder.exists():
        raise PluginError(f"there is something at {folder} already", hint="name another plugin, or another --out")
    part = _PARTS[kind]
    values = {
        "distribution": folder.name,
        "component": component,
        "package": package,
        "kind": kind,
        "cls": "".join(word.capitalize() for word in (*words, kind)),
        "contract": part.contract,
        "test": part.test,
        "summary": part.summary,
        "needs": "".join(f', "{one}"' for one in part.needs),
        "version": __version__,
        "next_version": _next(__version__),
    }
    written = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"src/{package}/__init__.py": "__init__.py",
        f"src/{package}/{kind}.py": f"{kind}.py",
        "tests/test_contract.py": "test_contract.py",
    }
    with new_folder(folder) as beside:
        for path, template in written.items():
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            (beside / path).write_text(_filled(template, values), encoding="utf-8")
    return Scaffold(folder, folder.name, component, tuple(written))


def _next(version: str) -> str:
    """The first version that may break a plugin: before 1.0 the next minor one, then the next major one."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f"0.{minor + 1}" if major == 0 else f"{major + 1}.0"


def _filled(template: str, values: dict[str, str]) -> str:
    text = files("aesalign_core.authoring").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)
