"""The page over HTTP, served by the command, and what the command makes of the votes."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from command_line import Aesalign, Done
from PIL import Image
from vote_page import Person, Serve, Served, Shown, photo, rankings, start

from aesalign_human.closing import LINGER

COMPARE = ("compare", "old.jsonl", "new.jsonl", "--judge", "human", "--json")


def prefers_light(folder: Path) -> dict[str, str]:
    """By sha256 of each photo, the system that found it."""
    photos = (folder / "photos").iterdir()
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.name.partition("-")[0] for path in photos}


def side_of(shown: Shown, system: str, found: dict[str, str]) -> int:
    """The surest answer for one system's row."""
    assert {found[name] for name in shown.left} | {found[name] for name in shown.right} == {"old", "new"}
    return 1 if found[shown.left[0]] == system else 7


def journal(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "votes" / "journal.jsonl").read_text().splitlines()][1:]


def test_votes_become_verdicts_and_an_hpir_file_that_scores(serve: Serve, aesalign: Aesalign, tmp_path: Path) -> None:
    rankings(tmp_path, 6)
    page, systems = serve(*COMPARE), prefers_light(tmp_path)

    def choose(shown: Shown) -> tuple[int, int]:
        """The new row looks better, but in query 5; rows answer query 0 alone differently well."""
        return (
            side_of(shown, "new", systems) if shown.query == "query 0" else 4,
            side_of(shown, "old" if shown.query == "query 5" else "new", systems),
        )

    answered = page.person("ann").vote_all(choose)
    assert sorted(shown.query for shown in answered) == [f"query {k}" for k in range(6)]
    done = page.finish()
    assert done.code == 0
    aspects = done.json["aspects"]
    assert [aspects["aesthetic"][name] for name in ("wins", "similar", "losses")] == [5, 0, 1]
    assert [aspects["accuracy"][name] for name in ("wins", "similar", "losses")] == [1, 5, 0]
    assert done.json["judge"] == "human"
    assert "old 0, similar 0, new 1; net +1.00" in {verdict["reason"] for verdict in done.json["verdicts"]}
    assert "6 of 6" in done.err
    checked = aesalign("eval", "hpir", "votes/hpir.jsonl", "--check", "--json")
    assert checked.json == {"items": 6, "annotators": 1, "aspects": ["accuracy", "aesthetic"]}
    scored = aesalign("eval", "hpir", "votes/hpir.jsonl", "--judge", "human", "--json").json["human"]
    assert (scored["aesthetic"]["items"], scored["aesthetic"]["agreement"]) == (6, 1)  # with themselves
    # All votes are there: nobody is asked again, and the verdicts are the same.
    again = aesalign("judge", *COMPARE)
    assert "nobody is asked" in again.err
    assert again.json == done.json


def test_ctrl_c_gives_the_votes_so_far_and_the_same_command_goes_on(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 5)
    systems = prefers_light(tmp_path)
    first = serve(*COMPARE)
    ann = first.person("ann")
    for _ in range(2):
        shown = ann.next()
        assert shown
        ann.vote(shown, *[side_of(shown, "new", systems)] * 2)
    shown = ann.next()
    assert shown
    done = first.interrupt()
    assert done.code == 0, done.err
    assert done.json["aspects"]["accuracy"]["wins"] == 2
    assert done.json["aspects"]["accuracy"]["failures"] == {"no vote": 3}
    assert done.json["aspects"]["accuracy"]["similar"] == 0
    second = serve(*COMPARE)
    ann = second.person("Ann")  # the same
    after = ann.next()
    assert after
    # She goes on where she was, and sees each row where it was.
    assert (after.position, after.left, after.right) == (shown.position, shown.left, shown.right)
    back = ann.at(int(re.findall(r'href="/c/(\d+)" rel="prev"', after.text)[0]))
    assert back
    assert back.checked == [side_of(back, "new", systems)] * 2
    assert "answered; you may change it" in back.text
    ann.vote(back, 4, 4)  # the newest vote holds
    assert len(ann.vote_all(lambda shown: (4, 4))) == 3
    done = second.finish()
    assert [done.json["aspects"]["accuracy"][name] for name in ("wins", "similar", "losses")] == [1, 4, 0]


