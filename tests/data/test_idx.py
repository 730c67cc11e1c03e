import gzip
import os
import re
import tracemalloc

import numpy as np
import pytest
from complaints import only_complaints_about
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassnet.data.idx import read_idx
from glassnet.errors import DataError


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim, *b"".join(n.to_bytes(4, "big") for n in array.shape), *array.tobytes()])


IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@IN_ONE_FOLDER
@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), st.booleans())
def test_what_was_written_is_read(tmp_path, array, zipped):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    assert np.array_equal(read_idx(path, 3), array)


@IN_ONE_FOLDER
@given(st.data(), st.booleans())
def test_damage_is_an_error_or_other_pixels_but_never_a_crash(tmp_path, data, zipped):
    content = bytearray(idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)))
    content = bytearray(gzip.compress(bytes(content), mtime=0)) if zipped else content
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "file"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with only_complaints_about(path):
        assert read_idx(path, 3).ndim == 3


GOOD = idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (GOOD[:9], "truncated"),
        (GOOD[:-1], "only 59"),
        (GOOD + b"\0", "there are more"),
        (b"\0\0\x0d\x03" + GOOD[4:], "magic number"),
        (idx_bytes(np.zeros(5, np.uint8)), "magic number"),
        (b"hello, world", "magic number"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than the 2,147,483,648"),
        (b"\0\0\x08\x03" + b"\0" * 12, "which is empty"),
        (ZIPPED[:-9], "complete"),
        (ZIPPED[:40], "complete"),
        (ZIPPED + b"rubbish", "complete"),
        (gzip.compress(b"", mtime=0), "empty"),
    ],
)
def test_bad_files_are_named_and_explained(tmp_path, content, what):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{what}"):
        read_idx(path, 3)


def test_a_gzip_bomb_takes_no_more_memory_than_its_header_promises(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(200_000_000), 9))
    tracemalloc.start()
    with pytest.raises(DataError, match="there are more"):
        read_idx(path, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # nothing of it is unpacked


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "file")
    with pytest.raises(DataError, match="not a regular file"):
        read_idx(tmp_path / "file", 3)


def test_a_lying_header_allocates_nothing(tmp_path):
    path = tmp_path / "liar"
    path.write_bytes(b"\0\0\x08\x03\0\0\x7f\0\0\0\0\xff\0\0\0\xff")
    tracemalloc.start()
    with pytest.raises(DataError, match="only 0"):
        read_idx(path, 3)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
