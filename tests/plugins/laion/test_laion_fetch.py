from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from aesalign_core.errors import ModelError
from aesalign_laion import fetch

BODY = b"the published head"
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(302 if self.path in ("/moved", "/downgrade") else 200)
        if self.path == "/moved":
            self.send_header("Location", "/head")
        if self.path == "/downgrade":
            self.send_header("Location", "http://127.0.0.1:9/head")
        self.end_headers()
        self.wfile.write(b"x" * 5000 if self.path == "/huge" else BODY)

    def log_message(self, *args: object) -> None:
        pass


class Server(HTTPServer):
    def handle_error(self, *args: object) -> None:
        """Clients here hang up on purpose."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, made now, that this test run alone trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command, to make a certificate for a local https server")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


@pytest.fixture
def server(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    chain, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    httpd = Server(("127.0.0.1", 0), Handler)
    # The handshake comes with the first read, so that a client that breaks it off leaves no socket open.
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"https://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_the_expected_file_is_fetched_and_kept(server: str, tmp_path: Path) -> None:
    for path in ("/head", "/moved"):
        target = tmp_path / "cache" / path.strip("/")
        assert fetch.fetch(server + path, target, sha256=SHA256) == BODY
        assert target.read_bytes() == BODY
        assert list(target.parent.glob(".*")) == []


def test_another_file_is_not_kept(server: str, tmp_path: Path) -> None:
    target = tmp_path / "head"
    target.write_bytes(b"what was there before")
    with pytest.raises(ModelError, match="sha256 is another"):
        fetch.fetch(f"{server}/head", target, sha256="0" * 64)
    assert target.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("path", "message"),
    [("/missing", "404"), ("/downgrade", "not https"), ("/huge", "larger than 1,000 bytes")],
)
def test_what_goes_wrong_is_one_line(
    server: str, path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match=message) as error:
        fetch.fetch(server + path, tmp_path / "head", sha256=SHA256)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_certificate_no_network_and_plain_http_are_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="not https"):
        fetch.fetch("http://127.0.0.1:9/head", tmp_path / "head", sha256=SHA256)
    with pytest.raises(ModelError, match="cannot fetch") as error:
        fetch.fetch("https://127.0.0.1:9/head", tmp_path / "head", sha256=SHA256)
    assert "weights" in error.value.hint
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ModelError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch.fetch(f"{server}/head", tmp_path / "head", sha256=SHA256)
