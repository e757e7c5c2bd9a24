"""Filling galleries with workers of a real Ray cluster: the rows of the local engine, whatever dies on the way."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import colours
import numpy as np
import pytest
import ray_faults
from skimage import data
from skimage.io import imsave

from aesalign_core import plugins
from aesalign_core.build import Builder
from aesalign_core.errors import EngineError, SettingsError
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.indexing.reindex import reindex
from aesalign_core.recipe import Recipe, Use

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")

ROOT = Path(__file__).resolve().parents[3]
REWARDS = ("brightness", "contrast", "redness", "blend")
"""On features, on pictures, on embeddings, and combined."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two cores on this machine, where colours are installed; gives its address."""
    site = ray_faults.installed(tmp_path_factory.mktemp("site"))
    path = [str(site), str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests" / "support")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray leaves one in the user's home
        patch.syspath_prepend(str(site))
        plugins.registry.cache_clear()
        ray.init(
            address="local", num_cpus=2, object_store_memory=200 * 2**20, include_dashboard=False,
            log_to_driver=False, logging_level="ERROR",
        )  # fmt: skip
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()
    plugins.registry.cache_clear()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Small real photographs and painted ones, copies near and far, and four files that are no photos."""
    folder = tmp_path_factory.mktemp("photos")
    colours.write_photos(folder, each=12)
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        imsave(folder / f"{name}.jpg", getattr(data, name)()[::3, ::3], check_contrast=False)
    shutil.copy(folder / "red-0.png", folder / "aa-copy.png")
    shutil.copy(folder / "red-0.png", folder / "red-0-copy.png")
    shutil.copy(folder / "astronaut.jpg", folder / "zz-copy.jpg")
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("not a picture")
    whole = (folder / "coffee.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    shutil.copy(folder / "rocket.jpg", os.fsdecode(os.fsencode(folder) + b"/\xff.jpg"))
    return folder


def rows(place, *rewards):
    """Everything of a gallery by id."""
    gallery = Gallery.open(place, ray_faults.builder(*rewards))
    table = gallery.retriever.fetch(sorted(gallery.ids()), ["id", "path", "width", "height", "vector", *rewards])
    assert len(gallery.ids()) == len(set(gallery.ids())) == table.num_rows
    return table.to_pylist()


def assert_same(mine, theirs):
    for name in ("id", "path", "width", "height"):
        assert [row[name] for row in mine] == [row[name] for row in theirs]
    for name in set(mine[0]) - {"id", "path", "width", "height"}:
        np.testing.assert_allclose([r[name] for r in mine], [r[name] for r in theirs], atol=1e-6, err_msg=name)


def told(report):
    """A report without what differs between runs."""
    return {k: v for k, v in report.as_dict().items() if k not in ("gallery", "seconds", "engine")}


@pytest.fixture(scope="module")
def local(cluster, photos, tmp_path_factory):
    """What the local engine makes of the photos: its report and rows."""
    place = tmp_path_factory.mktemp("local") / "gallery"
    report = index(photos, place, ray_faults.builder(*REWARDS), batch_size=4)
    return report, rows(place, *REWARDS)


def run(photos, place, *rewards, **options):
    return index(
        photos, place, ray_faults.builder(*(rewards or REWARDS)), batch_size=4, workers=2, engine="ray", **options
    )


def workers_of(address):
    """Process ids of the workers of a cluster."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::Worker"):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if f"--gcs-address={address}".encode() in Path("/proc", parent, "cmdline").read_bytes():
                    found.append(int(process.name))
        except OSError:
            continue
    return found


def test_rows_and_report_are_those_of_the_local_engine(cluster, photos, local, tmp_path, capsys):
    done = []
    report = run(photos, tmp_path / "gallery", progress=lambda *c: done.append(c))
    assert report.engine == "ray"
    assert local[0].engine == "local"
    assert told(report) == told(local[0])
    assert (report.added, report.duplicates, len(report.bad)) == (40, 3, 4)
    assert_same(rows(tmp_path / "gallery", *REWARDS), local[1])
    assert done == sorted(done)
    assert done[-1] == (47, 47)
    assert f"ray: 2 workers of 1 core, on the cluster at {cluster}" in capsys.readouterr().err

    again = run(photos, tmp_path / "gallery")
    assert (again.added, again.unchanged, again.duplicates, len(again.bad)) == (0, 40, 3, 4)
    (tmp_path / "gallery" / "files.parquet").unlink()
    assert told(run(photos, tmp_path / "gallery")) == told(again)
    assert_same(rows(tmp_path / "gallery", *REWARDS), local[1])
    assert ray.is_initialized()


