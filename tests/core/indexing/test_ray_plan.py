"""How the cores and GPUs of a Ray cluster are shared among workers."""

from __future__ import annotations

import pytest

from aesalign_core.errors import EngineError, SettingsError

pytest.importorskip("ray", reason="the extra ray is not installed")

SMALL, LARGE, HEAD = {"CPU": 2.0}, {"CPU": 16.0}, {"memory": 1e9}
GPUS = {"CPU": 16.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "workers", "device", "expected"),
    [
        ([SMALL], None, "cpu", (1, 2, 0)),
        ([SMALL], 2, "auto", (2, 1, 0)),
        ([HEAD, LARGE, LARGE], None, "auto", (8, 4, 0)),
        ([LARGE, LARGE], 2, "cpu", (2, 16, 0)),
        ([LARGE, LARGE], 3, "cpu", (3, 8, 0)),
        ([LARGE, SMALL], 9, "cpu", (9, 2, 0)),
        ([GPUS, GPUS], None, "auto", (8, 4, 1)),
        ([GPUS, LARGE], 2, "cuda", (2, 4, 1)),
        ([{"CPU": 2.0, "GPU": 4.0}], None, "cuda", (2, 1, 1)),
        ([GPUS], None, "cpu", (4, 4, 0)),
    ],
)
def test_shares(nodes, workers, device, expected):
    from aesalign_core.indexing.engines.ray_cluster import plan

    found = plan(nodes, workers, device)
    assert (found.workers, found.cores, found.gpus) == expected


@pytest.mark.parametrize(
    ("nodes", "workers", "device", "error", "line"),
    [
        ([SMALL], 3, "cpu", EngineError, "3 workers do not fit on a Ray cluster of 2 cores"),
        ([GPUS], 5, "auto", EngineError, "5 workers do not fit on a Ray cluster of 4 GPUs"),
        ([HEAD], None, "cpu", EngineError, "no worker fits on a Ray cluster of 0 cores"),
        ([LARGE], None, "cuda", SettingsError, "has no GPU"),
        ([GPUS], None, "cuda:1", SettingsError, "one machine's device"),
    ],
)
def test_what_does_not_fit_is_said(nodes, workers, device, error, line):
    from aesalign_core.indexing.engines.ray_cluster import plan

    with pytest.raises(error, match=line):
        plan(nodes, workers, device)


def test_an_address_where_nothing_answers_is_told_at_once():
    from aesalign_core.indexing.engines.ray_cluster import joined

    for address, line in (
        ("127.0.0.1:1", r"the Ray cluster at '127.0.0.1:1' cannot be joined: .*refused.*check --ray-address"),
        ("127.0.0.1:99999", "cannot be joined"),
        ("ray://127.0.0.1:1", "for Ray's client"),
    ):
        with pytest.raises(EngineError, match=line), joined(address, None):
            pass
