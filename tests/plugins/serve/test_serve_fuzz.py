"""Requests made from the service's own OpenAPI description, right and wrong: no 500, and no traceback."""

from __future__ import annotations

import warnings
from collections import Counter

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from served import Served, colours_command, started
from tiny_alignment import World

schemathesis = pytest.importorskip("schemathesis", reason="the fuzz tests need schemathesis")
ALLOWED = {503}
"""Of 5xx: that the service is busy, which it documents."""
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def requests_of(served: Served) -> st.SearchStrategy:
    """Requests to every route, half of them of shapes that the description forbids."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
        modes = schemathesis.GenerationMode
        kinds = [
            operation.ok().as_strategy(generation_mode=mode)
            for operation in schema.get_all_operations()
            for mode in (modes.POSITIVE, modes.NEGATIVE)
            if mode is modes.POSITIVE or _can_be_wrong(operation.ok())
        ]
    return st.one_of(kinds)


def _can_be_wrong(operation: object) -> bool:
    return bool(operation.body or operation.query or operation.path_parameters)  # type: ignore[attr-defined]


def fuzz(served: Served, examples: int) -> Counter[int]:
    """Sends them, each with a body as it is; counts the answers."""
    counts: Counter[int] = Counter()
    session = httpx.Client(base_url=served.url, timeout=30)

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=QUIET,
        phases=[Phase.generate], derandomize=True,
    )  # fmt: skip
    @given(case=requests_of(served))
    def send(case: object) -> None:
        prepared = case.as_transport_kwargs(base_url=served.url)  # type: ignore[attr-defined]
        answer = _sent(session, prepared)
        counts[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code in ALLOWED, (prepared, answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()) == {"error"}, answer.text

    try:
        send()
    finally:
        session.close()
    return counts


def _sent(session: httpx.Client, prepared: dict) -> httpx.Response:
    import requests

    kept = ("method", "url", "headers", "params", "json", "data", "cookies")
    made = requests.Request(**{name: prepared[name] for name in kept if name in prepared}).prepare()
    return session.request(made.method or "GET", made.url or "/", content=made.body, headers=dict(made.headers))


def check(world: World, examples: int) -> Counter[int]:
    served = started(colours_command(world))
    try:
        counts = fuzz(served, examples)
        assert served.stop() == 0
    finally:
        served.close()
    assert not [line for line in served.said if "Traceback" in line], "".join(served.said[-50:])
    return counts


def test_three_hundred_requests_of_its_own_description(world: World) -> None:
    counts = check(world, 300)
    assert counts[200] > 20
    assert counts[400] > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_requests_of_its_own_description(world: World) -> None:
    counts = check(world, 10_000)
    print(dict(sorted(counts.items())))  # pytest -s shows it
    assert sum(counts.values()) >= 10_000
    assert not [status for status in counts if status >= 500 and status not in ALLOWED]
