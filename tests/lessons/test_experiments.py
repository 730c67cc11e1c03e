"""The runs that lessons let one start end as their answers say."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from glassnet import evaluate, load_dataset, train
from glassnet.lessons import lesson_files, read_lesson
from glassnet.study.pairs import BASE, pair
from glassnet.training import Run
from glassnet.web.questions import typed

DIGITS = load_dataset("digits")


def settings(name: str, number: int, view: str) -> dict[str, str]:
    step = read_lesson(lesson_files()[name]).step[number - 1]
    assert step.view.startswith(f"#{view}?")
    return dict(parse_qsl(step.view.partition("?")[2]))


def trained(name: str, number: int, out: Path) -> Run:
    """Run what a step's view of Train is set to."""
    given = settings(name, number, "train")
    parts = {key: text.split(",") if key in ("hidden", "layers") else text for key, text in given.items()}
    recipe = given["recipe"]
    return train(DIGITS, recipe, out=out, **typed({key: parts[key] for key in parts.keys() - {"data", "recipe"}}))


def reached(run: Run) -> float:
    return float(run.history[-1]["validation_accuracy"])


@pytest.mark.parametrize(
    ("name", "number", "holds"),
    [
        ("02-a-layer", 3, lambda run: reached(run) > 0.96),
        ("02-a-layer", 4, lambda run: reached(run) < 0.7),
        ("03-softmax-and-cross-entropy", 5, lambda run: run.history[-1]["loss"] < 1.5 < 2.1 < run.history[0]["loss"]),
        ("06-first-weights", 5, lambda run: reached(run) > 0.97),
        ("07-steps", 3, lambda run: reached(run) < 0.5),
        ("07-steps", 4, lambda run: 0.93 < reached(run) < 0.97),
        ("07-steps", 5, lambda run: reached(run) < 0.15 and run.history[0]["loss"] > 100),
        ("08-batches", 1, lambda run: run.history[-1]["step"] == 410),
        ("08-batches", 2, lambda run: run.history[-1]["step"] == 10 and reached(run) < 0.5),
        ("08-batches", 4, lambda run: run.history[-1]["loss"] < 0.02 and run.history[-1]["validation_loss"] > 0.25),
        ("08-batches", 5, lambda run: 0.96 < reached(run) < 0.98),
        ("12-a-convolutional-network", 3, lambda run: reached(run) > 0.97),
    ],
)
def test_a_run_ends_as_its_answer_says(name: str, number: int, holds: Callable[[Run], bool], tmp_path: Path) -> None:
    assert holds(trained(name, number, tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "number", "mistake", "true", "cost"),
    [
        ("05-is-the-gradient-right", 4, "one-bias-gradient", 0.95, 0.0),
        ("06-first-weights", 2, "equal-weights", 0.25, 0.7),
        ("06-first-weights", 4, "unscaled-pixels", 0.1, 0.85),
        ("08-batches", 3, "no-shuffling", 0.84, 0.12),
        ("09-the-whole-thing", 4, "training-accuracy-reported", 0.94, 0.0),
        ("10-when-it-does-not-learn", 4, "labels-left-behind", 0.1, 0.85),
        ("11-convolution", 4, "unflipped-filters", 0.93, 0.02),
    ],
)
def test_a_mistake_costs_what_its_answer_says(
    name: str, number: int, mistake: str, true: float, cost: float, tmp_path: Path
) -> None:
    assert settings(name, number, "clinic") == {"mistake": mistake}
    wrong, right = pair(mistake, {"seed": 0})
    planted = train(DIGITS, BASE, out=tmp_path / "planted", mistakes=[mistake], **wrong)
    cured = train(DIGITS, BASE, out=tmp_path / "cured", **right)
    shares = [evaluate(run.model_at(run.snapshots[-1]), DIGITS.test).accuracy for run in (planted, cured)]
    assert shares[0] == pytest.approx(true, abs=0.06)
    assert shares[1] - shares[0] == pytest.approx(cost, abs=0.05)
    if mistake == "training-accuracy-reported":
        assert reached(planted) > 0.99
    if mistake == "unscaled-pixels":
        assert planted.history[-1]["loss"] == pytest.approx(2.303, abs=0.02)
