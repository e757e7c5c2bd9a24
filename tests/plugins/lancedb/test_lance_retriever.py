"""The LanceDB retriever, through the protocol, on real tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import colours
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aesalign_core.errors import GalleryError, QueryError, SettingsError, SpaceMismatchError
from aesalign_core.settings import validate
from aesalign_lancedb.retriever import LanceRetriever

DIM = 8


def opened(location: Path, **values: object) -> LanceRetriever:
    found = validate(LanceRetriever.Settings, {"location": str(location), **values}, where="test")
    return LanceRetriever(found, colours.builder())


def identity(number: int) -> str:
    return f"{number:064x}"


def unit(count: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rows(vectors: np.ndarray, *, start: int = 0, **rewards: object) -> pa.Table:
    numbers = range(start, start + len(vectors))
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    return pa.table(
        {
            "id": [identity(n) for n in numbers],
            "path": [f"/photos/it's {n}.jpg" for n in numbers],
            "width": pa.array([100 + n for n in numbers], pa.int32()),
            "height": pa.array([50] * len(vectors), pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            **{name: pa.array(values, pa.float32()) for name, values in rewards.items()},
        }
    )


@pytest.fixture
def store(tmp_path):
    made = opened(tmp_path / "gallery")
    made.create(dim=DIM, rewards=["r"], metadata={"format": "x", "odd": "é\"'\n"})
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 60), k=st.integers(1, 70), kinds=st.integers(1, 3), seed=st.integers(0, 99))
def test_ties_go_by_id_also_across_the_cut(tmp_path_factory, count, k, kinds, seed):
    store = opened(tmp_path_factory.mktemp("ties") / "g")
    store.create(dim=DIM, rewards=[], metadata={})
    choice = np.random.default_rng(seed).integers(0, kinds, count)
    order = np.random.default_rng(seed).permutation(count)
    table = rows(np.eye(DIM, dtype=np.float32)[choice])
    store.add(table.take(pa.array(order)))
    found = [m.id for m in store.search(np.eye(DIM, dtype=np.float32)[:1], k=k)[0]]
    expected = sorted(range(count), key=lambda i: (choice[i] != 0, i))[:k]
    assert found == [identity(i) for i in expected]


@pytest.mark.parametrize(
    "where", ["nonsense = ", "bogus > 1", "r > ", "'", "r = 'x' OR", "1); DROP TABLE photos", ""]
)
def test_bad_filters_are_one_line(store, where):
    store.add(rows(unit(3)))
    with pytest.raises(QueryError) as caught:
        store.search(unit(1), k=1, where=where)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert store.count() == 3


def test_enormous_filters_are_refused(store):
    with pytest.raises(QueryError, match="characters"):
        store.search(unit(1), k=1, where="r = 1 OR " * 10_000)


def test_queries_that_make_no_sense(store):
    store.add(rows(unit(3)))
    for k in (0, -1):
        with pytest.raises(QueryError, match="k is"):
            store.search(unit(1), k=k)
    for bad in (np.zeros((1, DIM)), np.full((1, DIM), np.nan)):
        with pytest.raises(QueryError, match="zero or not finite"):
            store.search(bad.astype(np.float32), k=1)
    with pytest.raises(SpaceMismatchError, match="width 8"):
        store.search(unit(1, dim=5), k=1)


def test_vectors_that_may_not_be_stored(store):
    with pytest.raises(SpaceMismatchError):
        store.add(rows(unit(2, dim=5)))
    for factor in (np.nan, 0.0, 2.0):
        with pytest.raises(GalleryError, match="unit length"):
            store.add(rows(unit(2) * np.float32(factor)))
    assert store.count() == 0


@pytest.mark.parametrize(
    "bad", ["x", "' OR 1=1 --", "A" * 64, "0" * 63, "0" * 64 + "\n", f"{'0' * 64}') OR (1=1"], ids=repr
)
def test_ids_cannot_carry_sql(store, bad):
    store.add(rows(unit(3)))
    for call in (
        lambda: store.delete([bad]),
        lambda: store.fetch([bad], ["path"]),
        lambda: store.set_paths({bad: "x"}),
        lambda: store.set_column("r", [bad], np.ones(1, np.float32)),
    ):
        with pytest.raises(GalleryError, match="not the id of a photo"):
            call()
    assert store.count() == 3


@pytest.mark.parametrize("bad", ["", "R", "1r", "a b", 'a"b', "a;b", "id", "vector", "_rowid", "r" * 64, "r\n"])
def test_column_names_cannot_carry_sql(store, bad):
    with pytest.raises(GalleryError, match="cannot be the name"):
        store.set_column(bad, [], np.empty(0, np.float32))
    with pytest.raises(GalleryError):
        opened(store.location.parent / "other").create(dim=2, rewards=[bad], metadata={})


@pytest.mark.parametrize("name", ["select", "order", "null", "table"])
def test_sql_words_are_good_column_names(store, name):
    store.add(rows(unit(2)))
    store.set_column(name, [identity(1)], np.array([2], np.float32))
    assert [m.rewards.get(name) for m in store.search(unit(2)[1:], k=1, rewards=[name])[0]] == [2]


def test_every_scan_has_the_same_order_whatever_the_columns(store):
    for start in range(0, 1000, 100):
        store.add(rows(unit(100, seed=start), start=start, r=np.arange(100)))
    store.set_column("r", [identity(n) for n in range(0, 1000, 3)], np.ones(334, np.float32))
    orders = [
        [i for batch in store.scan(columns, batch_size=64) for i in batch["id"].to_pylist()]
        for columns in (["id"], ["vector", "id"], ["r", "path", "id"])
    ]
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == [identity(n) for n in range(1000)]
    with pytest.raises(GalleryError, match="no column"):
        list(store.scan(["nope"]))


def test_metadata_is_added_to_and_survives_every_kind_of_write(store):
    store.update_metadata({"b": "2", "format": "y"})
    store.add(rows(unit(4)))
    store.set_column("s", [identity(0)], np.ones(1, np.float32))
    store.delete([identity(1)])
    store.set_paths({identity(0): "/x"})
    assert opened(store.location).metadata() == {"format": "y", "odd": "é\"'\n", "b": "2"}


def test_many_small_writes_are_compacted(store):
    with store.writing():
        for n in range(40):
            store.add(rows(unit(2, seed=n), start=2 * n))
    assert store.count() == 80
    assert store._table().stats()["fragment_stats"]["num_fragments"] < 5


def test_readers_see_new_rows_when_they_look_again(store):
    reader = opened(store.location)
    assert reader.count() == 0
    store.add(rows(unit(3)))
    assert reader.exists()
    assert reader.count() == 3


def test_places_where_no_gallery_can_be(tmp_path, store):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    (tmp_path / "file").touch()
    for place, words in [("photos", "holds other files"), ("file", "is a file"), ("gallery", "already")]:
        with pytest.raises(GalleryError, match=words):
            opened(tmp_path / place).create(dim=2, rewards=[], metadata={})
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]
    with pytest.raises(GalleryError, match="there is no gallery at"):
        opened(tmp_path / "missing").count()


def test_damaged_and_foreign_tables_are_clear_errors(tmp_path):
    import lancedb

    lancedb.connect(str(tmp_path / "foreign")).create_table("photos", data=pa.table({"a": [1]}))
    with pytest.raises(GalleryError, match="is no gallery: it lacks id"):
        opened(tmp_path / "foreign").metadata()
    damaged = opened(tmp_path / "damaged")
    damaged.create(dim=2, rewards=[], metadata={})
    for manifest in (tmp_path / "damaged" / "photos.lance" / "_versions").iterdir():
        manifest.write_bytes(b"garbage")
    with pytest.raises(GalleryError, match="cannot open the gallery") as caught:
        opened(tmp_path / "damaged").count()
    assert "\n" not in str(caught.value)


def test_a_killed_creation_is_made_again(tmp_path):
    (tmp_path / "g" / "photos.lance" / "data").mkdir(parents=True)
    store = opened(tmp_path / "g")
    assert not store.exists()
    store.create(dim=2, rewards=[], metadata={"a": "b"})
    assert store.metadata() == {"a": "b"}


@pytest.mark.parametrize(("kind", "dim"), [("IVF_FLAT", 16), ("IVF_RQ", 16), ("IVF_PQ", 20)])
def test_the_approximate_index_finds_nearly_everything_and_new_rows_too(tmp_path, kind, dim):
    compressed = kind != "IVF_FLAT"
    store = opened(tmp_path / "g", index="ivf", partitions=8, nprobes=4, compressed=compressed)
    store.create(dim=dim, rewards=[], metadata={})
    vectors, queries = unit(1200, dim=dim), unit(20, seed=5, dim=dim)
    store.add(rows(vectors[:200]))
    assert "too few" in store.build_index()
    store.add(rows(vectors[200:1000], start=200))
    told = store.build_index()
    assert told == f"{kind} index of 8 partitions over 1000 photos"
    store.add(rows(vectors[1000:], start=1000))
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    found = store.search(queries, k=10)
    recall = np.mean(
        [len({m.id for m in ms} & {identity(i) for i in row}) for ms, row in zip(found, exact, strict=True)]
    )
    assert recall > 7
    true = {identity(i): v for i, v in enumerate(vectors)}
    for query, matches in zip(queries, found, strict=True):
        np.testing.assert_allclose([m.similarity for m in matches], [query @ true[m.id] for m in matches], atol=1e-5)
    # the same rows, searched exactly, although the index is there
    for row, matches in zip(exact, opened(tmp_path / "g").search(queries, k=10), strict=True):
        assert [m.id for m in matches] == [identity(i) for i in row]


def test_settings_are_checked():
    with pytest.raises(SettingsError, match=r"nprobe.*did you mean 'nprobes'"):
        validate(LanceRetriever.Settings, {"nprobe": 3}, where="[retriever]")


WRITER = """
import sys
sys.path[:0] = {paths!r}
import test_lance_retriever as t
store = t.opened(t.Path(sys.argv[1]))
with store.writing():
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_one_writer_at_a_time_and_a_killed_one_is_forgotten(store):
    paths = [str(Path(__file__).parent), *sys.path]
    other = subprocess.Popen(
        [sys.executable, "-c", WRITER.format(paths=paths), str(store.location)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(GalleryError, match="another process is writing"):
            store.add(rows(unit(1)))
        assert store.count() == 0  # reading goes on
    finally:
        other.kill()
        other.communicate()
    store.add(rows(unit(1)))
    assert store.count() == 1


LIMITED = """
import resource, sys
sys.path[:0] = {paths!r}
import test_lance_retriever as t
store = t.opened(t.Path(sys.argv[1]))
store.add(t.rows(t.unit(10)))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    store.add(t.rows(t.unit(5000), start=10))
except t.GalleryError as error:
    print(error)
print(store.count(), t.opened(store.location).count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs file size limits")
def test_a_failed_write_is_one_line_and_leaves_what_was_there(store):
    paths = [str(Path(__file__).parent), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(paths=paths), str(store.location)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "10 10", done.stderr
    assert len(lines) == 2
    assert lines[0].startswith("cannot write to the gallery")
    assert "limit" in lines[0]
    assert opened(store.location).count() == 10
