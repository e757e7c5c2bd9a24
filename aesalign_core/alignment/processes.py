"""The processes that train one encoder together, as a launcher started them: what they share, and how they end.

Every process takes the same steps with the same weights. Each embeds its share of what a step reads; the embeddings
are gathered, so that every loss sees the whole batch, and the gradients of the shares are added. accelerate connects
them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from aesalign_core import launcher
from aesalign_core.errors import AesalignError, AlignmentError
from aesalign_core.messages import describe

_T = TypeVar("_T")
_PATIENCE = timedelta(days=30)
"""How long processes wait for one that computes features. One that is gone is noticed at once."""


class Processes:
    """One process alone; `Joined` is one of several.

    Attributes:
        rank: Which one this is, from 0.
        count: How many there are.
    """

    rank, count = 0, 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """Which of a number of rows are this process's own: an equal part, the last ones shorter or empty."""
        size = -(-total // self.count)
        return slice(min(total, self.rank * size), min(total, (self.rank + 1) * size))

    def gather(self, own: Tensor, total: int) -> Tensor:
        """(total, d) rows of all processes in order.

        Args:
            own: (k, d) the rows of `share(total)`.
            total: Rows of all.
        """
        return own

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Makes each weight's gradient the sum over all processes; None stays None if no process has one."""

    def agree(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return flag

    def of_main(self, value: _T) -> _T:
        """What the main process passes."""
        return value

    def by_main(self, work: Callable[[], _T]) -> _T:
        """What some work gives that the main process alone does, while the others wait; see `together`."""
        with self.together():
            done = work() if self.is_main else None
        return self.of_main(cast("_T", done))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Work after which each process waits for all. What fails in one is raised in every one.

        Raises:
            KeyboardInterrupt: Ctrl-C came in another process.
            AlignmentError: Another process failed, or is gone.
        """
        yield


ALONE = Processes()


def join(device: str) -> Processes:
    """This process among those that its launcher started, once all of them are there.

    Args:
        device: That this process computes on.

    Raises:
        AlignmentError: accelerate is not installed, or they cannot be connected.
    """
    return Joined(torch.device(device)) if launcher.count() > 1 else ALONE


def part() -> None:
    """Parts from the other processes, if there are any, at the end of a program."""
    if launcher.count() > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


class Joined(Processes):
    """One of several processes; see `join`."""

    def __init__(self, device: torch.device) -> None:
        try:
            from accelerate import PartialState
        except ImportError:
            raise AlignmentError(
                f"training in {launcher.count()} processes needs the accelerate library",
                hint="pip install 'aesalign[distributed]', or run aesalign align without a launcher",
            ) from None
        try:
            state = PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
        except (RuntimeError, ValueError, OSError) as error:
            raise AlignmentError(
                f"the {launcher.count()} processes cannot be connected: {describe(error)[:160]}",
                hint="check the launcher's address and port",
            ) from error
        self._device = device
        self.rank, self.count = state.process_index, state.num_processes
        if self.count != launcher.count() or state.device.type != device.type:
            raise AlignmentError(
                f"accelerate has {self.count} processes on {state.device}, not {launcher.count()} on {device}",
                hint="name the device that accelerate uses, by --device",
            )

    def gather(self, own: Tensor, total: int) -> Tensor:
        """See `Processes`; shares are filled up to equal length on the way."""
        from accelerate.utils import gather

        padded = own.new_zeros(-(-total // self.count), own.shape[1])
        padded[: len(own)] = own
        with _connected():
            everything: Tensor = gather(padded)
        return everything[:total]

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """See `Processes`; all gradients go in one message, with how many processes have each."""
        from accelerate.utils import reduce

        known = list(weights)
        own = [torch.zeros_like(w) if w.grad is None else w.grad for w in known]
        having = torch.tensor([float(w.grad is not None) for w in known], device=self._device)
        with _connected():
            total = reduce(torch.cat([having, *(g.flatten().float() for g in own)]), reduction="sum")
        sums = torch.split(total[len(known) :], [w.numel() for w in known])
        for weight, some, gradient in zip(known, total[: len(known)].tolist(), sums, strict=True):
            weight.grad = gradient.view_as(weight).to(weight.dtype) if some else None

    def agree(self, flag: bool) -> bool:
        """See `Processes`."""
        from accelerate.utils import reduce

        with _connected():
            return bool(reduce(torch.tensor([float(flag)], device=self._device), reduction="sum").item())

    def of_main(self, value: _T) -> _T:
        """See `Processes`."""
        from accelerate.utils import broadcast_object_list

        values = [value]
        with _connected():
            broadcast_object_list(values)
        return values[0]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """See `Processes`."""
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
        try:
            elsewhere = self._failures(failure)
        except AlignmentError:  # the connection broke; what failed here is the better reason
            if failure is None:
                raise
        if failure is not None:
            raise failure
        if elsewhere:
            raise _of_others(elsewhere, self.count)

    def _failures(self, failure: BaseException | None) -> list[tuple[int, str | None]]:
        """Rank and words of each process that failed; no words: it was interrupted."""
        from accelerate.utils import gather_object

        if not self.agree(failure is not None):
            return []
        told = describe(failure) if failure and not isinstance(failure, AesalignError) else str(failure)
        words = None if isinstance(failure, KeyboardInterrupt) else told
        with _connected():
            found = gather_object([(self.rank, words)] if failure is not None else [])
        return [(int(rank), words) for rank, words in found]


def _of_others(failures: list[tuple[int, str | None]], count: int) -> BaseException:
    rank, words = failures[0]
    if words is None:
        return KeyboardInterrupt("interrupted; run the same command again to go on")
    return AlignmentError(words if rank == 0 else f"rank {rank} of {count}: {words}")


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """Turns a connection that broke into one clear error."""
    try:
        yield
    except RuntimeError as error:
        raise AlignmentError(
            f"another of the {launcher.count()} processes is gone",
            hint="it may have told why; run the same command again, and it goes on from the last checkpoint",
        ) from error
