"""Who is answered, how much, how long; and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from command_line import Aesalign, aesalign
from served import Serve, Served

from aesalign_serve.door import Rates

__all__ = ["aesalign"]
TOKEN = "correct horse battery"
SECRET = {"environment": {"SERVE_TOKEN": TOKEN}, "token_env": "SERVE_TOKEN"}


def test_too_large_a_request_is_413_told_or_not(serve: Serve) -> None:
    served = serve(max_texts=2, max_characters=100)
    client = served.client()
    large = b'{"input": "' + b"a" * 60_000 + b'"}'
    for content in (large, iter([large[:30_000], large[30_000:]])):
        answer = client.post("/v1/embeddings", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert "larger than" in answer.json()["error"]["message"]
    assert served.client().post("/search", json={"query": "a" * 101}).status_code == 400


def test_texts_are_as_long_however_json_writes_them(serve: Serve) -> None:
    client = serve(max_texts=2, max_characters=2000).client()
    for text in ("я" * 2000, "\N{CAT FACE}" * 2000):
        written = json.dumps({"input": [text, text[1:]]})
        assert written.isascii()
        answer = client.post("/v1/embeddings", content=written, headers={"content-type": "application/json"})
        assert answer.status_code == 200


def test_too_many_requests_are_429_and_come_again(serve: Serve) -> None:
    client = serve(rate=2).client()
    answers = [client.get("/search", params={"q": "red"}) for _ in range(8)]
    assert [one.status_code for one in answers].count(429) >= 3
    refused = next(one for one in answers if one.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert client.get("/healthz").status_code == 200
    time.sleep(1.2)
    assert client.get("/search", params={"q": "red"}).status_code == 200


def test_rates_fill_by_the_second_and_are_of_each_client() -> None:
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert [rates.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rates.wait("b") == 0
    now[0] = 0.5
    assert rates.wait("a") == 0
    assert rates.wait("a") == 0.5
    assert not any(Rates(0).wait("a") for _ in range(100))


def test_a_full_queue_is_503_with_retry_after(serve: Serve) -> None:
    served = serve(queue=2, max_batch=1, delay=0.4)

    def ask(number: int) -> tuple[int, str | None]:
        answer = served.client().post("/v1/embeddings", json={"input": f"red {number}"})
        return answer.status_code, answer.headers.get("retry-after")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert (200, None) in answers
    assert (503, "1") in answers
    assert set(answers) <= {(200, None), (503, "1")}


def test_what_takes_too_long_is_503(serve: Serve) -> None:
    answer = serve(timeout=0.3, delay=1.0).client().get("/search", params={"q": "red"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "timeout"


def test_a_fault_is_one_line_and_the_next_request_is_answered(serve: Serve) -> None:
    served = serve()
    answer = served.client().get("/search", params={"q": "explode"})
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "internal error"
    assert served.client().get("/search", params={"q": "red"}).status_code == 200
    assert served.stop() == 0
    assert [line for line in served.said if "the tower fell" in line]
    assert not [line for line in served.said if "Traceback" in line]


def test_a_client_that_leaves_costs_nothing(serve: Serve) -> None:
    served = serve(delay=0.3)
    port = int(served.url.rpartition(":")[2])
    body = b'{"query": "red"}'
    lines = ("POST /search HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 16")
    head = "\r\n".join([*lines, "", ""])
    for sent in (head.encode() + body, head.encode() + body[:5], b"POST /search HT"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(sent)
    assert served.client().get("/search", params={"q": "blue"}).status_code == 200
    assert served.stop() == 0
    assert not [line for line in served.said if "Traceback" in line], served.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_before_it_ends(serve: Serve, number: int) -> None:
    served = serve(delay=1.0)
    client = served.client()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/search", params={"q": "red"})
        time.sleep(0.4)
        served.process.send_signal(number)
        assert answer.result().status_code == 200
    assert served.wait() == 0
    assert "stopped" in served.said[-1]
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=2)


def test_only_names_of_loopback_are_answered(shared: Served) -> None:
    client = shared.client()
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"):
        assert client.get("/search", params={"q": "red"}, headers={"host": host}).status_code in (400, 421), host
    for host in ("localhost", "127.0.0.1:1", "[::1]:80"):
        assert client.get("/search", params={"q": "red"}, headers={"host": host}).status_code == 200


def test_other_sites_pages_are_not_answered(shared: Served) -> None:
    client = shared.client()
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/search", json={"query": "red"}, headers=headers).status_code == 403
    assert client.post("/search", json={"query": "red"}, headers={"origin": shared.url}).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link


def test_every_answer_carries_the_guards_headers(shared: Served) -> None:
    for path in ("/", "/search?q=red", "/nothing", "/healthz"):
        headers = shared.client().get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers


def test_with_a_token_nothing_is_given_without_it(serve: Serve) -> None:
    served = serve(**SECRET)
    client = served.client()
    for path in ("/search?q=red", "/metrics", "/openapi.json", "/photos/" + "0" * 64, "/v1/models"):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get(path, headers={"authorization": f"Bearer {TOKEN}x"}).status_code == 403
        assert client.get(path, headers={"authorization": f"Basic {TOKEN}"}).status_code == 403
    assert client.get("/healthz").status_code == 200
    assert client.get("/search?q=red", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert "asks for a token" in client.get("/").text
    assert client.post("/enter", data={"token": "wrong"}).status_code == 403
    entered = client.post("/enter", data={"token": TOKEN})
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert client.get("/search?q=red").status_code == 200  # the cookie is kept
    assert served.stop() == 0
    assert TOKEN not in "".join(served.said) + str(served.facts)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "there is no token (name the environment variable that holds one: --token-env NAME)"),
        (["--token-env", "NOT_SET_AT_ALL"], "holds no token of 12 characters"),
        (["--token-env", "not a name"], "must be the NAME of an environment variable"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
    ],
)
def test_it_does_not_start_where_others_could_use_it(
    aesalign: Aesalign, world: object, flags: list[str], said: str
) -> None:
    done = aesalign("serve", "-g", world.gallery, "--port", "0", *flags)  # type: ignore[attr-defined]
    assert done.code == 1
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_missing_extra_is_one_line(aesalign: Aesalign, world: object, tmp_path: object) -> None:
    blocked = tmp_path / "blocked"  # type: ignore[operator]
    blocked.mkdir()
    hook = (
        "import importlib.util as u\nreal = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'fastapi' else real(name, *a)\n"
    )
    (blocked / "sitecustomize.py").write_text(hook)
    path = os.pathsep.join([str(blocked), os.environ.get("PYTHONPATH", "")])
    done = aesalign("serve", "-g", world.gallery, PYTHONPATH=path)  # type: ignore[attr-defined]
    assert done.code == 1
    assert "pip install 'aesalign[serve]'" in done.err
    assert "fastapi" in done.err
    assert len(done.err.strip().splitlines()) == 1
