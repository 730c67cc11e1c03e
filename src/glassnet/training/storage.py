"""Where a training loop keeps what it learns."""

from typing import Generic, TypeVar

from .history import Row

__all__ = ["Storage"]

Kept = TypeVar("Kept", contravariant=True)
"""The kind of loop whose work is kept."""


class Storage(Generic[Kept]):
    """Where a loop keeps what it learns. This one keeps nothing: all of it stays in memory.

    Attributes:
        resumable: whether a loop can go on from the middle of an epoch, so that it may be stopped there.
    """

    resumable = False

    def begin(self, loop: Kept) -> None:
        """Bring a loop to where it was."""

    def is_due(self) -> bool:
        """Whether it is time to `save` again."""
        return False

    def save(self, loop: Kept) -> None:
        """Save all that going on takes."""

    def add_row(self, loop: Kept, row: Row) -> None:
        """Keep a row of the history, and the best model if it is new."""

    def save_best(self, loop: Kept) -> None:
        """Save the best model, if it is not saved yet."""
