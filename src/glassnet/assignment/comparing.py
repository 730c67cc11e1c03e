"""Results of a submission beside those of the right page and of pages with mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOSE", "factor", "numbers", "same", "told_apart"]

CLOSE = 1e-6  # of the largest number: far above rounding in float64, far below any mistake

Results = list[NDArray[Any]]


def numbers(value: Any, names: Sequence[str], single: bool) -> Results | str:
    """Return a result as a list of arrays, or what it is instead."""
    parts = [value] if single else value
    if not isinstance(parts, list | tuple) or len(parts) != len(names):
        got = f"{len(parts)} arrays" if isinstance(parts, list | tuple) else _kind(value)
        return f"returned {got}; {', '.join(names)} are wanted"
    arrays = []
    for name, part in zip(names, parts, strict=True):
        try:
            array = np.asarray(part if _holds_only_numbers(part) else None)
        except ValueError:
            return f"{name} is not one array of numbers"
        if array.dtype.kind not in "fiub":
            return f"returned {_kind(part)} for {name}; an array of numbers is wanted"
        arrays.append(array.astype(np.float64))
    return arrays


def _holds_only_numbers(value: Any) -> bool:
    """Whether a value is a number, an array or lists of them; NumPy would make all strings as wide as the longest."""
    if isinstance(value, list | tuple):
        return all(map(_holds_only_numbers, value))
    return isinstance(value, bool | int | float | np.ndarray)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing (None)"
    name = getattr(value, "name", type(value).__name__)
    return "one array" if isinstance(value, np.ndarray) else f"a {name}"


def same(theirs: Results, ours: Results) -> bool:
    """Whether results agree to rounding. One number counts as an array that is filled with it."""
    finite = [np.abs(array[np.isfinite(array)]).max(initial=0) for array in ours]
    scale = max(finite, default=0.0)
    return all(_agree(a, b, scale) for a, b in zip(theirs, ours, strict=True))


def _agree(a: NDArray[Any], b: NDArray[Any], scale: float) -> bool:
    if a.size == 1 and b.size > 1:
        a = np.broadcast_to(a.ravel(), b.shape)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE * scale, equal_nan=True))


def factor(theirs: Results, ours: Results) -> float | None:
    """Return the number by which all of ``ours`` has to be multiplied to be ``theirs``, if there is one."""
    if any(a.shape != b.shape and a.size != 1 for a, b in zip(theirs, ours, strict=True)):
        return None
    pairs = zip(theirs, ours, strict=True)
    a = np.concatenate([np.broadcast_to(a.ravel() if a.size == 1 else a, b.shape).ravel() for a, b in pairs])
    b = np.concatenate([b.ravel() for b in ours])
    if not np.isfinite(a).all() or not a.any():
        return None
    found = float(a @ b / (b @ b))
    return found if np.allclose(a, found * b, rtol=CLOSE, atol=CLOSE * np.abs(a).max()) else None


def told_apart(theirs: Results, ours: Results, names: Sequence[str]) -> str:
    """Say for each array that differs by how much."""
    told: list[str] = []
    scale = max((float(np.abs(b[np.isfinite(b)]).max(initial=0)) for b in ours), default=0.0)
    for a, b, name in zip(theirs, ours, names, strict=True):
        if _agree(a, b, scale):
            continue
        if a.shape != b.shape and a.size != 1:
            told.append(f"{name} has shape {a.shape}, not {b.shape}")
        elif not np.isfinite(a).all():
            told.append(f"{np.count_nonzero(~np.isfinite(a))} of {a.size} numbers of {name} are NaN or infinite")
        else:
            percent = _percent(a, b)
            told.append(f"{name} by {percent}" if "differs" in "".join(told) else f"{name} differs by {percent}")
    return ", ".join(told)


def _percent(a: NDArray[Any], b: NDArray[Any]) -> str:
    size = float(np.linalg.norm(b)) or float(np.linalg.norm(a)) or 1.0
    percent = 100 * float(np.linalg.norm(a - b)) / size
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
