"""Results of a submission are only numbers: what else they may hold takes no memory of the one who checks."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from glassnet.assignment.comparing import numbers
from glassnet.assignment.origin import page_of
from glassnet.assignment.submission import Submission

TEXTS = "['x' * 2000] + [''] * 50_000"  # as an array of NumPy: 400 MB
MOST = 20e6  # bytes: some times the message that it came in


def test_texts_never_become_an_array() -> None:
    with Submission([("repair.py", f"def prepare(images):\n    return {TEXTS}")]) as submission:
        tracemalloc.start()
        page = page_of(submission)
        told = numbers(submission.call("prepare", 0), ["X"], single=True)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (page, told) == ("dense-rows", "returned a list for X; an array of numbers is wanted")
    assert peak < MOST


@pytest.mark.parametrize("value", [2, True, [1, 2.5], [[1], [2]], [np.ones(2), [3, 4]], np.ones((2, 3))])
def test_numbers_in_lists_are_arrays(value: Any) -> None:
    (found,) = numbers(value, ["X"], single=True)
    np.testing.assert_array_equal(found, np.asarray(value, float))
