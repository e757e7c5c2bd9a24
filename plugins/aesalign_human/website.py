"""The page: a name, one comparison after the other, a list of all, an end."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from aesalign_core.errors import AesalignError, ImageError
from aesalign_core.evaluation.hpir import Label
from aesalign_core.images.serving import MEDIA_TYPE
from aesalign_human import pages, scale
from aesalign_human.closing import Closing
from aesalign_human.comparisons import Comparison
from aesalign_human.guard import YEAR, Door, Guard
from aesalign_human.pictures import SIDES, Pictures
from aesalign_human.responses import Form, form_of, http_error, not_kept, page, refusal, to
from aesalign_human.work import Work

MAX_NAME = 80


class Site:
    """Answers requests.

    Args:
        work: What is to be done.
        pictures: The photos of it.
        door: Who is let in.
        closing: Told who is where.
    """

    def __init__(self, work: Work, pictures: Pictures, door: Door, closing: Closing) -> None:
        self._work, self._pictures, self._door, self._closing = work, pictures, door, closing

    def app(self) -> ASGIApp:
        """The ASGI application, guarded."""
        routes = [
            Route("/", self._start),
            Route("/name", self._posted(self._name), methods=["POST"]),
            Route("/next", self._next),
            Route("/c/{position:int}", self._comparison, methods=["GET"]),
            Route("/c/{position:int}", self._posted(self._answer), methods=["POST"]),
            Route("/all", self._all),
            Route("/again", self._posted(self._again), methods=["POST"]),
            Route("/end", self._end),
            Route("/finish", self._posted(self._finish), methods=["POST"]),
            Route("/photo/{name}/{size}", self._photo),
            Route("/static/{name}", self._static),
        ]
        handlers = {HTTPException: http_error, AesalignError: not_kept}
        return Guard(Starlette(routes=routes, exception_handlers=handlers), self._door, refusal)

    # Pages. They read from disk, so Starlette runs them in threads.

    def _start(self, request: Request) -> Response:
        people = [(name, self._work.progress(name)) for name in self._work.votes.names()]
        return page("start", people=people, who=self._who(request), most=MAX_NAME, total=len(self._work.comparisons))

    def _next(self, request: Request) -> Response:
        who = self._who(request)
        return self._onward(who, after=0) if who else to("/")

    def _comparison(self, request: Request) -> Response:
        who, position = self._who(request), int(request.path_params["position"])
        if not who:
            return to("/")
        comparison = self._at(who, position)
        self._closing.seen(who, at_end=False)
        if not self._can_be_shown(comparison):
            return self._onward(who, after=position)
        return self._show(who, position, comparison)

    def _show(
        self, who: str, position: int, comparison: Comparison, *, problem: str = "", status: int = 200
    ) -> Response:
        work, left = self._work, self._work.left(who, comparison)
        rows = (comparison.first, comparison.second)
        given = work.votes.labels(comparison, who)
        upcoming = work.next(who, after=position)
        # Sorted, or their order would tell which row is old.
        photos = sorted(self._at(who, upcoming).photos) if upcoming else []
        self._pictures.prepare(photos)
        return page(
            "vote",
            status=status,
            query=comparison.item.query,
            mark=work.mark(comparison),
            position=position,
            sides=dict(zip(("left", "right"), rows if left == "first" else rows[::-1], strict=True)),
            columns=pages.columns(rows),
            aspects={a: scale.value(given[a], left=left) if a in given else None for a in work.aspects},
            is_answered=work.is_answered(who, comparison),
            is_skipped=work.is_skipped(who, comparison),
            back=work.back(who, before=position),
            upcoming=photos,
            problem=problem,
            who=who,
            progress=work.progress(who),
        )

    def _all(self, request: Request) -> Response:
        who = self._who(request)
        if not who:
            return to("/")
        self._closing.seen(who, at_end=False)
        work = self._work
        rows = [(at, one.item.query, self._state(who, one)) for at, one in enumerate(work.order(who), 1)]
        return page("all", rows=rows, who=who, progress=work.progress(who))

    def _state(self, who: str, comparison: Comparison) -> str:
        if self._work.failure(comparison):
            return "cannot be shown"
        if self._work.is_answered(who, comparison):
            return "answered"
        if self._work.is_skipped(who, comparison):
            return "skipped"
        return "open" if self._work.is_open(who, comparison) else "answered by others"

    def _end(self, request: Request) -> Response:
        who = self._who(request)
        if not who:
            return to("/")
        work = self._work
        if work.next(who):
            return to("/next")
        self._closing.seen(who, at_end=True)
        given, wanted = work.given()
        return page(
            "end",
            who=who,
            progress=work.progress(who),
            back=work.back(who, before=len(work.comparisons) + 1),
            people=[(name, work.progress(name)) for name in work.votes.names()],
            missing=wanted - given,
            is_complete=work.is_complete(),
            is_settled=work.is_settled(),
        )

    def _photo(self, request: Request) -> Response:
        name, size = request.path_params["name"], request.path_params["size"]
        if size not in SIDES:
            raise HTTPException(404)
        try:
            data = self._pictures.get(name, size)
        except (KeyError, ImageError):
            raise HTTPException(404) from None
        # Named by content: the browser may keep it, whatever is compared next.
        return Response(data, media_type=MEDIA_TYPE, headers={"cache-control": f"private, max-age={YEAR}, immutable"})

    def _static(self, request: Request) -> Response:
        data = pages.static().get(request.path_params["name"])
        if data is None:
            raise HTTPException(404)
        kind = pages.TYPES["." + request.path_params["name"].rpartition(".")[2]]
        return Response(data, media_type=kind, headers={"cache-control": f"public, max-age={YEAR}, immutable"})

    # Posts.

    def _posted(self, answer: Callable[[Request, Form], Response]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            form = await form_of(request)
            return await run_in_threadpool(answer, request, form)

        return endpoint

    def _name(self, request: Request, form: Form) -> Response:
        name = self._work.votes.name(_cleaned(form.get("name", "")))
        if not name:
            return to("/")
        entered = to("/next")
        entered.set_cookie(self._door.cookie("name"), quote(name), max_age=YEAR, httponly=True, samesite="lax")
        return entered

    def _answer(self, request: Request, form: Form) -> Response:
        who, position = self._who(request), int(request.path_params["position"])
        if not who:
            return to("/")
        comparison = self._at(who, position)
        if form.get("comparison") != self._work.mark(comparison):
            raise HTTPException(409)
        left = self._work.left(who, comparison)
        if form.get("do") == "skip":
            if not (self._work.is_answered(who, comparison) or self._work.is_skipped(who, comparison)):
                self._work.votes.skip(comparison, who, left=left)
            return self._onward(who, after=position)
        try:
            labels = self._labels(who, form, left)
        except ValueError:
            problem = "Please answer every question, or skip this one."
            return self._show(who, position, comparison, problem=problem, status=422)
        self._work.votes.vote(comparison, who, labels, left=left)
        return self._onward(who, after=position)

    def _labels(self, who: str, form: Form, left: scale.Row) -> Sequence[Label]:
        return [
            scale.label(int(form.get(f"aspect-{number}", "")), left=left, annotator=who, aspect=aspect)
            for number, aspect in enumerate(self._work.aspects)
        ]

    def _again(self, request: Request, form: Form) -> Response:
        who = self._who(request)
        for comparison in self._work.order(who) if who else ():
            if self._work.is_skipped(who, comparison):
                self._work.votes.skip(comparison, who, left=self._work.left(who, comparison), skipped=False)
        return to("/next")

    def _finish(self, request: Request, form: Form) -> Response:
        if not self._who(request) or not self._work.is_settled():
            return to("/next")
        self._closing.finish()
        return page("closed", who=self._who(request))

    # What they share.

    def _who(self, request: Request) -> str:
        """The name in the cookie; empty if there is none."""
        return self._work.votes.name(_cleaned(unquote(request.cookies.get(self._door.cookie("name"), ""))))

    def _at(self, who: str, position: int) -> Comparison:
        order = self._work.order(who)
        if not 1 <= position <= len(order):
            raise HTTPException(404)
        return order[position - 1]

    def _onward(self, who: str, *, after: int) -> Response:
        """To the next comparison that can be shown, or to the end."""
        while position := self._work.next(who, after=after):
            if self._can_be_shown(self._at(who, position)):
                return to(f"/c/{position}")
        return to("/end")

    def _can_be_shown(self, comparison: Comparison) -> bool:
        if not self._work.failure(comparison):
            reason = self._pictures.fault(comparison.photos)
            if reason:
                self._work.fail(comparison, reason)
        return not self._work.failure(comparison)


def _cleaned(name: str) -> str:
    """A name as one line of printable letters, composed; empty if nothing is left."""
    whole = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    printable = "".join(" " if unicodedata.category(c)[0] in "ZC" else c for c in whole)
    return " ".join(printable.split())[:MAX_NAME].strip()