def test_photos_that_are_there_are_scored_by_workers_too(cluster, photos, local, tmp_path):
    calls = tmp_path / "calls"
    late = Use(use="faulty", calls=str(calls), first=0, last=0)
    run(photos, tmp_path / "gallery", "redness")
    report = run(photos, tmp_path / "gallery", "redness", "brightness", late)
    assert report.rescored == {"brightness": 40, "faulty": 40}
    assert calls.stat().st_size == len(range(0, 40, 4))
    found = rows(tmp_path / "gallery", "redness", "brightness", "faulty")
    for name, there in (("redness", "redness"), ("brightness", "brightness"), ("faulty", "contrast")):
        np.testing.assert_allclose([r[name] for r in found], [r[there] for r in local[1]], atol=1e-6)


def test_a_worker_killed_from_outside_costs_nothing(cluster, photos, local, tmp_path, capsys):
    killed = []

    def kill_one(done, total):
        if done >= 12 and not killed:
            killed.append(workers_of(cluster)[0])
            os.kill(killed[0], signal.SIGKILL)

    report = run(photos, tmp_path / "gallery", progress=kill_one)
    assert killed
    assert told(report) == told(local[0])
    assert_same(rows(tmp_path / "gallery", *REWARDS), local[1])
    assert "a worker died" in capsys.readouterr().err


def test_a_worker_that_dies_in_the_middle_of_a_batch_costs_nothing(cluster, photos, local, tmp_path, capsys):
    fault = Use(use="faulty", calls=str(tmp_path / "calls"), first=4, last=4)
    report = run(photos, tmp_path / "gallery", "redness", fault)
    assert (report.added, report.duplicates, len(report.bad)) == (40, 3, 4)
    found = rows(tmp_path / "gallery", "redness", "faulty")
    np.testing.assert_allclose([r["faulty"] for r in found], [r["contrast"] for r in local[1]], atol=1e-6)
    assert (tmp_path / "calls").stat().st_size > len(found) // 4
    assert "a worker died" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("raise", r"^a Ray worker failed at files \S+ to \S+: TimeoutError: the reward's own trouble \(what was"),
        (
            "kill",
            r"^a Ray worker died 4 times at files \S+ to \S+, or at others it had in hand: \w+Error: .*next run",
        ),
    ],
)
def test_what_fails_again_and_again_is_one_line_and_loses_nothing(cluster, photos, local, tmp_path, how, line):
    fault = {"use": "faulty", "calls": str(tmp_path / "calls"), "first": 9, "last": 10**6, "how": how}
    with pytest.raises(EngineError, match=line) as caught:
        run(photos, tmp_path / "gallery", "redness", Use(**fault))
    assert len(str(caught.value).splitlines()) == 1
    kept = rows(tmp_path / "gallery", "redness", "faulty")
    assert 0 < len(kept) < 40
    report = run(photos, tmp_path / "gallery", "redness", Use(**fault | {"first": 0, "last": 0}))
    assert (report.added, report.unchanged) == (40 - len(kept), len(kept))
    found = rows(tmp_path / "gallery", "redness", "faulty")
    assert [row["path"] for row in found] == [row["path"] for row in local[1]]
    np.testing.assert_allclose([r["faulty"] for r in found], [r["contrast"] for r in local[1]], atol=1e-6)


