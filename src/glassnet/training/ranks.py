"""What the processes of one run are to each other: each takes its share of every batch, and all take the same steps.

The loss of a batch is a sum over its images, so its gradient is a sum over shares of it. Each rank computes the part of
its own images, and all parts are added up. The optimizer treats each number by itself, so each rank moves its own share
of the parameters and keeps up the moments of these alone; then all give each other what they have moved (the first
stage of Rajbhandari et al., 2020).

Rank 0 leads: it reads the checkpoint, validates, calls the callbacks, saves, and announces each step; the others
follow, write nothing, and need nothing but the data. So a run can go on with any number of ranks, or with none.

Here stand what they say to each other, and the process that is alone and says it to nobody; `mpi` has those of MPI.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from ..nn.types import Array
from .config import Config

__all__ = ["ALONE", "Announced", "Ranks"]


class Announced(IntEnum):
    """What rank 0 asks of the others."""

    STEP = 0  # take it
    STATE = 1  # be given that of the run
    MOMENTS = 2  # give those of your share
    END = 3


class Ranks:
    """One process that does all of it; what it would say to others is said to nobody.

    Attributes:
        rank: its number; 0 leads.
        size: how many there are.
    """

    rank, size = 0, 1

    def bounds(self, count: int) -> list[int]:
        """Return where in ``count`` things each rank's share begins, and the end: all have as many, or one fewer."""
        return [rank * count // self.size for rank in range(self.size + 1)]

    def share(self, count: int) -> slice:
        """Return which of ``count`` things are this rank's."""
        first, end = self.bounds(count)[self.rank : self.rank + 2]
        return slice(first, end)

    def threads(self, wanted: int) -> int:
        """Return how many threads a rank may have."""
        return wanted

    def sum(self, numbers: Array) -> None:
        """Replace ``numbers`` by their sums over all ranks."""

    def sum_gradient(self, gradients: Array, loss: float, correct: int) -> tuple[float, int]:
        """Replace ``gradients`` by their sums over all ranks, and return those of ``loss`` and ``correct``."""
        return loss, correct

    def gather(self, numbers: Array) -> None:
        """Fill the shares of the other ranks with what they have there."""

    @contextmanager
    def step(self, epoch: int, i: int, rate: float) -> Iterator[None]:
        """Take a step together: rank 0 tells the others which one, and with which learning rate.

        What goes wrong on any rank before all have taken it ends the run, since the others wait for that rank.
        """
        yield

    def announce_state(self, steps: int, tensors: Sequence[Array], generator: str) -> None:
        """Give the others the state of the run after so many ``steps``: all its numbers, and its generator's."""

    def gather_moments(self, moments: Sequence[Array]) -> None:
        """On rank 0: fill the shares of the other ranks in the optimizer's ``moments``."""

    def announcements(self) -> Iterator[tuple[Announced, int, int, float]]:
        """On the other ranks: yield what rank 0 announces until the end of the run.

        Yields:
            What it is. For a step then the epoch, the step of the epoch and the learning rate; for a state, after how
            many steps.
        """
        yield from ()

    def receive_state(self, tensors: Sequence[Array]) -> str:
        """On the other ranks: fill ``tensors`` with those of rank 0, and return its generator's state."""
        return ""

    def check(self, config: Config, fingerprint: str) -> None:
        """Refuse what the ranks cannot do together."""

    def broadcast(self, text: str) -> str:
        """Return the ``text`` of rank 0."""
        return text

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do something on every rank; where it fails on any, the error is raised on all."""
        yield

    @contextmanager
    def leading(self) -> Iterator[None]:
        """On rank 0: however this ends, the others come out of `following` too."""
        yield

    @contextmanager
    def following(self) -> Iterator[None]:
        """On the other ranks: leave signals to rank 0, and end the whole run where this rank cannot go on."""
        yield


ALONE = Ranks()
