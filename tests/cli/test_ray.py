"""`aesalign index --engine ray` as people meet it, with a cluster of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def processes_below(folder, called=b""):
    """Processes of a cluster that keeps its files in a folder: those that name it, and their children by a name."""
    names = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(process.name)] = parent, (process / "cmdline").read_bytes()
    own = {pid for pid, (_, name) in names.items() if str(folder).encode() in name}
    if not called:
        return sorted(own)
    return sorted(pid for pid, (parent, name) in names.items() if parent in own and name.startswith(called))


def test_without_ray_one_line_says_what_to_install(small_photos, tmp_path):
    program = (
        "import sys; sys.modules['ray'] = None\n"
        f"sys.argv = ['aesalign', 'index', {str(small_photos)!r}, '-g', 'gallery', '--engine', 'ray']\n"
        "from aesalign_core.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == ("aesalign: error: the engine ray needs Ray (pip install 'aesalign[ray]')")
    assert not (tmp_path / "gallery").exists()


def test_the_local_engine_imports_no_ray(small_photos, tmp_path):
    program = (
        f"import sys; sys.argv = ['aesalign', 'index', {str(small_photos / 'cat.jpg')!r}, '-g', 'gallery']\n"
        "from aesalign_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "assert 'torch' in sys.modules and 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)


@pytest.fixture
def temporary(tmp_path_factory):
    """A short path for Ray's own files: its sockets' names must be short."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def started(folder, temporary, *arguments):
    """An `index` with a cluster of its own, whose workers are starting."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aesalign_core", "index", *map(str, arguments), "--engine", "ray"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A token of our own: Ray would leave one in the user's home.
        env={
            **os.environ,
            "RAY_TMPDIR": str(temporary), "RAY_ADDRESS": "", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        },
        # Tests in the background of a shell ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    for line in process.stderr:
        assert "Warning" not in line
        if line.startswith("aesalign: ray: "):
            return process, line
    raise AssertionError(process.communicate())


@pytest.mark.slow
def test_the_same_gallery_though_a_worker_is_killed(small_photos, gallery, tmp_path, temporary):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    (tmp_path / "photos").symlink_to(small_photos)
    arguments = ("photos", "-g", "other", "--workers", 2, "--batch-size", 5, "--json")
    process, line = started(tmp_path, temporary, *arguments)
    assert "2 workers of 1 core, on a cluster that runs on this machine for as long as this takes" in line
    while not (workers := processes_below(temporary, called=b"ray::Worker")):
        time.sleep(0.1)
    os.kill(workers[0], signal.SIGKILL)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    report = json.loads(out)
    assert (report["added"], report["bad"], report["engine"]) == (24, [], "ray")
    assert not processes_below(temporary)
    mine, theirs = Gallery.open(tmp_path / "other", Builder()), Gallery.open(gallery, Builder())
    ids = theirs.ids()
    assert sorted(mine.ids()) == sorted(ids)
    np.testing.assert_allclose(mine.vectors(ids), theirs.vectors(ids), atol=1e-4)
    np.testing.assert_allclose(mine.scores("embedded", ids), theirs.scores("embedded", ids), atol=1e-3)
    assert [Path(p).name for p in mine.paths(ids)] == [Path(p).name for p in theirs.paths(ids)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_cut_off_leaves_nothing_running(small_photos, tmp_path, temporary, number):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    process, _ = started(tmp_path, temporary, small_photos, "-g", "gallery")
    assert processes_below(temporary)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ("interrupted; run the same command again to go on" in errors) == (number == signal.SIGINT)
    for _ in range(100):
        if not processes_below(temporary):
            break
        time.sleep(0.3)
    assert not processes_below(temporary)
