"""What a check says of a submission's own training: the same each time, and which setting keeps it from learning."""

from collections.abc import Callable

import pytest

from glassnet.assignment import PAGES, Assignment, Verdict, draw

Changed = Callable[..., Verdict]
DRAWN = "np.random.default_rng(seed).permutation(y.size)"  # the order of the batches


@pytest.mark.parametrize("page", PAGES)
def test_a_verdict_is_the_same_each_time(checked: Changed, page: str) -> None:
    assignment = draw(3, 2, 1, page)
    assert checked(assignment) == checked(assignment)
    first, again = (
        checked(assignment, repaired=True),
        checked(assignment, ("import numpy", "import  numpy"), repaired=True),
    )
    assert first.repaired
    assert first == again  # also where other arrays were drawn


@pytest.mark.parametrize(
    "drawn",
    [
        "np.array(random.sample(range(y.size), y.size))",
        "np.random.permutation(y.size)",
        "np.random.default_rng().permutation(y.size)",
        "np.random.RandomState().permutation(y.size)",
        "np.array(sorted(range(y.size), key=lambda i: hash(str(i))))",
    ],
)
def test_also_where_a_page_draws_without_a_seed(checked: Changed, columns: Assignment, drawn: str) -> None:
    changes = ("import numpy as np", "import random\nimport numpy as np"), (DRAWN, drawn)
    first, again = (checked(columns, *changes, repaired=True) for _ in range(2))
    assert first.repaired, first
    assert first == again


@pytest.mark.parametrize(
    ("page", "right", "wrong"),
    [
        ("dense-rows", "RATE = 0.3", "RATE = 3"),
        ("dense-rows", "EPOCHS = 30", "EPOCHS = 0"),
        ("dense-rows", "HIDDEN = [48, 24]", "HIDDEN = [1, 1]"),
        ("dense-columns", "RATE = 0.5", "RATE = 1e-06"),
        ("dense-columns", "BATCH = 32", "BATCH = 0"),
        ("convolution", "RATE = 0.3", "RATE = nan"),
    ],
)
def test_a_spoilt_setting_is_named(checked: Changed, page: str, right: str, wrong: str) -> None:
    verdict = checked(draw(1, 1, 0, page), (right + "\n", wrong.replace("nan", 'float("nan")') + "\n"), repaired=True)
    assert not verdict.repaired
    assert verdict.new == verdict.remaining == ()
    assert f"the functions are right, but not {wrong}; with {right}, as given out, it reaches 9" in verdict.training
    assert verdict.to_row()["error"] == verdict.training


def test_of_several_settings_those_are_named_that_are_to_blame(checked: Changed, columns: Assignment) -> None:
    harmless = "HIDDEN = 32\n", "HIDDEN = 40\n"
    verdict = checked(columns, harmless, ("RATE = 0.5\n", "RATE = 50\n"), repaired=True)
    assert "not RATE = 50; with RATE = 0.5, as given" in verdict.training
    verdict = checked(columns, ("EPOCHS = 30\n", "EPOCHS = 0\n"), ("RATE = 0.5\n", "RATE = 50\n"), repaired=True)
    assert "not RATE = 50 and EPOCHS = 0; with RATE = 0.5 and EPOCHS = 30, as given" in verdict.training


def test_settings_that_are_large_or_cannot_be_shown(checked: Changed, columns: Assignment) -> None:
    odd = "CLASSES = 10\nIMAGES = np.zeros(9_000_000)\nLONG = 10**9999\n"
    assert checked(columns, ("CLASSES = 10\n", odd), repaired=True).repaired


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([("update(params, grads, RATE)", "update(params, grads, 0)")], "its settings are those given out"),
        ([("update(params, grads, RATE)", "update(params, grads, 0)"), ("RATE = 0.5\n", "")], "no setting explains it"),
        (
            [("update(params, grads, RATE)", "update(params, grads, 0)"), ("= 0.5\n", "= 0.4\n")],
            "no setting explains it",
        ),
    ],
)
def test_a_training_loop_that_is_wrong(
    checked: Changed, columns: Assignment, changes: list[tuple[str, str]], reason: str
) -> None:
    verdict = checked(columns, *changes, repaired=True)
    assert verdict.training == f"each function that is compared is right by itself, and {reason}; look at train"
    assert not verdict.repaired


def test_without_train_nothing_else_is_said_of_the_training(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("def train(", "def training("), repaired=True)
    assert verdict.training == "there is no function train"
    assert not verdict.repaired


def test_a_long_setting_is_cut(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("EPOCHS = 30\n", "EPOCHS = [[['long' * 7] * 6] * 6] * 6\n"), repaired=True)
    assert "not EPOCHS = [[['longlong" in verdict.training
    assert len(verdict.training) < 300


def test_nothing_is_said_of_settings_while_mistakes_remain(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("RATE = 0.5\n", "RATE = 50\n"))
    assert len(verdict.remaining) == 2
    assert "RATE" not in verdict.training
