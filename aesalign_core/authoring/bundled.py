"""The packages that aesalign itself consists of."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import aesalign_core
from aesalign_core.plugins import GROUP

DISTRIBUTION = "aesalign"


@cache
def packages() -> frozenset[str]:
    """Their names: `aesalign_core`, the bundled plugins, and what else is installed with them."""
    found = {aesalign_core.__name__}
    # A clone lists its plugins by lying there; an editable install knows none of their files.
    for file in (Path(aesalign_core.__file__).parents[1] / "plugins").glob("aesalign_*/__init__.py"):
        found.add(file.parent.name)
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return frozenset(found)
    found |= {point.module.partition(".")[0] for point in installed.entry_points if point.group == GROUP}
    found |= {file.parts[0] for file in installed.files or () if file.name == "__init__.py" and len(file.parts) == 2}
    return frozenset(found)
