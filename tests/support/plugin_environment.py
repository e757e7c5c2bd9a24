"""A fresh environment with plugin packages installed, as their users have it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

TIMEOUT = 280


def run(*command: object, cwd: Path, fails: bool = False) -> str:
    """What a command prints; it must succeed, or fail if `fails`."""
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, cwd=cwd, timeout=TIMEOUT, check=False
    )
    assert (done.returncode != 0) is fails, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def environment(folder: Path, *packages: Path, needs: bool = False) -> Path:
    """Makes an environment that sees this one's packages, with others built and installed on top.

    Args:
        folder: Where.
        packages: Folders of packages.
        needs: Whether to install what they depend on, too.

    Returns:
        Its Python.
    """
    venv.create(folder / "venv", with_pip=False)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # addsitedir, so that editable installs of this environment are seen as well.
    (own / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    python, alone = folder / "venv" / "bin" / "python", [] if needs else ["--no-deps"]
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *alone, *packages, cwd=folder)
    return python