@pytest.mark.slow
def test_it_closes_by_itself_when_all_votes_are_in(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 2, per_row=1)
    page = serve(*COMPARE)
    page.person("bo").next()  # bo leaves their page open, which must hold nothing up
    page.person("ann").vote_all(lambda shown: (4, 4))
    since = time.monotonic()
    done = page.wait()
    assert done.json["aspects"]["accuracy"]["similar"] == 2
    assert LINGER - 2 < time.monotonic() - since < LINGER + 30


def test_several_people_vote_at_once_and_none_is_lost(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 12, per_row=1)
    page, systems = serve(*COMPARE, "--set", "judge.annotators=4"), prefers_light(tmp_path)
    people = ["ann", "bo", "cy", "di"]
    errors: list[BaseException] = []

    def vote(name: str) -> None:
        try:
            # Three for the new row, and one, less sure, for the old.
            page.person(name).vote_all(
                lambda s: (
                    [side_of(s, "new", systems)] * 2
                    if name != "di"
                    else [{1: 2, 7: 6}[side_of(s, "old", systems)]] * 2
                )
            )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=vote, args=[name]) for name in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    done = page.finish()
    assert len(journal(tmp_path)) == 48
    assert done.json["aspects"]["accuracy"]["wins"] == 12
    # (3 x 1 - 0.6) / (3 x 1 + 0.6) = 2/3.
    assert {v["reason"] for v in done.json["verdicts"]} == {"old 1, similar 0, new 3; net +0.67"}


def test_each_sees_what_is_left_for_them(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 3, per_row=1)
    page = serve(*COMPARE)
    ann, bo = page.person("ann"), page.person("bo")
    shown = ann.next()
    assert shown
    ann.vote(shown, 4, 4)
    assert "<b>1</b> answered · <b>2</b> left" in ann.http.get("/next", follow_redirects=True).text
    assert "<b>0</b> answered · <b>2</b> left" in bo.http.get("/next", follow_redirects=True).text
    states = re.findall(r'class="state ([\w-]+)"', bo.http.get("/all").text)
    assert sorted(states) == ["answered-by-others", "open", "open"]
    start_page = page.client().get("/").text
    assert "1 answered, 2 left" in start_page
    bo.vote_all(lambda shown: (4, 4))
    assert "All votes are in" in ann.http.get("/end").text


def test_skip_again_and_finish(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 3, per_row=1)
    page = serve(*COMPARE)
    ann = page.person("ann")
    assert ann.http.post("/finish").headers["location"] == "/next"  # too early
    shown = ann.next()
    assert shown
    ann.post(shown, do="skip")
    ann.vote_all(lambda shown: (4, 4))
    end = ann.http.get("/end").text
    assert "You skipped 1 comparison." in end
    assert "Finish without them" in end
    assert ann.http.post("/again").headers["location"] == "/next"
    again = ann.next()
    assert again
    assert again.comparison == shown.comparison
    ann.post(again, do="skip")
    assert "Thank you, <bdi>ann</bdi>" in ann.http.post("/finish").text
    done = page.wait()
    assert done.json["aspects"]["accuracy"]["failures"] == {"only skipped": 1}
    assert done.json["aspects"]["accuracy"]["similar"] == 2


def test_a_photo_that_cannot_be_read_is_named_and_the_rest_goes_on(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 4, per_row=2)
    (tmp_path / "photos" / "new-1-1.png").write_text("no photo")
    (tmp_path / "photos" / "old-2-0.png").unlink()
    page = serve(*COMPARE)
    ann = page.person("ann")
    page_of_all = ann.http.get("/all").text
    assert len(re.findall(r'class="words"', page_of_all)) == 3  # a missing file is known from the start
    assert {shown.query for shown in ann.vote_all(lambda shown: (7, 7))} == {"query 0", "query 3"}
    done = page.finish()
    assert done.json["aspects"]["accuracy"]["failures"] == {"unreadable photo": 2}
    reasons = {verdict["query"]: verdict["reason"] for verdict in done.json["verdicts"]}
    assert "new-1-1.png: not an image" in reasons["query 1"]
    assert "old-2-0.png: no such file" in reasons["query 2"]


