"""Commands under torchrun, on the CPU: two or three processes of this machine that find one another over loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
LIMIT = 120
"""Seconds after which processes that wait for one another have failed the test."""


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """This one, with the support modules and some folders to import from."""
    found = os.pathsep.join(map(str, (*folders, SUPPORT)))
    return {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", "COLUMNS": "160", **more}


def command(count: int, *arguments: object, restarts: int = 0) -> list[str]:
    """A Python command line (`-m module …`) in a number of processes; one process has no launcher."""
    given = [str(a) for a in arguments]
    if count == 1:
        return [sys.executable, *given]
    # A port of its own, so that launches beside each other do not meet; its logs in the working folder, else a folder
    # of each launch stays among the system's temporary files.
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--log-dir=launches", f"--nproc-per-node={count}"]
    return [sys.executable, *torchrun, f"--max-restarts={restarts}", *given]


def launch(
    count: int, *arguments: object, env: dict[str, str], cwd: Path, restarts: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end."""
    given = command(count, *arguments, restarts=restarts)
    return subprocess.run(given, capture_output=True, text=True, timeout=LIMIT, env=env, cwd=cwd, check=False)


def plugin(folder: Path, **modules: str) -> Path:
    """A folder to import from that offers modules as plugins, by name, as an installed package would."""
    about = folder / "test_plugins-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: test-plugins\nVersion: 0\n")
    entries = "".join(f"{name} = {module}\n" for name, module in modules.items())
    (about / "entry_points.txt").write_text(f"[aesalign]\n{entries}")
    return folder


def wait_for(ready: Callable[[], bool]) -> None:
    """Waits until something is so."""
    ends = time.monotonic() + LIMIT
    while not ready():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)


def workers(launcher: int) -> dict[int, int]:
    """Process ids of a launcher's processes, by rank."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    found = {}
    for child in children:
        given = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ranks = [int(entry[5:]) for entry in given if entry.startswith(b"RANK=")]
        if ranks:
            found[ranks[0]] = int(child)
    return found


def kill(process: int) -> None:
    """As a machine that runs out of memory does."""
    os.kill(process, signal.SIGKILL)
