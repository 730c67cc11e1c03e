"""How arrays go to a submission's process and back: a header in JSON, then the arrays' bytes. Nothing is pickled."""

import json
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

HEADER = struct.Struct("<I")
HEADER_LIMIT = 1 << 20  # bytes
ARRAYS_LIMIT = 1 << 28  # bytes of all arrays of a message
KINDS = "fiub"  # of numbers
TYPE = re.compile(r"[<>|=]?[fiub][1248]")


def encode(message: Any) -> bytes:
    """Return a message as bytes: arrays, lists, tuples, dictionaries, numbers, strings and None.

    Whatever else is in it is sent as the name of its type.

    Raises:
        ValueError: it is larger than is allowed.
    """
    arrays: list[np.ndarray] = []
    tree = _tree(message, arrays, 0)
    if sum(array.nbytes for array in arrays) > ARRAYS_LIMIT:
        raise ValueError(f"the result is too large, more than {ARRAYS_LIMIT >> 20} MiB")
    header = json.dumps([tree, [[a.dtype.str, list(a.shape)] for a in arrays]]).encode()
    return b"".join([HEADER.pack(len(header)), header, *(np.ascontiguousarray(a).tobytes() for a in arrays)])


def _tree(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in KINDS and value.dtype.itemsize <= 8:
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple) and depth < 10:
        return [_tree(item, arrays, depth + 1) for item in value]
    if type(value) is dict and depth < 10:
        return {"dict": {str(key): _tree(item, arrays, depth + 1) for key, item in value.items()}}
    return {"type": type(value).__name__}


class Other:
    """Something that is no array; `name` is its type's."""

    def __init__(self, name: str) -> None:
        self.name = name


def decode(read: Callable[[int], bytes]) -> Any:
    """Return the next message of a stream; tuples come as lists.

    Args:
        read: returns exactly so many bytes.

    Raises:
        ValueError: it is not a message, or a larger one than is allowed.
    """
    (size,) = HEADER.unpack(read(HEADER.size))
    if size > HEADER_LIMIT:
        raise ValueError("the header is too long")
    try:
        tree, described = json.loads(read(size))
        if not all(TYPE.fullmatch(kind) for kind, _ in described):
            raise ValueError("not an array of numbers")
        kinds = [(np.dtype(kind), tuple(int(n) for n in shape)) for kind, shape in described]
        sizes = [_size(kind, shape) for kind, shape in kinds]
        if sum(sizes) > ARRAYS_LIMIT:
            raise ValueError("the arrays are too large")
        arrays = [
            np.frombuffer(read(length), kind).reshape(shape) for (kind, shape), length in zip(kinds, sizes, strict=True)
        ]
        return _value(tree, arrays)
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a message: {error}") from error


def _size(kind: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Return the number of bytes of an array."""
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise ValueError("not an array")
    count = kind.itemsize
    for n in shape:
        count *= n
    return count


def _value(tree: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(tree, list):
        return [_value(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "dict" in tree:
        return {key: _value(item, arrays) for key, item in tree["dict"].items()}
    return Other(str(tree["type"])[:80])
