"""The contract kit on components that are meant to fail it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

_FILE = """
from importlib.metadata import EntryPoint

import pytest

from aesalign_core import plugins
from aesalign_core.testing import {contract}


class _Broken({contract}):
    @pytest.fixture
    def plugins(self):
        return plugins.load([EntryPoint(*point, plugins.GROUP) for point in {points}])
"""

Failures = Mapping[str, Mapping[str, str]]
"""What the kit says, by component and test."""


def failures(
    folder: Path,
    contract: str,
    points: Mapping[str, str],
    bodies: Mapping[str, str],
    *,
    only: str = "",
    paths: Sequence[Path] = (),
) -> Failures:
    """Runs a contract on components, and says what failed.

    Args:
        folder: Where the tests are written.
        contract: Its class's name.
        points: The entry points of the plugins that offer the components.
        bodies: By component, what its test class says besides its name; `nameless` names none.
        only: As `pytest -k` has it.
        paths: What is imported from, besides the folder and what this process imports from.
    """
    text = _FILE.format(contract=contract, points=list(points.items()))
    for component, body in bodies.items():
        named = f'component = "{component}"' if component != "nameless" else "pass"
        text += f"\n\nclass Test_{component}(_Broken):\n    {named}\n    {body or 'refused = ({{}},)'}\n"
    (folder / "test_broken.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "pytest.ini",
            "--junitxml=found.xml", "-k", only, "test_broken.py",
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=280,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, [folder, *paths]), *(p for p in sys.path if p)])},
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, dict[str, str]] = {component: {} for component in bodies}
    for case in ET.parse(folder / "found.xml").iter("testcase"):
        component = case.get("classname", "").rpartition(".Test_")[2]
        for tag in ("failure", "error"):
            if (said := case.find(tag)) is not None:
                found[component][case.get("name", "")] = f"{said.get('message')}\n{said.text}"
    return found
