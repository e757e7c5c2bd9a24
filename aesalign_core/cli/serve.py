"""`aesalign serve`: one gallery over HTTP."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Annotated, Any

import typer

from aesalign_core.cli import browser, compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Set

NAME = "serve"
# The service is a plugin's affair, as are its libraries; the core names it by path, as it names factories.
SERVING, SETTINGS = "aesalign_serve.serving", "aesalign_serve.settings"
EXTRA = ("fastapi", "prometheus_client")


def command(
    gallery: Gallery,
    encoder: Encoder = None,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; others than loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free port.")] = 8000,
    token_env: Annotated[
        str | None, typer.Option("--token-env", metavar="NAME", help="Environment variable that holds the token.")
    ] = None,
    max_batch: Annotated[int, typer.Option("--max-batch", min=1, max=4096, help="Texts of one forward pass.")] = 64,
    max_wait_ms: Annotated[
        float, typer.Option("--max-wait-ms", min=0, max=1000, help="How long a pass waits for more texts.")
    ] = 0.0,
    queue: Annotated[
        int, typer.Option("--queue", min=1, help="Texts that may wait; more are answered with 503.")
    ] = 1024,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests a second of one client; 0: no limit.")
    ] = 200.0,
    max_texts: Annotated[int, typer.Option("--max-texts", min=1, max=10_000, help="Texts of one request.")] = 256,
    max_characters: Annotated[
        int, typer.Option("--max-characters", min=1, max=2_000, help="Characters of one text.")
    ] = 2_000,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the search page in a browser.")] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Serve a gallery: OpenAI-compatible embeddings, search, metrics and a search page.

    With --encoder RUN, tuned with --tune text, the page shows the photos before and after alignment, the strength
    being a slider. Ctrl-C or SIGTERM answers what is in flight, then ends. Needs the extra `serve`.

    Example: [bold]aesalign serve -g gallery --encoder run --open[/bold]
    """
    from aesalign_core.gallery import Gallery as OpenGallery
    from aesalign_core.settings import validate

    _check_extra()
    given = {
        "host": host, "port": port, "token_env": token_env, "max_batch": max_batch, "max_wait_ms": max_wait_ms,
        "queue": queue, "rate": rate, "max_texts": max_texts, "max_characters": max_characters,
    }  # fmt: skip
    settings = validate(importlib.import_module(SETTINGS).ServeSettings, given, where="serve")
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder)
    named = build.recipe.encoder.use if encoder or recipe else None

    def ready(facts: dict[str, Any]) -> None:
        if json:
            console.print_json_line(facts)
        console.note(f"serving {facts['photos']:,} photos at {facts['url']} (Ctrl-C ends)")
        if is_opened:
            browser.open_address(str(facts["url"]))

    importlib.import_module(SERVING).serve(
        OpenGallery.open(gallery, build), build, settings, encoder=named, ready=ready
    )


def _check_extra() -> None:
    """Raises PluginError where the libraries of the extra are missing."""
    from aesalign_core.errors import PluginError

    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise PluginError(
            f"aesalign serve needs {' and '.join(missing)}, which is not installed",
            hint="pip install 'aesalign[serve]'",
        )
