"""Index runs that are cut off: Ctrl-C, a kill, a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import colours
import pytest

from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits of Linux")

SLOW = """
import sys, time
sys.path[:0] = {paths!r}
import colours
from pathlib import Path
from aesalign_core.errors import AesalignError
from aesalign_core.indexing.index import index
original = colours.ColourEncoder.pixel_features
def slowly(self, pixels):
    time.sleep(0.05)
    return original(self, pixels)
colours.ColourEncoder.pixel_features = slowly
{before}
try:
    report = index(Path(sys.argv[1]), Path(sys.argv[2]), colours.builder(), batch_size=4,
                   progress=lambda done, total: print(done, flush=True))
except AesalignError as error:
    print("ERROR", type(error).__name__, error, flush=True)
"""


def start(photos: Path, place: Path, before: str = "") -> subprocess.Popen[str]:
    code = SLOW.format(paths=[p for p in sys.path if p], before=before)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, str(photos), str(place)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Tests in the background of a shell ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    colours.write_photos(folder, each=40)
    return folder


OFTEN = "import aesalign_core.indexing.pending as pending; pending.SECONDS = {}\n"
"""Seconds between two writes."""
AHEAD = 3 * 4 + 4
"""Photos that loaders may be ahead by: three batches of four, and the one that is embedded now."""


@pytest.mark.parametrize(
    ("number", "before", "lost"),
    [
        (signal.SIGINT, "", 0),
        # Nothing but what was embedded in the seconds between two writes: four batches, and the one that ends them.
        (signal.SIGKILL, OFTEN.format(0.2), 5 * 4),
    ],
    ids=["Ctrl-C", "kill"],
)
def test_a_run_that_is_cut_off_goes_on_where_it_was(photos, tmp_path, number, before, lost, monkeypatch):
    place = tmp_path / "gallery"
    process = start(photos, place, before)
    while int(process.stdout.readline()) < 60:
        pass
    process.send_signal(number)
    begun = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    builder = colours.builder()
    kept = len(Gallery.open(place, builder))
    assert 60 - AHEAD - lost <= kept < 120
    decoded = []
    original = colours.ColourEncoder.preprocess
    monkeypatch.setattr(
        colours.ColourEncoder, "preprocess", lambda self, image: decoded.append(1) or original(self, image)
    )
    report = index(photos, place, builder)
    assert (report.unchanged, report.added, len(decoded)) == (kept, 120 - kept, 120 - kept)
    gallery = Gallery.open(place, builder)
    assert len(set(gallery.ids())) == len(gallery) == 120


def test_a_run_killed_again_and_again_ends_up_whole(photos, tmp_path):
    place = tmp_path / "gallery"
    for wait in (1, 40):
        process = start(photos, place, OFTEN.format(0))
        for _ in range(wait):
            process.stdout.readline()
        process.kill()
        process.communicate()
    index(photos, place, colours.builder())
    assert sorted(Path(p).name for p in Gallery.open(place, colours.builder()).paths()) == sorted(
        p.name for p in photos.iterdir()
    )


def test_small_batches_are_written_together(photos, tmp_path):
    place = tmp_path / "gallery"
    assert index(photos, place, colours.builder(), batch_size=4).added == 120
    written = list((place / "photos.lance" / "data").iterdir())
    assert len(written) < 10  # of 30 batches; more than one only where they took over five seconds


def full(place: Path, photos: Path, before: str) -> None:
    """A run that meets a limit says so in one line, and a later run completes what was written."""
    process = start(photos, place, OFTEN.format(0) + before)
    out, errors = process.communicate(timeout=60)
    last = out.splitlines()[-1]
    assert last.startswith("ERROR GalleryError"), out + errors
    assert len(last) < 300
    assert "disk is full" in last or "limit on file sizes" in last
    assert "Traceback" not in errors


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
UNRESERVED = "import aesalign_lancedb.guard; aesalign_lancedb.guard.reserve = lambda folder, size: None\n"
"""As if another program took the space after it was found to be there."""


@pytest.mark.parametrize(("limit", "reserved"), [(500, True), (500, False), (2000, False), (3000, False)])
def test_a_limit_on_file_size_is_one_clear_error_and_loses_nothing(photos, tmp_path, limit, reserved):
    place = tmp_path / "gallery"
    index(sorted(photos.iterdir())[:8], place, colours.builder())
    full(place, photos, LIMIT.format(limit) + ("" if reserved else UNRESERVED))
    gallery = Gallery.open(place, colours.builder())
    kept = len(gallery)
    assert kept >= 8
    assert gallery.vectors().shape == (kept, colours.DIM)
    assert index(photos, place, colours.builder()).added == 120 - kept


@pytest.mark.parametrize(("size", "before"), [("1300k", ""), ("300k", UNRESERVED)], ids=["reserved", "raced"])
def test_a_full_disk_is_one_clear_error_and_loses_nothing(photos, tmp_path, size, before):
    mount = tmp_path / "small"
    mount.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        place = mount / "gallery"
        full(place, photos, before)
        kept = len(Gallery.open(place, colours.builder()))
        assert 0 < kept < 120
        subprocess.run(["mount", "-o", "remount,size=50m", str(mount)], check=True)
        assert index(photos, place, colours.builder()).added == 120 - kept
    finally:
        subprocess.run(["umount", str(mount)], check=True)