def test_nothing_tells_the_systems_apart(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 30, per_row=1)
    page, systems = serve(*COMPARE), prefers_light(tmp_path)
    on_the_left = []

    def ids(shown: Shown) -> set[str]:
        rows = (shown.left, shown.right)
        return {hashlib.sha256(json.dumps([1, shown.query, *r]).encode()).hexdigest() for r in (rows, rows[::-1])}

    for name in ("ann", "bo"):
        person = page.person(name)
        for position in range(1, 31):
            shown = person.at(position)
            assert shown
            on_the_left.append(systems[shown.left[0]])
            assert shown.text == person.http.get(f"/c/{position}").text  # the same on reload
            assert not re.search(r"\bold\b|\bnew\b|\.png|photos/", shown.text.replace("/photo/", ""))
            # Nor may anything be a hash of the rows in their order, or a list in it.
            assert not ids(shown) & set(re.findall(r"[0-9a-f]{64}", shown.text))
            upcoming = re.findall(r'data-upcoming="([^"]*)"', shown.text)[0].split()
            assert upcoming == sorted(upcoming)
    assert 15 <= on_the_left.count("old") <= 45  # 4 standard deviations around 30
    assert on_the_left[:30] != on_the_left[30:]
    person.vote(shown, 4, 4)
    assert journal(tmp_path)[0]["comparison"] in ids(shown)  # which is what was looked for


def test_photos_are_made_by_us(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    exif = Image.Exif()
    exif[0x010E] = "made by the new system"
    path = tmp_path / "photos" / "new-0-0.png"
    Image.new("RGB", (3000, 1000), (200, 0, 0)).save(path, exif=exif)
    name = hashlib.sha256(path.read_bytes()).hexdigest()
    page = serve(*COMPARE)
    for size, width in (("small", 640), ("large", 1600)):
        answer = page.client().get(f"/photo/{name}/{size}")
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(BytesIO(answer.content)) as image:
            assert image.size == (width, round(width / 3))
        assert b"new system" not in answer.content
    photo(path, (1, 2, 3))  # replaced while the page is up: what was hashed is not what would be shown
    person = page.person("ann")
    assert page.client().get(f"/photo/{name}/small").status_code == 200  # still that of the start
    assert person.next()


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "</title></bdi></h1><svg onload=alert(1)>",
    "\u202eright to left\u2028\u0000\x1b[31m",
]


def test_queries_and_names_are_text(serve: Serve, aesalign: Aesalign, tmp_path: Path) -> None:
    rankings(tmp_path, len(HOSTILE), per_row=1, queries=HOSTILE)
    page = serve(*COMPARE)
    person = page.person(HOSTILE[1])
    for shown in person.vote_all(lambda shown: (7, 1)):
        for text in (shown.text, person.http.get("/all").text, page.client().get("/").text):
            assert not re.search(r"<script(?! src=\"/static)|<img src=x|<svg|onload=alert\(1\)>$|49 ", text)
    end = person.http.get("/end").text
    assert html.escape(HOSTILE[1], quote=False).replace('"', "&#34;") in end
    assert page.finish().code == 0
    assert aesalign("eval", "hpir", "votes/hpir.jsonl", "--check", "--json").json["items"] == len(HOSTILE)


