"""What the processes of one run are to each other: each takes its share of every batch, and all take the same steps.

The loss of a batch is a sum over its images, so its gradient is a sum over shares of it. Each rank computes the part of
its own images, and all parts are added up. The optimizer treats each number by itself, so each rank moves its own share
of the parameters and keeps up the moments of these alone; then all give each other what they have moved (the first
stage of Rajbhandari et al., 2020).

All ranks run the same loop. Rank 0 alone reads the checkpoint, validates, calls the callbacks and saves; what it
decides by that is agreed upon. The others write nothing, and need nothing but the data. So a run can go on with any
number of ranks, or with none.

Here stand what they do together, and the process that is alone and does it by itself; `mpi` has those of MPI.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from ..nn.types import Array
from .config import Config

__all__ = ["ALONE", "Ranks"]

ALL = slice(None)
NOTHING = nullcontext()


class Ranks:
    """One process that does all of it.

    Attributes:
        rank: its number.
        size: how many there are.
    """

    rank, size = 0, 1

    def bounds(self, count: int) -> list[int]:
        """Return where in ``count`` things each rank's share begins, and the end: all have as many, or one fewer."""
        return [rank * count // self.size for rank in range(self.size + 1)]

    def share(self, count: int) -> slice:
        """Return which of ``count`` things are this rank's."""
        if self.size == 1:
            return ALL
        first, end = self.bounds(count)[self.rank : self.rank + 2]
        return slice(first, end)

    def threads(self, wanted: int) -> int:
        """Return how many threads a rank may have."""
        return wanted

    def sum(self, numbers: Array) -> None:
        """Replace ``numbers`` by their sums over all ranks."""

    def sum_gradient(self, gradients: Array, loss: float, correct: float) -> tuple[float, float]:
        """Replace ``gradients`` by their sums over all ranks, and return those of ``loss`` and ``correct``."""
        return loss, correct

    def gather(self, numbers: Array) -> None:
        """Fill the shares of the other ranks with what they have there."""

    def copy(self, numbers: Array) -> None:
        """Fill ``numbers`` with those of rank 0."""

    def broadcast(self, text: str) -> str:
        """Return the ``text`` of rank 0."""
        return text

    def agree(self, decide: Callable[[], int | None]) -> int:
        """Return what ``decide`` returns in rank 0, which alone calls it; what fails there fails on all ranks."""
        return decide() or 0

    def check(self, config: Config, fingerprint: str) -> None:
        """Refuse what the ranks cannot do together."""

    def together(self) -> AbstractContextManager[None]:
        """Do something on every rank; where it fails on any, the error is raised on all."""
        return NOTHING

    def working(self) -> AbstractContextManager[None]:
        """Run the loop: signals are rank 0's, and a rank that fails where the others cannot know it ends them all."""
        return NOTHING

    def step(self) -> AbstractContextManager[None]:
        """Take a step; a rank that fails while the others wait for its part ends them all."""
        return NOTHING


ALONE = Ranks()
