"""Broken retrievers fail the kit, which says which promise they break."""

from __future__ import annotations

from pathlib import Path

import kit
import pytest

from aesalign_core.authoring.scaffold import scaffold

COMPONENTS = (
    "good", "threadbound", "shared", "holding", "stale", "limited", "numpy", "sweeping", "delete", "set_column",
    "set_paths", "update_metadata",
)  # fmt: skip
THREAD, THREADS = "test_it_is_read_from_another_thread", "test_it_is_read_from_two_threads_at_once"
LOCKS = "test_one_writer_at_a_time"
PROMISES = [
    ("threadbound", THREAD, "`search` in another thread raises RuntimeError: made in another thread"),
    ("shared", THREADS, "`search` in one of two threads at once raises RuntimeError: recursive use of cursors"),
    ("holding", "test_the_right_to_write_ends_with_an_error", "its lock is still held"),
    ("stale", "test_it_sees_what_another_has_written", "does not count the new rows"),
    ("limited", "test_thousands_of_rows_come_in_the_order_asked_for", "2500 rows in their order"),
    ("numpy", "test_matches_are_plain", "`Match.similarity` is a float32: make it float(value)"),
    ("sweeping", "test_removing_it_removes_nothing_else", "`drop()` removed beside.txt"),
    ("delete", LOCKS, "`delete` changed the store while another writer held `writing()`"),
    ("set_column", LOCKS, "`set_column` changed the store"),
    ("set_paths", LOCKS, "`set_paths` changed the store"),
    ("update_metadata", LOCKS, "`update_metadata` changed the store"),
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> kit.Failures:
    folder: Path = tmp_path_factory.mktemp("kit")
    plain = scaffold("plain-store", "retriever", folder).folder / "src"
    tests = " or ".join(sorted({test for _, test, _ in PROMISES}))
    bodies = dict.fromkeys(COMPONENTS, 'refused = ({"batch": 0},)\n    filters = False')
    return kit.failures(
        folder,
        "RetrieverContract",
        {"broken": "broken_retrievers"},
        bodies,
        paths=[plain],
        only=f"(good and not test_importing) or {tests}",
    )


def test_what_keeps_every_promise_passes(found: kit.Failures) -> None:
    assert found["good"] == {}


@pytest.mark.parametrize(("component", "test", "said"), PROMISES)
def test_a_broken_promise_is_named(found: kit.Failures, component: str, test: str, said: str) -> None:
    assert test in found[component], f"only these failed: {list(found[component])}"
    assert said in found[component][test]
