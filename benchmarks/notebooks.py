"""The five notebooks: test accuracy as written and cured, and their own workload here and as they compute it.

    python benchmarks/notebooks.py [accuracy] [speed]     both take some twelve minutes

Accuracy: each recipe is trained over five seeds, as written and cured, and read once on MNIST's 10,000 test images.
Three notebooks learn from Kaggle's train.csv, 42,000 images; MNIST's first 42,000 training images take its place.

Speed: the literal equations (`literal.py`, float64, NumPy with all threads) beside the same recipe as written here, in
float32 and with the engine that the whole recipe gets: the same images, the same mathematics, the same number of steps.
Each trial is a process of its own, and both take turns. A full-batch step costs the same from first to last, so a trial
takes 50 of the 500.
What is done once is not timed: scaling and one-hot labels there, sorting the images into blocks here.
"""

import json
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import literal
from glassnet import Dataset, Run, load_dataset, train
from glassnet.training import Callback, Config, RunUnderWay
from machine import RESULTS, describe_machine, load_result, save_result

NOTEBOOKS = [f"notebook-00{n}" for n in range(5)]
ROWS = {"notebook-000": 42_000, "notebook-001": 42_000, "notebook-003": 42_000}  # of Kaggle's table; else all 60,000
SEEDS, TRIALS = range(5), 7
STEPS, EXAMPLES = 50, 10_000  # of a trial: full-batch steps, or single examples


def data_of(notebook: str) -> Dataset:
    mnist = load_dataset("mnist")
    rows = ROWS.get(notebook, len(mnist.train))
    train, test = mnist.train, mnist.test
    return load_dataset((train.images[:rows], train.labels[:rows], test.images, test.labels))


class Answers(Callback):
    """The share of the test images that the network as it ends recognises, broken or not."""

    def __init__(self, dataset: Dataset) -> None:
        self.test = dataset.test

    def on_end(self, run: RunUnderWay) -> None:
        self.accuracy = float(np.mean(run.model.logits(self.test.images).argmax(axis=1) == self.test.labels))


def accuracy(notebook: str, as_written: bool, dataset: Dataset, seed: int) -> dict[str, float]:
    """Train once; a notebook shows its last network, a cured run the best by its validation images."""
    answers = Answers(dataset)
    with tempfile.TemporaryDirectory() as folder:
        run = train(dataset, notebook, as_written=as_written, seed=seed, out=Path(folder) / "run", callbacks=[answers])
        share = answers.accuracy if as_written else kept_accuracy(run, dataset)
        return {"test_accuracy": 100 * share, "seconds": run.history[-1]["seconds"]}


def kept_accuracy(run: Run, dataset: Dataset) -> float:
    return float(np.mean(run.model.predict(dataset.test.images) == dataset.test.labels))


def measure_accuracy() -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for notebook in NOTEBOOKS:
        dataset = data_of(notebook)
        rows[notebook] = {}
        for way, as_written in (("as written", True), ("cured", False)):
            trials = [accuracy(notebook, as_written, dataset, seed) for seed in SEEDS]
            rows[notebook][way] = {key: [trial[key] for trial in trials] for key in trials[0]}
            print(notebook, way, *(f"{a:.2f}" for a in rows[notebook][way]["test_accuracy"]), flush=True)
    return rows


