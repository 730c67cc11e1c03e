"""Which of a piece of work's rows, columns or numbers belong to one of its parts."""

from typing import Any

from numba import njit

__all__ = ["bounds", "inline", "own"]

inline = njit(inline="always")


@inline
def bounds(part: int, parts: int, count: int) -> tuple[int, int]:
    """Return where a part of so many begins and ends."""
    return part * count // parts, (part + 1) * count // parts


@inline
def own(part: int, parts: int, array: Any) -> Any:
    """Return a part of an array's rows.

    A loop over them begins at 0: then no index can be below it, and only such loops take many numbers at a time.
    """
    return array[part * len(array) // parts : (part + 1) * len(array) // parts]
