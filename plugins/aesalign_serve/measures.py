"""What Prometheus reads: requests, their seconds, texts of a pass, what waits, what was known."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measures:
    """Of one service; in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = self._counter("requests", "Requests answered.", labels)
        self.seconds = Histogram(
            "aesalign_request_seconds", "From a request to its answer.", ("route",),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge("aesalign_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.batch = Histogram(
            "aesalign_batch_texts", "Texts of one forward pass.", buckets=_TEXTS, registry=self.registry
        )
        self.waiting = Gauge("aesalign_waiting_texts", "Texts that wait for a pass.", registry=self.registry)
        self.texts = self._counter("texts", "Texts asked for.")
        self.known = self._counter("texts_known", "Texts asked for whose embeddings were kept.")

    def _counter(self, name: str, help_: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"aesalign_{name}", help_, labels, registry=self.registry)

    def passed(self, texts: int, waiting: int) -> None:
        """A pass begins."""
        self.batch.observe(texts)
        self.waiting.set(waiting)

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


class Measured:
    """ASGI middleware that counts and times.

    Args:
        app: The service.
        measures: Where it counts.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"  # the client left

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = time.perf_counter()
        with self._measures.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noted)
            finally:
                # A route's template, never a path: whoever asks must not choose how many series there are.
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._measures.requests.labels(method, route, status).inc()
                self._measures.seconds.labels(route).observe(time.perf_counter() - started)
