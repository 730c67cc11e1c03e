"""How arrays go to a submission's process and back: a header in JSON, then the arrays' bytes. Nothing is pickled."""

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

HEADER = struct.Struct("<I")
HEADER_LIMIT = 1 << 20  # bytes
NUMBERS_LIMIT = 1 << 22  # in all arrays of a message, so 32 MiB in float64
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
    if sum(array.size for array in arrays) > NUMBERS_LIMIT:
        raise ValueError(f"the result is too large, more than {NUMBERS_LIMIT >> 20} million numbers")
    header = json.dumps([tree, [[a.dtype.str, list(a.shape)] for a in arrays]]).encode()
    if len(header) > HEADER_LIMIT:
        raise ValueError("the result is too large, lists or texts of more than 1 MiB; arrays may be larger")
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
    """Something that is not an array; `name` is its type's."""

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
        sizes = [_size(shape) for _, shape in kinds]
        if sum(sizes) > NUMBERS_LIMIT:
            raise ValueError("the arrays are too large")
        arrays = {
            i: np.frombuffer(read(size * kind.itemsize), kind).reshape(shape)
            for i, ((kind, shape), size) in enumerate(zip(kinds, sizes, strict=True))
        }
        return _value(tree, arrays)
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a message: {error}") from error


def _size(shape: tuple[int, ...]) -> int:
    """Return the number of elements of an array."""
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise ValueError("not an array")
    return math.prod(shape)


def _value(tree: Any, arrays: dict[int, np.ndarray]) -> Any:
    """Return a value with its arrays, each of which may be in it once: together they are as large as the message."""
    if isinstance(tree, list):
        return [_value(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays.pop(tree["array"])
    if "dict" in tree:
        return {key: _value(item, arrays) for key, item in tree["dict"].items()}
    return Other(str(tree["type"])[:80])
