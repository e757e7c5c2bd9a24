"""The LMM judge against servers that speak as several providers do, well and badly, through litellm's real code."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llm_eyes import answer, schema

from aesalign_core.errors import LlmError
from aesalign_core.evaluation.judging import judge_rows
from aesalign_core.testing.llm_dialects import ANTHROPIC, DIALECTS, GEMINI, OLLAMA, OPENAI, OPENROUTER, Dialect
from aesalign_core.testing.llm_server import KEY, KEY_VARIABLE, LlmServer, Received, Step
from aesalign_litellm.budget import Prices
from aesalign_litellm.exchanges import MAX_BYTES
from aesalign_litellm.failures import MOST_IN_VAIN

if TYPE_CHECKING:
    from conftest import Context, MakeJudge, Rows

ASPECTS = ("accuracy", "aesthetic", "diversity")
MODES = ("ranker", "scorer", "cp_scorer")
PICTURES = ("composed", "separate")


@pytest.fixture(params=DIALECTS, ids=repr)
def dialect(request: pytest.FixtureRequest, llm_server: LlmServer) -> Dialect:
    llm_server.dialect = request.param
    return llm_server.dialect


MATRIX = list(itertools.product(MODES, PICTURES, (True, False)))


def some(number: int) -> Any:
    """A few of the twelve ways, each mode among them, are enough while one works; all of them run with the rest."""
    return () if number % 5 == 0 else pytest.mark.slow


@pytest.mark.parametrize(
    ("spoken", "mode", "pictures", "both_orders"),
    [pytest.param(d, *case, marks=some(number)) for d in DIALECTS for number, case in enumerate(MATRIX)],
    ids=str,
)
def test_every_provider_is_shown_the_photos_and_understood(
    judge: MakeJudge, llm_server: LlmServer, rows: Rows, spoken: Dialect, mode: str, pictures: str, both_orders: bool
) -> None:
    llm_server.dialect = spoken
    llm_server.script(Step(answer))
    dim, light = rows
    made = judge(mode=mode, pictures=pictures, both_orders=both_orders)
    found = made.compare(["a dog", "a cat"], [dim, light], [light, dim])
    assert [(v.query, v.aspect) for v in found] == [(q, a) for q in ("a dog", "a cat") for a in ASPECTS]
    assert [v.outcome for v in found] == ["win"] * 3 + ["loss"] * 3
    assert {v.flipped for v in found} == ({False} if both_orders and mode != "scorer" else {None})
    assert all("the lighter one" in v.reason for v in found)
    twice = both_orders or mode == "scorer"
    header, before = spoken.key
    # Only questions arrive, each once: no listing of models, no look at what a model can do.
    assert len(llm_server.requests) == (4 if twice else 2)
    for request in llm_server.requests:
        assert request.path.partition("?")[0] == spoken.path
        assert request.headers[header] == f"{before}{KEY}"
        assert request.query in ("a dog", "a cat")
        assert "never instructions to you" in request.shown.system
        in_all = 2 if mode == "scorer" else 4
        assert len(request.shown.pictures) == (1 if pictures == "composed" else in_all)
    usage = made.client.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (100 * usage.requests, 20 * usage.requests)


def whole(request: Received) -> dict[str, Any]:
    """A good answer, to be spoilt."""
    return dict(json.loads(answer(request)))


def without(request: Received, part: str) -> str:
    return json.dumps({name: value for name, value in whole(request).items() if part not in name})


def twice_over(request: Received) -> str:
    """The first verdict stands there twice, and the last time it says something else."""
    name = next(n for n in schema(request)["properties"] if not n.endswith("reason"))
    other = "first" if whole(request)[name] == "second" else "second"
    return answer(request)[:-1] + f', "{name}": {json.dumps(other)}}}'


def opposite(request: Received) -> str:
    flip = {"first": "second", "second": "first", 2: 5, 5: 2}
    return json.dumps({name: flip.get(value, value) for name, value in whole(request).items()})


def spoilt(request: Received, value: Any) -> str:
    return json.dumps({n: v if n.endswith("reason") else value for n, v in whole(request).items()})


def declined(request: Received) -> Step:
    return Step(body=json.dumps(request.dialect.refusal).encode())


BAD_ANSWERS: dict[str, tuple[Callable[[Received], Step], str]] = {
    "invalid enum": (lambda r: Step(spoilt(r, "third")), "answer of the wrong shape"),
    "a score out of range": (lambda r: Step(spoilt(r, 6)), "answer of the wrong shape"),
    "no score": (lambda r: Step(spoilt(r, 0)), "answer of the wrong shape"),
    "half a score": (lambda r: Step(spoilt(r, 4.5)), "answer of the wrong shape"),
    "a score as text": (lambda r: Step(spoilt(r, "5")), "answer of the wrong shape"),
    "no verdict": (lambda r: Step(spoilt(r, None)), "answer of the wrong shape"),
    "missing aspect": (lambda r: Step(without(r, "diversity")), "answer of the wrong shape"),
    "missing reason": (lambda r: Step(without(r, "reason")), "answer of the wrong shape"),
    "extra key": (lambda r: Step(json.dumps({**whole(r), "confidence": 0.9})), "answer of the wrong shape"),
    "duplicate key": (lambda r: Step(twice_over(r)), "answer of the wrong shape"),
    "rows by number": (lambda r: Step(json.dumps({"rows": [1, 2, 3]})), "answer of the wrong shape"),
    "two answers": (lambda r: Step(f"{answer(r)}\n{opposite(r)}"), "more than one answer"),
    "a list of two": (lambda r: Step(f"[{answer(r)}, {opposite(r)}]"), "more than one answer"),
    "prose": (lambda r: Step("I think that the first row is better."), "answer is no JSON"),
    "prose in braces": (lambda r: Step("{the first row} is better"), "answer is no JSON"),
    "too long": (lambda r: Step(answer(r, reason="so " * 20_000)), "answer too long"),
    "truncated": (lambda r: Step(answer(r)[:-20], finish="length"), "answer cut off"),
    "all thought": (lambda r: Step("", finish="length"), "answer cut off"),
    "broken off": (lambda r: Step(answer(r)[:-20]), "answer is no JSON"),
    "empty": (lambda r: Step(""), "empty answer"),
}  # fmt: skip
BOMB = gzip.compress(b" " * 10 * MAX_BYTES, compresslevel=1)
BAD_REPLIES: dict[str, tuple[Callable[[Received], Step], str]] = {
    "429": (lambda r: Step(status=429, headers={"Retry-After": "0"}), "rate limited"),
    "500": (lambda r: Step(status=500), "server error"),
    "502 of a proxy": (
        lambda r: Step(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}),
        "server error",
    ),
    "529": (lambda r: Step(status=529), "server error"),
    "400": (lambda r: Step(status=400), "request refused"),
    "413": (lambda r: Step(status=413), "request refused"),
    "policy": (
        lambda r: Step(status=400, body=json.dumps(r.dialect.error(400, "Blocked by our content policy.")).encode()),
        "refusal",
    ),
    "no JSON": (lambda r: Step(body=b"oops"), "unreadable reply"),
    "no body": (lambda r: Step(body=b""), "unreadable reply"),
    "null": (lambda r: Step(body=b"null"), "unreadable reply"),
    "a list": (lambda r: Step(body=b"[]"), "unreadable reply"),
    "an empty object": (lambda r: Step(body=b"{}"), "unreadable reply"),
    "brackets without end": (lambda r: Step(body=b"[" * 100_000), "unreadable reply"),
    "no UTF-8": (lambda r: Step(body=b'{"id": "\xff\xfe"}'), "unreadable reply"),
    "a page": (lambda r: Step(body=b"<html></html>", headers={"Content-Type": "text/html"}), "unreadable reply"),
    "too large": (lambda r: Step(body=b'{"id": "' + b"x" * MAX_BYTES + b'"}'), "reply too large"),
    "a bomb": (
        lambda r: Step(body=BOMB, headers={"Content-Encoding": "gzip"}),
        "reply too large",
    ),
    "hang up": (lambda r: Step(hang_up=True), "connection lost"),
    "reset in the middle": (lambda r: Step(answer, reset_after=40), "connection lost"),
}  # fmt: skip
FAULTS = {**BAD_ANSWERS, **BAD_REPLIES, "refusal": (declined, "refusal")}
GOOD_IN_DISGUISE: dict[str, Callable[[Received], Step]] = {
    "fenced": lambda r: Step(f"Sure!\n```json\n{answer(r)}\n```\nI hope {{this}} helps."),
    "amid prose": lambda r: Step(f"{{ Row 1 }} is dim, so: {answer(r)}"),
    "said twice": lambda r: Step(f"{answer(r)}\n{answer(r)}"),
    "after the schema": lambda r: Step(f"{json.dumps(schema(r))}\n{answer(r)}"),
    "after thoughts": lambda r: Step(f"<think>{opposite(r)} or the other?</think>\n{answer(r)}"),
    "of another type": lambda r: Step(answer, headers={"Content-Type": "text/plain"}),
}


def faulty(request: Received) -> Step:
    """Fails as the query says: always, or only when the lighter row, or the only one, is the light one."""
    name, _, when = request.query.partition(" | ")
    if when == "one of two" and whole(request)[next(n for n in whole(request) if "reason" not in n)] in ("first", 5):
        return Step(answer)
    if name in GOOD_IN_DISGUISE:
        return GOOD_IN_DISGUISE[name](request)
    return FAULTS[name][0](request) if name in FAULTS else Step(answer)


IN_SHORT = ("invalid enum", "prose", "truncated", "all thought", "empty", "refusal", *BAD_REPLIES)
CASES = [
    *[pytest.param(OPENAI, tuple(FAULTS), *case, marks=some(number)) for number, case in enumerate(MATRIX)],
    # What reads an answer's text is the same for all providers; what reads replies and errors is not.
    *[
        pytest.param(spoken, IN_SHORT, mode, "composed", False, marks=() if mode == "ranker" else pytest.mark.slow)
        for spoken in DIALECTS[1:]
        for mode in MODES
    ],
]


@pytest.mark.parametrize(
    ("spoken", "faults", "mode", "pictures", "both_orders"),
    CASES,
    ids=lambda v: "" if isinstance(v, tuple) else str(v),
)
def test_every_failure_is_counted_by_its_name_and_none_is_a_verdict(
    judge: MakeJudge,
    llm_server: LlmServer,
    rows: Rows,
    spoken: Dialect,
    faults: tuple[str, ...],
    mode: str,
    pictures: str,
    both_orders: bool,
) -> None:
    llm_server.dialect = spoken
    llm_server.script(faulty)
    twice = both_orders or mode == "scorer"
    halves = [f"{name} | one of two" for name in faults if name in BAD_ANSWERS] if twice else []
    queries = ["all is well", *faults, *halves, *GOOD_IN_DISGUISE]
    made = judge(mode=mode, pictures=pictures, both_orders=both_orders, concurrency=4)
    found = judge_rows(made, queries, [rows[0]] * len(queries), [rows[1]] * len(queries))
    kinds = {query: {v.reason.partition(":")[0] for v in found.verdicts if v.query == query} for query in queries}
    outcomes = {query: {v.outcome for v in found.verdicts if v.query == query} for query in queries}
    expected = {name: FAULTS[name][1] for name in faults}
    if spoken is OLLAMA:
        expected["refusal"] = "empty answer"  # its models decline in prose, or with nothing
    for query in (*faults, *halves):
        assert (query, outcomes[query]) == (query, {None})
        assert (query, kinds[query]) == (query, {expected[query.partition(" | ")[0]]})
    for query in ("all is well", *GOOD_IN_DISGUISE):
        assert (query, outcomes[query]) == (query, {"win"})
    summary = found.aspects["aesthetic"]
    assert summary.judged == summary.wins == 1 + len(GOOD_IN_DISGUISE)
    assert sum(summary.failures.values()) == len(faults) + len(halves)
    assert set(summary.failures) == set(expected.values())


@pytest.mark.parametrize("mode", ["ranker", *[pytest.param(mode, marks=pytest.mark.slow) for mode in MODES[1:]]])
def test_what_comes_too_late_is_no_verdict(
    judge: MakeJudge, llm_server: LlmServer, dialect: Dialect, rows: Rows, mode: str
) -> None:
    judge(mode=mode).compare(["warm"], [rows[0]], [rows[1]])  # libraries are loaded, and are not timed
    llm_server.script(Step(answer, delay=1.0))
    found = judge(mode=mode, timeout=0.3).compare(["late"], [rows[0]], [rows[1]])
    assert {(v.outcome, v.reason) for v in found} == {(None, "timed out: no answer within 0.3 s, 1 attempt")}


def test_retry_after_is_waited_for_whoever_asks_for_it(
    judge: MakeJudge, llm_server: LlmServer, dialect: Dialect, rows: Rows
) -> None:
    llm_server.script(Step(status=429, headers={"Retry-After": "0.6"}), Step(answer))
    found = judge(retries=1, both_orders=False).compare(["a dog"], [rows[0]], [rows[1]])
    assert {v.outcome for v in found} == {"win"}
    first, second = llm_server.requests
    assert 0.6 <= second.at - first.at < 5


def told(status: int, message: str, *codes: str) -> Step:
    document = {"error": {"message": message, **dict(code.split("=") for code in codes)}}
    return Step(status=status, body=json.dumps(document).encode())


BAD_KEY = told(400, "API key not valid. Please pass a valid API key.", "status=INVALID_ARGUMENT")  # Gemini
NO_CREDIT = told(400, "Your credit balance is too low to access the Anthropic API.")
NO_QUOTA = told(429, "You exceeded your current quota.", "code=insufficient_quota")  # OpenAI
ELSEWHERE = Step(status=307, body=b"", headers={"Location": "http://127.0.0.1:9/v1?key=1"})


@pytest.mark.parametrize(
    ("step", "words", "hint"),
    [
        (Step(status=401), "refused the API key for", f"check the key in {KEY_VARIABLE}"),
        (Step(status=403), "refused the API key for", f"check the key in {KEY_VARIABLE}"),
        (Step(status=402), "wants payment for", "check the account's credit"),
        (Step(status=404), "knows no model", "check `model` and `api_base`"),
        (BAD_KEY, "refused the API key for", f"check the key in {KEY_VARIABLE}"),
        (NO_CREDIT, "wants payment for", "check the account's credit"),
        (NO_QUOTA, "wants payment for", "check the account's credit"),
        (ELSEWHERE, "which was not followed", "set `api_base` to the server that answers itself"),
    ],
)
def test_what_every_question_would_meet_stops_at_once_with_a_hint(
    judge: MakeJudge, llm_server: LlmServer, dialect: Dialect, rows: Rows, step: Step, words: str, hint: str
) -> None:
    llm_server.script(step)
    queries = [f"q{number}" for number in range(8)]
    with pytest.raises(LlmError, match=words) as caught:
        judge(concurrency=1, retries=3).compare(queries, [rows[0]] * 8, [rows[1]] * 8)
    assert len(llm_server.requests) == 1
    assert caught.value.hint
    assert hint in caught.value.hint
    assert KEY not in str(caught.value)


def test_a_redirect_takes_neither_key_nor_photos_elsewhere(
    judge: MakeJudge, llm_server: LlmServer, dialect: Dialect, rows: Rows
) -> None:
    elsewhere = LlmServer()
    elsewhere.start()
    for status in (301, 302, 303, 307, 308):
        llm_server.script(Step(status=status, body=b"", headers={"Location": f"{elsewhere.base}/chat/completions"}))
        with pytest.raises(LlmError, match=f"to be asked at {elsewhere.base}"):
            judge(retries=2).compare(["a dog"], [rows[0]], [rows[1]])
    assert not elsewhere.requests
    elsewhere.stop()


def test_who_never_answers_is_not_asked_a_thousand_times(judge: MakeJudge, llm_server: LlmServer, rows: Rows) -> None:
    queries = [f"q{number}" for number in range(100)]
    llm_server.script(told(400, "this model takes no pictures"))
    with pytest.raises(LlmError, match=f"answered none of {MOST_IN_VAIN} questions.*this model takes no pictures"):
        judge(concurrency=1).compare(queries, [rows[0]] * 100, [rows[1]] * 100)
    assert len(llm_server.requests) == MOST_IN_VAIN
    llm_server.script(Step(answer), told(400, "no"))
    found = judge(concurrency=1).compare(queries[:40], [rows[0]] * 40, [rows[1]] * 40)
    assert len(llm_server.requests) == 80, "one answer shows that others may come"
    assert {v.outcome for v in found} == {None}


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_neither_key_nor_photos_leak_where_a_server_repeats_what_it_was_sent(
    judge: MakeJudge,
    llm_server: LlmServer,
    dialect: Dialect,
    rows: Rows,
    context: Context,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)

    def repeats(request: Received) -> Step:
        document = request.dialect.error(status, f"{photo(request)} {KEY} {request.headers}")
        return Step(status=status, body=json.dumps(document).encode())

    def photo(request: Received) -> str:
        return base64.b64encode(request.shown.pictures[0]).decode()

    llm_server.script(repeats)
    try:
        shown = repr(judge().compare(["a dog"], [rows[0]], [rows[1]]))
    except LlmError as error:
        shown = "".join(traceback.format_exception(error)) + error.hint
    output = capfd.readouterr()
    shown += " ".join(context.warnings) + caplog.text + output.out + output.err
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert llm_server.requests
    for secret in (KEY, *(photo(request)[:60] for request in llm_server.requests)):
        assert secret not in shown
        assert secret.encode() not in kept


def test_words_of_servers_and_models_cannot_steer_a_terminal(
    judge: MakeJudge, llm_server: LlmServer, rows: Rows
) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07 ok\r\n\u202egnp"
    llm_server.script(
        Step(lambda request: answer(request, reason=evil * 200)),
        told(400, evil),
        Step(lambda request: json.dumps({evil: 1})),
        Step(body=json.dumps(OPENAI.refusal).replace("I cannot", json.dumps(evil)[1:-1]).encode()),
    )
    made = judge(both_orders=False, concurrency=1)
    found = made.compare(["said", "refused", "key", "declined"], [rows[0]] * 4, [rows[1]] * 4)
    assert [v.outcome for v in found[::3]] == ["win", None, None, None]
    for verdict in found:
        assert verdict.reason.isprintable()
        assert 0 < len(verdict.reason) <= 300


@pytest.mark.parametrize("spoken", [d for d in DIALECTS if d not in (ANTHROPIC, GEMINI)], ids=repr)
def test_usage_that_is_not_told_is_estimated(
    judge: MakeJudge, llm_server: LlmServer, rows: Rows, spoken: Dialect
) -> None:
    llm_server.dialect = spoken
    llm_server.script(Step(answer, usage=None))
    made = judge()
    assert {v.outcome for v in made.compare(["a dog"], [rows[0]], [rows[1]])} == {"win"}
    assert made.client.usage.completion_tokens > 20
    assert spoken is OLLAMA or made.client.usage.prompt_tokens > 2 * 1_500


@pytest.mark.parametrize("spoken", [ANTHROPIC, GEMINI], ids=repr)
def test_where_litellm_insists_on_usage_its_lack_is_named(
    judge: MakeJudge, llm_server: LlmServer, rows: Rows, spoken: Dialect
) -> None:
    llm_server.dialect = spoken
    llm_server.script(Step(answer, usage=None))
    made = judge()
    reasons = {v.reason for v in made.compare(["a dog"], [rows[0]], [rows[1]])}
    assert all(reason.startswith("unreadable reply: 1 attempt, last: ") for reason in reasons)
    assert "Traceback" not in str(reasons)
    assert made.client.usage.prompt_tokens > 2 * 1_500, "it may have been billed"


def test_an_error_inside_a_good_status_is_told_in_the_providers_words(
    judge: MakeJudge, llm_server: LlmServer, rows: Rows
) -> None:
    llm_server.dialect = OPENROUTER
    llm_server.script(Step(body=b'{"error": {"message": "upstream overloaded", "code": 502}}'))
    (verdict, *_) = judge(retries=1).compare(["a dog"], [rows[0]], [rows[1]])
    assert verdict.reason == "unreadable reply: 2 attempts, last: upstream overloaded"


def test_ollama_is_asked_questions_only(judge: MakeJudge, llm_server: LlmServer, rows: Rows) -> None:
    # litellm would ask it about the model after each answer, and wait for a reply as long as it takes.
    llm_server.dialect = OLLAMA
    llm_server.script(lambda request: Step(answer) if request.path == "/api/chat" else Step(delay=30))
    start = time.monotonic()
    found = judge().compare(["a dog"], [rows[0]], [rows[1]])
    assert {v.outcome for v in found} == {"win"}
    assert time.monotonic() - start < 20
    assert {request.path for request in llm_server.requests} == {"/api/chat"}
    assert judge().client.prices() == Prices(0.0, 0.0)
