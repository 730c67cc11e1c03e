"""What a page that holds a model tells of its training: metrics, curves, the confusion matrix, and snapshots."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data import load_dataset, needs_download
from ..errors import DataError, FileError
from ..evaluation import Evaluation, evaluate, examples_for
from ..model import Model
from ..training import Run
from ..training.folder import STEPS
from ..training.history import Row, percent, read_steps

__all__ = ["Record", "past_of", "record_of"]

MOST_BYTES = 3_000_000  # of a page that snapshots take: base64 of float16, and of float32 for what is measured
MOST_POINTS = 300  # of a curve: about as many as can be told apart


@dataclass(frozen=True)
class Record:
    """What is told of a model.

    Attributes:
        name: what the page calls it.
        facts: metrics, sizes and times by their names, all as text.
        curves: ``title``, ``percent`` (whether its numbers are fractions), ``unit`` of the axis, and ``lines``, each
            with its ``name``, its ``kind``, ``x`` and ``y``.
        evaluation: on test images; None where they are not at hand.
    """

    name: str = "a model"
    facts: dict[str, str] = field(default_factory=dict)
    curves: Sequence[dict[str, Any]] = ()
    evaluation: Evaluation | None = None


def record_of(model: Model, name: str, run: Run | None = None) -> Record:
    """Return what there is to tell of a model.

    Test images are read where the data that it learned are on this machine; nothing is downloaded.

    Args:
        model: what the page holds.
        name: what the page calls it.
        run: that trained it, if it is at hand.
    """
    evaluation = _evaluation(model)
    history = run.history if run else []
    facts = {"parameters": f"{model.size:,}"}
    if len(model.networks) > 1:
        facts["networks"] = f"{len(model.networks)}"
    if model.trained_on:
        facts["trained on"] = Path(model.trained_on).name
    if run and history:
        facts["epochs"] = f"{history[-1]['epoch']:,}"
        facts["training time"] = f"{history[-1]['seconds']:,.1f} s"
        if run.best["validation_accuracy"] is not None:
            facts["validation accuracy"] = percent(run.best["validation_accuracy"])
    if evaluation:
        facts["test accuracy"] = percent(evaluation.accuracy)
        facts["test loss, nats"] = f"{evaluation.loss:.4f}"
    steps = read_steps(run.path / STEPS) if run else []
    curves = _curves(history, steps, len(model.networks))
    return Record(name, facts, [*curves], evaluation)


def past_of(run: Run, model: Model) -> dict[int, Model]:
    """Return the model at the steps of a run's snapshots, of a large network at fewer of them: 3 MB in a page.

    Args:
        run: that trained it.
        model: of the run. An ensemble of which members are still missing has no snapshots of all.
    """
    each = 4 / 3 * sum(2 * network.parameters.size + 4 * network.statistics.size for network in model.networks)
    steps = run.snapshots
    places = np.linspace(0, len(steps) - 1, min(len(steps), int(MOST_BYTES // each)))
    past: dict[int, Model] = {}
    for step in (steps[round(place)] for place in places):
        with suppress(FileError):  # one that is damaged
            past[step] = run.model_at(step)
    return {step: then for step, then in past.items() if len(then.networks) == len(model.networks)}


def _evaluation(model: Model) -> Evaluation | None:
    if not model.trained_on or needs_download(model.trained_on):
        return None
    try:
        return evaluate(model, examples_for(model, load_dataset(model.trained_on, classes=model.classes)))
    except DataError:  # gone, changed, or all of it was learned
        return None


def _curves(history: Sequence[Row], steps: Sequence[Row], members: int) -> Iterator[dict[str, Any]]:
    unit = "epoch" if members == 1 else "member"
    for title, key, is_fraction in (("Loss", "loss", False), ("Accuracy", "accuracy", True)):
        rows = {"training": (key, _training(history, steps, key)), "validation": (f"validation_{key}", history)}
        lines = [_line(name, own, history, of, members) for name, (own, of) in rows.items()]
        if lines := [line for line in lines if line["x"]]:
            yield {"title": title, "percent": is_fraction, "unit": unit, "lines": lines}


def _training(history: Sequence[Row], steps: Sequence[Row], key: str) -> Sequence[Row]:
    """Return what the training curve is drawn from, as in Watch: the rows of steps, unless there are fewer of them."""
    known = [row for row in steps if row.get(key) is not None]
    if not history or len(known) < len(history):
        return history
    every = math.ceil(len(known) / MOST_POINTS)
    return [row for i, row in enumerate(known) if i % every == 0 or row is known[-1]]


def _line(name: str, key: str, history: Sequence[Row], rows: Sequence[Row], members: int) -> dict[str, Any]:
    """Return the points of a curve that have a number: by epoch and its fractions, of an ensemble by member."""
    points = [
        (
            number if members > 1 else round(row["step"] * history[-1]["epoch"] / max(history[-1]["step"], 1), 3),
            row[key],
        )
        for number, row in enumerate(rows, 1)
        if row[key] is not None
    ]
    return {"name": name, "kind": name, "x": [x for x, _ in points], "y": [float(f"{y:.5g}") for _, y in points]}
