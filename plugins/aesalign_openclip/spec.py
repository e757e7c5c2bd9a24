"""What an open_clip model's name means: an architecture and where its weights come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from aesalign_core.errors import ModelError

HUB = "hf-hub:"
_PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl"}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model's name, understood. Exactly one of `tag`, `file` and a hub name says where the weights are.

    Attributes:
        model: What the user wrote.
        arch: An architecture of open_clip's registry, or `hf-hub:organisation/name`.
        tag: One of the architecture's published weights.
        file: A local safetensors file.
    """

    model: str
    arch: str
    tag: str | None = None
    file: Path | None = None

    @property
    def on_hub(self) -> bool:
        """Whether architecture and weights both come from a hub repository."""
        return self.arch.startswith(HUB)


def parse(model: str) -> ModelSpec:
    """Understands `ARCH/PRETRAINED`, `hf-hub:organisation/name` or `ARCH/path/to/weights.safetensors`.

    Raises:
        ModelError: The name is of no such form, or names an unknown architecture, unknown weights, a missing file
            or a file that would have to be unpickled. Random weights have no name.
    """
    if model.startswith(HUB):
        organisation, slash, name = model.removeprefix(HUB).partition("/")
        if not (organisation and slash and name) or ".." in model:
            raise ModelError(f"{model!r} names no hub repository", hint=f"write {HUB}organisation/name")
        return ModelSpec(model, model)
    arch, _, rest = model.partition("/")
    tags = _tags(arch, model)
    if not rest:
        raise ModelError(f"{model!r} names no weights", hint=f"write {arch}/TAG, with TAG {_listing(tags)}")
    if (tag := rest.lower().replace("-", "_")) in tags:
        return ModelSpec(model, arch, tag=tag)
    if "/" in rest or Path(rest).suffix or Path(rest).exists():
        return ModelSpec(model, arch, file=_file(arch, Path(rest).expanduser()))
    raise ModelError(f"open_clip has no weights {rest!r} for {arch}", hint=_nearest(rest, tags))


def absolute(model: str) -> str:
    """The name that means the same model in every folder: a local file by its whole path."""
    known = parse(model)
    return model if known.file is None else f"{known.arch}/{known.file.resolve()}"


def _tags(arch: str, model: str) -> list[str]:
    import open_clip

    known = open_clip.list_models()
    if arch not in known:
        wanted = model.replace("/", "-") if model.replace("/", "-") in known else arch
        folder = f"there is no folder {model}, and " if "/" in model else ""  # a RUN that was misspelled lands here
        raise ModelError(f"{folder}open_clip has no architecture {arch!r}", hint=_nearest(wanted, known))
    return list(open_clip.list_pretrained_tags_by_model(arch))


def _file(arch: str, path: Path) -> Path:
    if path.suffix.lower() in _PICKLES:
        raise ModelError(
            f"{path} may hold a pickle, which could run code when it is read",
            hint=f"convert its weights to safetensors and write {arch}/{path.with_suffix('.safetensors').name}",
        )
    if path.suffix.lower() != ".safetensors":
        raise ModelError(f"{path} is not a safetensors file", hint=f"write {arch}/path/to/weights.safetensors")
    if not path.is_file():
        raise ModelError(f"there is no file {path}", hint="check the path of the weights")
    return path


def _nearest(name: str, known: Sequence[str]) -> str:
    lowered = {k.lower(): k for k in known}
    close = get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(lowered[c]) for c in close) + "?"
    return f"known: {_listing(known)}"


def _listing(names: Sequence[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    if not names:
        return "the path of a safetensors file (none are published)"
    more = f" … ({len(names)} in all; python -c 'import open_clip; print(open_clip.list_pretrained())')"
    return ", ".join(names[:most]) + (more if len(names) > most else "")
