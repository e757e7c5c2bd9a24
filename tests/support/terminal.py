"""A command on a real terminal, with somebody at the keyboard."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

ROWS, COLUMNS, CELL = 50, 140, (10, 20)
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
Watch = Callable[[str], bytes | None]


def _as_a_shell_would() -> None:
    """In the child: the terminal is its own, and Ctrl-C reaches it even if the tests run in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def in_terminal(
    folder: Path, *arguments: object, watch: Watch | None = None, typed_before: bytes = b"", raw: bool = False
) -> tuple[int, str]:
    """Runs a command whose streams are a terminal.

    Args:
        folder: Where it runs.
        arguments: Of `aesalign`.
        watch: Sees all output so far and may type keys, once.
        typed_before: What lies in the terminal's input already, such as its answers to what it will be asked.
        raw: Keep control sequences in the output.

    Returns:
        The exit code, and what was on the screen.
    """
    own, its = pty.openpty()
    size = struct.pack("HHHH", ROWS, COLUMNS, COLUMNS * CELL[0], ROWS * CELL[1])
    fcntl.ioctl(its, termios.TIOCSWINSZ, size)
    if typed_before:
        os.write(own, typed_before)
    command = [sys.executable, "-m", "aesalign_core", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=folder, stdin=its, stdout=its, stderr=its, start_new_session=True,
        env={**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"},
        preexec_fn=_as_a_shell_would,
    )  # fmt: skip
    os.close(its)
    seen, typed, end = "", False, time.monotonic() + 280
    while time.monotonic() < end:
        if select.select([own], [], [], 0.1)[0]:
            try:
                data = os.read(own, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data.decode("utf-8", "replace")
        keys = watch(CONTROLS.sub("", seen)) if watch and not typed else None
        if keys:
            os.write(own, keys)
            typed = True
    code = process.wait(timeout=60)
    os.close(own)
    return code, seen if raw else CONTROLS.sub("", seen)