def test_a_name_is_one_line_of_bounded_length(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    page = serve(*COMPARE)
    client = page.client()
    for empty in ("", "  ", "\u200b\n\x00"):
        assert client.post("/name", data={"name": empty}).headers["location"] == "/"
    long = page.person("a\nb" + "x" * 500)
    text = long.http.get("/next", follow_redirects=True).text
    assert f"<bdi>a b{'x' * 77}</bdi>" in text


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page that tests only look at."""
    folder = tmp_path_factory.mktemp("page")
    rankings(folder, 2, per_row=1)
    served = start(folder, *COMPARE)
    yield served
    served.kill()


@pytest.mark.parametrize(
    "path",
    [
        "/photo/../../etc/passwd/small", "/photo/..%2f..%2fetc%2fpasswd/small", "/photo/" + "0" * 64 + "/small",
        "/photo/%2e%2e/small", "/static/../page.py", "/static/%2e%2e%2fpages.py", "/static/pages.py", "/static/",
        "/votes/journal.jsonl", "/photo//small", "/docs", "/openapi.json",
    ],
)  # fmt: skip
def test_only_what_is_the_pages_own_is_given(page: Served, path: str) -> None:
    host, port = page.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:  # a client would tidy the path up
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 404"), answer[:80]
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize("size", ["huge", "small/..", "0"])
def test_other_sizes_are_not_made(page: Served, size: str) -> None:
    shown = page.person("ann").next()
    assert shown
    assert page.client().get(f"/photo/{shown.left[0]}/{size}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "a@evil.example"]
)
def test_a_foreign_name_is_not_answered(page: Served, host: str) -> None:
    answer = page.client().get("/", headers={"host": host})
    assert answer.status_code in (400, 421)
    assert "Your name" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "[::1]:9", "127.0.0.2"])
def test_names_of_this_machine_are(page: Served, host: str) -> None:
    # Also with another port: somebody may forward one.
    assert page.client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_post_from_another_page_is_refused(page: Served, headers: dict[str, str]) -> None:
    client = page.client(accept="*/*")
    for path in ("/name", "/c/1", "/again", "/finish"):
        assert client.post(path, data={"name": "eve"}, headers=headers).status_code == 403
    assert client.post("/name", data={"name": "eve"}).status_code == 303  # no browser: it says nothing of pages


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(page: Served, method: str) -> None:
    assert page.client().request(method, "/c/1").status_code == 405


def test_a_form_has_bounds(page: Served) -> None:
    person = page.person("ann")
    shown = person.next()
    assert shown

    def post(content: bytes) -> int:
        return person.http.post(f"/c/{shown.position}", content=content).status_code

    assert post(b"x" * 20_000) == 413
    assert post(b"&".join(b"a=1" for _ in range(60))) == 400
    assert post(b"\xff\xfe") == 400
    assert person.post(shown, do="save").status_code == 422  # nothing is answered
    assert person.vote(shown, 1).status_code == 422  # one of two
    assert person.vote(shown, 1, 8).status_code == 422
    assert person.post(shown, do="save", **{"aspect-0": "one", "aspect-1": "1"}).status_code == 422
    assert "Please answer every question" in person.post(shown, do="save").text
    for position in (0, 3, 99_999_999_999):
        assert person.http.get(f"/c/{position}").status_code == 404
    assert person.http.get("/c/-1").status_code == 404


def test_an_answer_to_another_comparison_is_not_taken(page: Served) -> None:
    """The page was open when the command was started again on other files."""
    person = page.person("ann")
    shown = person.next()
    assert shown
    answer = person.http.post(f"/c/{shown.position}", data={"comparison": "0" * 64, "aspect-0": 1, "aspect-1": 1})
    assert answer.status_code == 409
    assert "The work has changed" in answer.text
    assert person.next() == shown


def test_without_a_name_nothing_is_shown(page: Served) -> None:
    client = page.client()
    for path in ("/next", "/c/1", "/all", "/end"):
        assert client.get(path).headers["location"] == "/"
    assert client.post("/c/1", data={}).headers["location"] == "/"


def test_every_answer_carries_the_policy(page: Served) -> None:
    client = page.client()
    style = re.findall(r'href="(/static/[^"]+css[^"]*)"', client.get("/").text)[0]
    for path in ("/", "/next", "/nowhere", style):
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert client.get("/").headers["cache-control"] == "no-store"
    assert "unsafe" not in client.get("/").headers["content-security-policy"]


def test_pages_ask_nothing_of_other_machines(page: Served) -> None:
    person = page.person("ann")
    texts = [person.http.get(path, follow_redirects=True).text for path in ("/", "/next", "/all")]
    texts += [person.http.get(f"/static/page.{kind}").text for kind in ("css", "js")]
    for text in texts:
        assert not re.search(r"(https?:)?//(?!\s)[a-z]", re.sub(r"http://www.w3.org/\S+|(?m:^|\s)// .*", "", text))
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text)


def test_elsewhere_than_on_loopback_a_token_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    page = serve(*COMPARE, "--set", "judge.host=0.0.0.0")
    token = re.findall(r"\?token=(\S+)", page.url)[0]
    assert len(token) >= 32
    client = page.client()
    for path in ("/", "/next", "/photo/x/small", "/?token=wrong", "/?token="):
        answer = client.get(path)
        assert answer.status_code == 403
        assert 'name="token"' in answer.text
        assert "Your name" not in answer.text
    assert client.post("/name", data={"name": "eve"}).status_code == 403
    assert client.get("/static/page.css").status_code == 200
    entered = client.get("/", params={"token": token})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "httponly" in entered.headers["set-cookie"].lower()
    assert "Your name" in client.get("/").text
    ann = Person(client, "ann")
    ann.vote_all(lambda shown: (4, 4))
    ann.http.post("/finish")
    assert page.wait().json["aspects"]["accuracy"]["similar"] == 1


def test_a_token_of_ones_own_is_asked_for_on_loopback_too(serve: Serve, aesalign: Aesalign, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    named = ("--set", "judge.token_env=VOTE_TOKEN")
    page = serve(*COMPARE, *named, environment={"VOTE_TOKEN": "correct horse battery"})
    assert page.client().get("/").status_code == 403
    assert (
        page.client().get("/", headers={"host": "votes.example"}).status_code == 403
    )  # as behind a proxy: asked, too
    assert page.client().get("/", params={"token": "correct horse battery"}).status_code == 303
    page.kill()
    short = aesalign("judge", *COMPARE, *named, VOTE_TOKEN="short")
    _refused(short, "VOTE_TOKEN holds no token of 12 characters")


def test_two_pages_cannot_share_votes_or_a_port(serve: Serve, aesalign: Aesalign, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    page = serve(*COMPARE)
    _refused(aesalign("judge", *COMPARE, "--set", "judge.port=0"), "another process takes votes into votes")
    port = page.origin.rpartition(":")[2]
    other = aesalign("judge", *COMPARE, "--set", f"judge.port={port}", "--set", "judge.votes=others")
    _refused(other, f"cannot listen on 127.0.0.1, port {port}", "judge.port=0")
    nowhere = aesalign("judge", *COMPARE, "--set", "judge.host=no.such.host.invalid", "--set", "judge.votes=others")
    _refused(nowhere, "cannot listen on no.such.host.invalid")


def test_votes_that_cannot_be_kept_are_said_at_once(aesalign: Aesalign, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    (tmp_path / "file").write_text("mine")
    _refused(aesalign("judge", *COMPARE, "--set", "judge.votes=file"), "must be a folder")
    _refused(aesalign("judge", *COMPARE, "--set", "judge.votes=file/votes"), "cannot keep votes in file/votes")
    (tmp_path / "votes").mkdir()
    (tmp_path / "votes" / "journal.jsonl").write_text('{"aesalign_votes": 1, "seed": "a"}\n{}\n')
    _refused(aesalign("judge", *COMPARE), "line 2")


def _refused(done: Done, *parts: str) -> None:
    assert done.code == 1, done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    (line,) = [line for line in done.err.splitlines() if line.startswith("aesalign: error:")]
    for part in parts:
        assert part in line


def test_a_full_disk_is_told_to_who_votes_and_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 4, per_row=1)
    page = serve(*COMPARE, limit=2_000)
    ann = page.person("ann")
    kept = 0
    for _ in range(4):
        shown = ann.next()
        assert shown
        answer = ann.vote(shown, 4, 4)
        if answer.status_code == 507:
            break
        kept += 1
    assert answer.status_code == 507
    assert "Your answer was not kept" in answer.text
    assert 0 < kept < 4
    assert ann.next() == shown  # it is asked again
    assert len(journal(tmp_path)) == kept
    page.kill()
    again = serve(*COMPARE)
    assert len(again.person("ann").vote_all(lambda shown: (4, 4))) == 4 - kept


def test_kill_9_loses_nothing_that_was_acknowledged(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 60, per_row=1)
    acknowledged: dict[tuple[str, str], int] = {}
    for killed in range(2):
        page = serve(*COMPARE, "--set", "judge.annotators=3")

        def vote(name: str, page: Served = page, value: int = 1 + killed) -> None:
            try:
                person = page.person(name)
                for _ in range(15):
                    shown = person.next()
                    if shown and person.vote(shown, value, value).status_code == 303:
                        acknowledged[name, shown.comparison] = value
            except httpx.HTTPError:
                pass  # killed

        threads = [threading.Thread(target=vote, args=[name]) for name in ("ann", "bo", "cy")]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 8 * (killed + 1) and any(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        page.kill()
        for thread in threads:
            thread.join()
    assert len(acknowledged) >= 16
    with (tmp_path / "votes" / "journal.jsonl").open("ab") as file:
        file.write(b'{"at": "2024')  # as a write that was cut off would look
    page = serve(*COMPARE, "--set", "judge.annotators=3")
    assert any("cut off" in line for line in page.said)
    held = {
        (name, shown.comparison): shown.checked
        for name in ("ann", "bo", "cy")
        for person in [page.person(name)]
        for position in range(1, 61)
        if (shown := person.at(position)) and shown.checked
    }
    assert {key: held.get(key) for key in acknowledged} == {key: [v, v] for key, v in acknowledged.items()}
    done = page.interrupt()
    assert done.code == 0, done.err
    labelled = (tmp_path / "votes" / "hpir.jsonl").read_text().splitlines()
    assert sum(len(json.loads(line)["labels"]) for line in labelled) == 2 * len(held)


def test_a_team_labels_items_without_systems(serve: Serve, aesalign: Aesalign, tmp_path: Path) -> None:
    rows = [
        [photo(tmp_path / "p" / f"{k}{side}.png", (k, 9, 9 + n)) for n, side in enumerate("ab")] for k in range(3)
    ]
    items = [
        {"query": "the same query", "first": [Path(a).name], "second": [Path(b).name], "labels": []} for a, b in rows
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    arguments = ("vote", "items.jsonl", "--votes", "my votes", "--photos-root", "p", "--json")
    page = serve(*arguments, "--set", 'judge.aspects=["aesthetic", "wall art"]')
    bo = page.person("bo")
    shown = bo.next()
    assert shown
    assert "Which row is better in wall art?" in shown.text
    bo.vote_all(
        lambda shown: (4, 1 if shown.left[0] == hashlib.sha256(Path(rows[0][0]).read_bytes()).hexdigest() else 4)
    )
    done = page.finish()
    assert done.json["items"] == 3
    assert done.json["aspects"]["aesthetic"] == {"first": 0, "similar": 3, "second": 0, "none": 0}
    assert aesalign("eval", "hpir", "my votes/hpir.jsonl", "--check", "--json").json["items"] == 3
    table = aesalign("judge", *arguments[:-1], "--set", 'judge.aspects=["aesthetic", "wall art"]')
    assert "no vote" in table.out
    assert "nobody is asked" in table.err


def test_a_browser_is_opened_only_if_asked(serve: Serve, tmp_path: Path) -> None:
    rankings(tmp_path, 1, per_row=1)
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    opener.chmod(0o755)
    environment = {**os.environ, "BROWSER": str(opener)}
    page = serve(*COMPARE, environment=environment)
    assert page.client().get("/").status_code == 200
    page.kill()
    assert not (tmp_path / "opened").exists()
    page = serve(*COMPARE, "--set", "judge.browser=true", environment=environment)
    end = time.monotonic() + 20
    while not (tmp_path / "opened").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert (tmp_path / "opened").read_text().strip() == page.url