WRITER = """
import sys, ray_faults
from pathlib import Path
from aesalign_core.indexing import pending
from aesalign_core.indexing.index import index
pending.SECONDS = 0  # each batch is written
index(Path(sys.argv[1]), Path(sys.argv[2]), ray_faults.builder(*sys.argv[4:]), batch_size=4, workers=2, engine="ray",
      ray_address=sys.argv[3], progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "local"])
def test_a_killed_writer_goes_on_where_it_was(cluster, photos, local, tmp_path, engine):
    place = tmp_path / "gallery"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(photos), str(place), cluster, *REWARDS], stdout=subprocess.PIPE, text=True
    )
    while int(process.stdout.readline()) < 20:
        pass
    process.kill()
    process.communicate(timeout=30)
    kept = rows(place, *REWARDS)
    assert 10 <= len(kept) < 40
    report = index(photos, place, ray_faults.builder(*REWARDS), batch_size=4, engine=engine)
    assert (report.added, report.unchanged, report.duplicates) == (40 - len(kept), len(kept), 3)
    assert_same(rows(place, *REWARDS), local[1])


def renamed():
    """A builder whose registry calls the encoder otherwise than its package does."""
    offers = [
        dataclasses.replace(o, component=dataclasses.replace(o.component, name="mine")) if o.kind == "encoder" else o
        for o in plugins.registry().offers
        if o.plugin != "embedded"
    ]
    own = dataclasses.replace(plugins.registry(), offers=[o for o in offers if o.plugin != "openclip"])
    return Builder(ray_faults.builder("redness", encoder=Use(use="mine")).recipe, found=own)


def test_workers_that_would_build_something_else_are_refused(cluster, photos, tmp_path, monkeypatch):
    with pytest.raises(EngineError, match=r"^Ray's workers cannot build .* is known to this process only \(install"):
        index(photos, tmp_path / "gallery", renamed(), engine="ray")
    assert not (tmp_path / "gallery").exists()
    builder = ray_faults.builder("redness")
    other = ray_faults.builder("redness", encoder=Use(use="colours", stretch=2.0)).encoder()
    monkeypatch.setattr(builder, "encoder", lambda spec=None: other)
    with pytest.raises(
        EngineError, match=r"^the Ray node .* has another image space of 'colours' than .*same packages"
    ):
        index(photos, tmp_path / "gallery", builder, engine="ray")


def test_addresses_that_lead_nowhere(cluster, photos, tmp_path):
    place = tmp_path / "gallery"
    with pytest.raises(SettingsError, match="only with the engine ray"):
        index(photos, place, ray_faults.builder("redness"), ray_address=cluster)
    with pytest.raises(SettingsError, match=r"no engine is named 'rai' \(did you mean 'ray'"):
        index(photos, place, ray_faults.builder("redness"), engine="rai")
    with pytest.raises(EngineError, match="joined a Ray cluster already"):
        index(photos, place, ray_faults.builder("redness"), engine="ray", ray_address=cluster)
    with pytest.raises(EngineError, match=r"^3 workers do not fit on a Ray cluster of 2 cores \(use fewer"):
        index(photos, place, ray_faults.builder("redness"), engine="ray", workers=3)


def test_a_node_without_our_packages_is_told_what_it_lacks(cluster, photos, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "class Worker:\n    def __init__(self, order): ...\n    def check(self): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    monkeypatch.setattr("aesalign_core.indexing.engines.ray.Worker", only_here.Worker)
    with pytest.raises(
        EngineError, match=r"^a Ray worker cannot be started: .*No module named 'only_here' \(install"
    ):
        run(photos, tmp_path / "gallery", "redness")


def test_photos_are_embedded_again_by_workers(cluster, photos, tmp_path):
    place = tmp_path / "gallery"
    index(photos, place, ray_faults.builder(*REWARDS), batch_size=4)
    unnamed = Recipe(device="cpu", encoder=Use(use="colours", stretch=3.0))
    report = reindex(place, Builder(unnamed), batch_size=4, workers=2, engine="ray")
    assert (report.version, report.switched, report.left_out) == (2, True, [])
    fresh = ray_faults.builder(*REWARDS, encoder=Use(use="colours", stretch=3.0))
    index(photos, tmp_path / "fresh", fresh)
    assert_same(rows(place, *REWARDS), rows(tmp_path / "fresh", *REWARDS))
