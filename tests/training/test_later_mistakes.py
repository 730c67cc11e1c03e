"""A mistake that is switched on in a run that has gone right until then."""

from pathlib import Path

import numpy as np
import pytest
from test_runs import StopAt

from glassnet import Dataset, load_dataset, resume, train
from glassnet.errors import ConfigError
from glassnet.training import Run

SETTINGS = {"hidden": [16], "optimizer": "sgd", "learning_rate": 0.3, "schedule": "constant", "epochs": 5, "seed": 1}
LATER = {"mistakes": ["unscaled-pixels"], "mistakes_from": 2}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def rows(run: Run) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]


def test_until_then_the_run_is_the_right_one(tmp_path: Path, digits: Dataset) -> None:
    right = train(digits, "fast", out=tmp_path / "right", **SETTINGS)
    wrong = train(digits, "fast", out=tmp_path / "wrong", **SETTINGS, **LATER)
    assert rows(wrong)[:2] == rows(right)[:2]
    assert [row["epoch"] for row in wrong.history] == [1, 2, 3, 4, 5]
    assert wrong.history[2]["loss"] > 100 * right.history[2]["loss"]
    assert all(row["validation_accuracy"] < 0.2 for row in wrong.history[2:])
    assert (wrong.config.scaling, wrong.config.mistakes_from) == ("unit", 2)
    assert wrong.best == wrong.history[1]
    assert wrong.model.preprocessing == right.model.preprocessing  # of before the mistake


def test_what_the_mistake_consists_of_comes_with_it(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, "fast", out=tmp_path / "run", **SETTINGS, mistakes=["small-learning-rate"], mistakes_from=3)
    assert [row["learning_rate"] for row in run.history] == pytest.approx([0.3, 0.3, 0.3, 0.03, 0.03])


@pytest.mark.parametrize("share", [0.2, 0.4, 0.7])
def test_stopped_before_at_or_after_it_comes_to_the_same_end(tmp_path: Path, digits: Dataset, share: float) -> None:
    whole = train(digits, "fast", out=tmp_path / "whole", **SETTINGS, mistakes=["times-p-one-minus-p"], mistakes_from=2)
    last = whole.history[-1]["step"]
    half = train(
        digits, "fast", out=tmp_path / "half", callbacks=[StopAt(round(share * last))],
        **SETTINGS, mistakes=["times-p-one-minus-p"], mistakes_from=2,
    )  # fmt: skip
    assert not half.finished
    resumed = resume(half.path, digits)
    assert rows(resumed) == rows(whole)
    assert resumed.finished
    np.testing.assert_array_equal(resumed.model.network.parameters, whole.model.network.parameters)


def test_a_run_that_it_breaks_ends_there(tmp_path: Path, digits: Dataset) -> None:
    settings = SETTINGS | {"hidden": [], "learning_rate": 3.0}
    run = train(
        digits, "fast", out=tmp_path / "run", **settings, scaling="none",
        mistakes=["softmax-without-maximum"], mistakes_from=1,
    )  # fmt: skip
    assert run.broken
    assert run.best["epoch"] == 1


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"mistakes": ["no-shuffling"], "mistakes_from": 5}, "mistakes_from: must be less than the 5 epochs"),
        ({"mistakes": ["no-shuffling"], "mistakes_from": 0}, "mistakes_from"),
        ({"mistakes_from": 2}, "mistakes_from: no mistakes to plant"),
        ({"mistakes": ["equal-weights"], "mistakes_from": 2}, "equal-weights can only be planted at the start"),
        ({"mistakes": ["unused-rows"], "mistakes_from": 2}, "unused-rows can only be planted at the start"),
    ],
)
def test_what_cannot_come_later_is_refused(
    tmp_path: Path, digits: Dataset, settings: dict[str, object], line: str
) -> None:
    with pytest.raises(ConfigError, match=line):
        train(digits, "fast", out=tmp_path / "run", **SETTINGS, **settings)
    assert not (tmp_path / "run").exists()
