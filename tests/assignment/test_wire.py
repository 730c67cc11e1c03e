"""Messages between glassnet and a submission's process, right and forged."""

import io
import json
import struct
from typing import Any

import numpy as np
import pytest

from glassnet.assignment.wire import decode, encode


def forged(tree: Any, arrays: list[Any], content: bytes = b"") -> Any:
    header = json.dumps([tree, arrays]).encode()
    return decode(io.BytesIO(struct.pack("<I", len(header)) + header + content).read)


def test_one_array_in_two_places_is_sent_twice() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    first, (second, text) = decode(io.BytesIO(encode([array, (array, "é\ud800")])).read)
    np.testing.assert_array_equal(first, array)
    np.testing.assert_array_equal(second, array)
    assert (second.dtype, text) == (np.int16, "é\ud800")


def test_an_array_that_is_named_twice_is_refused() -> None:
    """A message of 16 MiB could otherwise become results of any size."""
    assert len(forged([{"array": 0}], [["|u1", [4]]], bytes(4))[0]) == 4
    with pytest.raises(ValueError, match="not a message"):
        forged([{"array": 0}] * 2, [["|u1", [4]]], bytes(4))


@pytest.mark.parametrize("shape", [[1 << 23], [1 << 12, 1 << 12], [10**30, 10**30], [-1], [1] * 9])
def test_shapes_are_judged_before_anything_is_read(shape: list[int]) -> None:
    with pytest.raises(ValueError, match=r"too large|not an array"):
        forged({"array": 0}, [["|u1", shape]])


def test_a_message_that_would_be_refused_is_not_made() -> None:
    with pytest.raises(ValueError, match="more than 4 million numbers"):
        encode(np.zeros(1 << 23, np.uint8))
    with pytest.raises(ValueError, match="lists or texts of more than 1 MiB"):
        encode(list(range(300_000)))
