"""The search page, and the one that asks for a token: each one file, with nothing to be loaded but photos."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from aesalign_serve.service import Service
from aesalign_serve.settings import MAX_STRENGTH

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent / "templates"


@router.get("/")
async def search_page(request: Request) -> Response:
    """A query, and the rows of photos before alignment and after it."""
    service: Service = request.app.state.service
    return _page(
        "search",
        is_aligned=service.towers.is_aligned,
        strength=service.towers.strength,
        most=MAX_STRENGTH,
        encoder=service.towers.name,
        photos=request.app.state.photos,
        longest=service.settings.max_characters,
    )


def asking(is_wrong: bool) -> Response:
    """The page that asks for the token."""
    return _page("token", status=403 if is_wrong else 401, is_wrong=is_wrong)


def _page(template: str, *, status: int = 200, **values: Any) -> Response:
    style, script = _read("page.css"), _read(f"{template}.js")
    html = _environment().get_template(f"{template}.html.j2").render(
        style=Markup(style), script=Markup(script), **values  # noqa: S704 - our own files
    )  # fmt: skip
    policy = (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return HTMLResponse(html, status_code=status, headers=headers)


@cache
def _read(name: str) -> str:
    path = _FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True, loader=PackageLoader("aesalign_serve"), lstrip_blocks=True, trim_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
