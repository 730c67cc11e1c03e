"""Where a training loop keeps what it learns."""

from typing import TYPE_CHECKING

from .history import Row

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Storage"]


class Storage:
    """Where a loop keeps what it learns. This one keeps nothing: all of it stays in memory.

    Attributes:
        resumable: whether a loop can go on from the middle of an epoch, so that it may be stopped there.
    """

    resumable = False

    def begin(self, loop: "Loop") -> None:
        """Bring a loop to where it was."""

    def is_due(self) -> bool:
        """Whether it is time to `save` again."""
        return False

    def save(self, loop: "Loop") -> None:
        """Save all that going on takes."""

    def add_row(self, loop: "Loop", row: Row) -> None:
        """Keep a row of the history, and the best model if it is new."""

    def save_best(self, loop: "Loop") -> None:
        """Save the best model, if it is not saved yet."""
