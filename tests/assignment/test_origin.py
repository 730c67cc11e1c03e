"""Of which page a submission is made, and that the key of another is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glassnet.assignment import Assignment, Verdict, check, draw
from glassnet.assignment.origin import CALLS, DENSE
from glassnet.assignment.page import read_page, run_page

Changed = Callable[..., Verdict]


@pytest.mark.parametrize(
    ("given", "of"),
    [
        ("dense-rows", "convolution"),
        ("convolution", "dense-columns"),
        ("dense-rows", "dense-columns"),
        ("dense-columns", "dense-rows"),
    ],
)
def test_the_key_of_another_page_is_told(given: str, of: str, tmp_path: Path) -> None:
    file = tmp_path / "repair.py"
    file.write_text(draw(3, 3, 2, given).text, "utf-8")
    verdict = check(file, draw(1, 1, 0, of).key)
    assert verdict.error == f"it is made of the page {given}, and the key is of {of}; give its own key"
    assert not verdict.new


def shapes(result: Any) -> list[tuple[int, ...]]:
    return [array.shape for array in (result if isinstance(result, list) else [result])]


def test_no_mistake_makes_a_page_look_like_another() -> None:
    columns, rows = (run_page(read_page(name)) for name in sorted(DENSE))
    for function, arguments in CALLS.items():
        assert shapes(columns[function](*arguments)) != shapes(rows[function](*arguments))
        for name, right in zip(sorted(DENSE), (columns, rows), strict=True):
            for plant in read_page(name).plants:
                wrong = run_page(read_page(name), frozenset([plant]))[function]
                assert shapes(wrong(*arguments)) == shapes(right[function](*arguments)), plant


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ([("images.T / 255", "images / 255")], {"prepare"}),
        ([("images.T / 255", "images / 255"), ("    return T\n", "    return T.T\n")], {"prepare", "one_hot"}),
        (
            [("images.T / 255", "images / 255"), ("    return T\n", ""), ("return [W1,", "return [")],
            {"prepare", "one_hot", "init_params"},
        ),
    ],
)
def test_functions_with_rows_for_columns_are_wrong_and_no_other_page(
    checked: Changed, columns: Assignment, changes: list[tuple[str, str]], wrong: set[str]
) -> None:
    verdict = checked(columns, *changes, repaired=True)
    assert verdict.error == ""
    assert wrong <= {each.function for each in verdict.new}


def test_a_function_of_ones_own_may_be_called_as_one_of_another_page(checked: Changed, columns: Assignment) -> None:
    own = "def flatten(images):\n    return images.reshape(len(images), -1)\n\n\ndef one_hot(y):\n"
    assert checked(columns, ("def one_hot(y):\n", own), repaired=True).repaired
