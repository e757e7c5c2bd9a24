"""A real HTTP server on loopback that speaks a provider's API and misbehaves as a test's script says.

It speaks OpenAI's unless a test has it speak another (`llm_dialects`).

A script is a list of `Step`s, one per request in the order they come in; the last one repeats. A step's `content` is
the assistant's message, or a function of the request that makes it; a script's step may be such a function of the
request, too.

Example:
    ```python
    def test_it(llm_server):
        llm_server.script(Step(status=429, headers={"Retry-After": "1"}), Step(content='{"expectations": ["fog"]}'))
        ...
        assert len(llm_server.requests) == 2
    ```
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aesalign_core.testing.llm_dialects import OPENAI, Dialect, Finish, Shown

KEY = "sk-test-0123456789abcdefSECRET"
KEY_VARIABLE = "TEST_LLM_KEY"


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes
    at: float
    dialect: Dialect = OPENAI

    @property
    def body(self) -> dict[str, Any]:
        """The document that was sent."""
        return json.loads(self.raw)  # type: ignore[no-any-return]

    @property
    def shown(self) -> Shown:
        """What the model is shown."""
        return self.dialect.shown(self.body)

    @property
    def query(self) -> str:
        """The query between the tags of the user message."""
        return str(json.loads(self.shown.words[0].removeprefix("<query>\n").split("\n</query>")[0]))


@dataclass(frozen=True)
class Step:
    """What the server does with one request.

    Attributes:
        content: The assistant's message, or how to make it from the request.
        status: HTTP status; anything but 200 answers with `body` or an error document.
        headers: Extra response headers.
        delay: Seconds before it answers.
        body: The raw HTTP body, instead of a completion.
        finish: How the answer ended.
        usage: (prompt, completion) tokens; None leaves them out.
        hang_up: Close the connection without a response.
        reset_after: Reset the connection after so many bytes of the body.
    """

    content: str | Callable[[Received], str] = "{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    body: bytes | None = None
    finish: Finish = "stop"
    usage: tuple[int, int] | None = (100, 20)
    hang_up: bool = False
    reset_after: int | None = None


Script = Callable[[Received], Step]


def expectations(*phrases: str) -> str:
    """A good answer for `k_list`."""
    return json.dumps({"expectations": list(phrases)})


KEYWORDS = {
    "style": ["candid"],
    "composition": ["low angle", "clear background"],
    "light": ["golden hour"],
    "colour": ["warm tones"],
    "detail": ["sharp fur"],
}


def good(request: Received) -> str:
    """A good answer for whatever strategy is asked for, read from the schema in the system message."""
    system = request.shown.system
    query = request.query.rstrip(".")
    if '"title": "Description"' in system:
        return json.dumps({"description": f"{query}, seen from close by in soft evening light."})
    if '"title": "Reorganised"' in system:
        return json.dumps({"keywords": KEYWORDS, "sentence": f"{query} in warm tones at golden hour"})
    if '"title": "Keywords"' in system:
        return json.dumps(KEYWORDS)
    return expectations("soft light", f"a fine {query}", "calm background")


class _Listener(ThreadingHTTPServer):
    """Bears with clients that are killed: their connections break, and that is all."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class LlmServer:
    """The server, its script, what it received, and what of that it answered to the last byte."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answered: list[Received] = []
        self.in_flight = self.most_in_flight = 0
        self.dialect = OPENAI
        self._steps: list[Step | Script] = [Step(good)]
        self._lock = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def base(self) -> str:
        """What `api_base` must be."""
        return f"http://127.0.0.1:{self._server.server_port}{self.dialect.base}"

    def script(self, *steps: Step | Script) -> None:
        """Replaces the script and forgets what was received."""
        with self._lock:
            self._steps = list(steps)
            self.requests.clear()
            self.answered.clear()
            self.most_in_flight = 0

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, once what is being answered is answered."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _receive(self, request: Received) -> Step:
        with self._lock:
            step = self._steps[min(len(self.requests), len(self._steps) - 1)]
            self.requests.append(request)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return step if isinstance(step, Step) else step(request)

    def _leave(self, request: Received, *, answered: bool) -> None:
        with self._lock:
            self.in_flight -= 1
            if answered:
                self.answered.append(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                raw = self.rfile.read(length)
                if len(raw) < length:  # whoever asks was killed in the middle of it
                    self.close_connection = True
                    return
                headers = {name.title(): value for name, value in self.headers.items()}
                request = Received(self.path, headers, raw, time.monotonic(), server.dialect)
                step, answered = server._receive(request), False
                try:
                    time.sleep(step.delay)
                    if step.hang_up:
                        self.close_connection = True
                    else:
                        self._send(step, _body(step, request))
                        answered = True
                except OSError:
                    self.close_connection = True  # the client did not wait
                finally:
                    server._leave(request, answered=answered)

            def _send(self, step: Step, body: bytes) -> None:
                self.send_response(step.status)
                for name, value in {"Content-Type": "application/json", **step.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: step.reset_after])
                if step.reset_after is not None:
                    self.wfile.flush()
                    # With no time to linger, closing sends a reset rather than an end.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def _body(step: Step, request: Received) -> bytes:
    if step.body is not None:
        return step.body
    if step.status != 200:
        return json.dumps(request.dialect.error(step.status, f"scripted {step.status}")).encode()
    content = step.content if isinstance(step.content, str) else step.content(request)
    return json.dumps(request.dialect.answer(content, step.finish, step.usage)).encode()
