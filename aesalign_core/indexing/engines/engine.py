"""What an engine must do, and opening one by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aesalign_core.errors import EngineError, SettingsError
from aesalign_core.indexing.engines.batch import Batch
from aesalign_core.messages import nearest
from aesalign_core.protocols import Reward

if TYPE_CHECKING:
    from aesalign_core.build import Builder

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Reads files; whoever asks keeps the gallery, and is the only one who writes it.

    Attributes:
        name: One of `ENGINES`.
    """

    name: str

    def read(
        self, paths: Sequence[Path], rewards: Sequence[Reward], *, known: Set[str] = frozenset(), embed: bool = True
    ) -> Iterator[Batch]:
        """Reads, hashes, decodes, embeds and scores files, each once, in their order, a bounded number ahead.

        Args:
            paths: Absolute.
            rewards: Of the recipe.
            known: Ids of contents that are not even decoded. What is added to it meanwhile may be seen or not, so
                that two batches may hold photos of one content.
            embed: Whether embeddings are wanted beside scores.

        Raises:
            AesalignError: A model fails, or the engine does.
        """
        ...


@contextmanager
def opened(
    name: str, builder: Builder, *, batch_size: int, workers: int | None, ray_address: str | None = None
) -> Iterator[Engine]:
    """The engine of a name, for as long as it is needed.

    Args:
        name: One of `ENGINES`.
        builder: Of the encoder and the rewards.
        batch_size: Photos per forward pass.
        workers: Decoding threads of `local`, workers of `ray`; None: as many as fit.
        ray_address: Of the cluster to join; see `engines.ray_cluster`.

    Raises:
        SettingsError: There is no such engine, or an address and no Ray.
        EngineError: It cannot be used.
    """
    if name not in ENGINES:
        raise SettingsError(f"no engine is named {name!r}", hint=nearest(name, ENGINES))
    if name == "ray":
        try:
            from aesalign_core.indexing.engines.ray import RayEngine
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "ray":
                raise
            raise EngineError("the engine ray needs Ray", hint="pip install 'aesalign[ray]'") from None

        with RayEngine(builder, batch_size=batch_size, workers=workers, address=ray_address) as engine:
            yield engine
        return
    if ray_address:
        raise SettingsError("an address of a Ray cluster is of use only with the engine ray", hint="add --engine ray")
    from aesalign_core.indexing.engines.local import LocalEngine

    yield LocalEngine(builder.encoder(), batch_size=batch_size, workers=workers)