def speed_glassnet(notebook: str) -> float:
    """Seconds a step of the recipe as written."""
    recipe = Config.resolve(notebook, as_written=True)
    per_example = recipe.batch_size == 1
    settings: dict[str, Any] = {"report_every": 1000}
    if notebook == "notebook-003":
        # As written nothing is a number after its first step; to be timed, it begins with weights that do not overflow.
        mistakes = [name for name in recipe.mistakes if name != "uniform-weights"]
        settings |= {"mistakes": mistakes, "initializer_scale": 0.01, "learning_rate": 1e-9}

    class Stop(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step >= (EXAMPLES if per_example else STEPS):
                run.stop("measured")
                self.seconds = run.state.seconds / run.state.step

    stop = Stop()
    with tempfile.TemporaryDirectory() as folder:
        train(data_of(notebook), notebook, as_written=True, out=Path(folder) / "run", callbacks=[stop], **settings)
    return stop.seconds


def speed_literal(notebook: str) -> float:
    """Seconds a step of the literal equations, on the images that the notebook learns from."""
    dataset, config, rng = data_of(notebook), Config.resolve(notebook, as_written=True), np.random.default_rng(0)
    learned, _ = dataset.split(config.validation, config.seed)
    if notebook == "notebook-000":
        learned = learned.take(np.arange(9_000, len(learned)))
    sizes = [784, *config.hidden, 10]
    layers = [(rng.standard_normal((b, a)) / a, np.zeros((b, 1))) for a, b in pairwise(sizes)]
    # A CSV file is read as a table of whole numbers with the label in front; then examples become columns.
    table = np.column_stack([learned.labels, learned.images.reshape(len(learned), -1).astype(np.int64)]).T
    X, y, alpha = table[1:], table[0], 1e-9 if notebook == "notebook-003" else config.learning_rate
    with np.errstate(all="ignore"):
        match notebook:
            case "notebook-000":
                return timed(lambda: literal.shallow_step(layers, X, y, alpha, literal.stable_softmax, y.size), STEPS)
            case "notebook-001":
                X = X / 255
                return timed(lambda: literal.shallow_step(layers, X, y, alpha, literal.plain_softmax, 42_000), STEPS)
            case "notebook-002":
                pixels = learned.images.reshape(len(learned), -1).T * (1 / 255)
                T = np.eye(10)[:, y]
                return timed(lambda: literal.deep_step(layers, pixels, T, alpha), STEPS)
            case "notebook-003":
                return timed(lambda: literal.shallow_step(layers, X, y, alpha, literal.plain_softmax, y.size), STEPS)
            case _:
                inputs, T = (learned.images.reshape(-1, 784) / 255).astype(np.float32), np.eye(10)[y]
                start = perf_counter()
                for x, t in zip(inputs[:EXAMPLES], T, strict=False):
                    literal.example_step(layers, np.array([x]).reshape(784, 1), np.array([t]).reshape(10, 1), alpha)
                return (perf_counter() - start) / EXAMPLES


def timed(step: Any, steps: int) -> float:
    start = perf_counter()
    for _ in range(steps):
        step()
    return (perf_counter() - start) / steps


def measure_speed(notebooks: list[str], trials: int) -> dict[str, Any]:
    ways = {"literal": speed_literal, "glassnet": speed_glassnet}
    rows: dict[str, Any] = {}
    for notebook in notebooks:
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(trials):
            for way in ways:
                command = [sys.executable, __file__, "one", way, notebook]
                done = subprocess.run(command, capture_output=True, check=True, text=True)
                seconds[way].append(json.loads(done.stdout.splitlines()[-1]))
        ratios = [a / b for a, b in zip(seconds["literal"], seconds["glassnet"], strict=True)]
        rows[notebook] = {"seconds": seconds, "ratios": ratios}
        print(
            notebook,
            *(f"{way} {1e3 * median(values):.3f} ms" for way, values in seconds.items()),
            f"{median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )
    return rows


PARTS = {"accuracy": measure_accuracy, "speed": lambda: measure_speed(NOTEBOOKS, TRIALS)}


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["one"]:
        way, notebook = arguments[1:]
        print(json.dumps((speed_glassnet if way == "glassnet" else speed_literal)(notebook)))
        return
    if unknown := set(arguments) - set(PARTS):
        sys.exit(f"unknown: {', '.join(unknown)}; give {' or '.join(PARTS)}, or nothing for both")
    result = load_result("notebooks") if (RESULTS / "notebooks.json").exists() else {}
    for part in arguments or PARTS:
        measured = PARTS[part]()
        result[part] = {"machine": describe_machine("numpy", "numba", "glassnet"), "notebooks": measured}
        save_result("notebooks", result)


if __name__ == "__main__":
    main(sys.argv[1:])
