"""The suggestion of the learning-rate range test beside a grid of rates that were trained.

For each choice of settings, nine rates are trained with two seeds each, and judged by validation accuracy. Between the
rates of the grid the accuracy is interpolated. Two rules are compared: the rate where the loss falls fastest, and what
`glassnet lr-find` suggests.

    python benchmarks/learning_rates.py     ten minutes
"""

import tempfile
from dataclasses import replace
from typing import Any

import numpy as np

from glassnet import Dataset, load_dataset, train
from glassnet.errors import TrainingError
from glassnet.training import LearningRateSearch, find_learning_rate
from machine import describe_machine, save_result

IMAGES = 12_000  # of MNIST, so that the whole takes minutes
GRID = (0.0003, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12)  # times the optimizer's own factor
FACTORS = {"sgd": 30, "momentum": 6}
MNIST: dict[str, dict[str, Any]] = {
    "fast": {"recipe": "fast"},
    "default": {"recipe": "default"},
    "constant": {"recipe": "fast", "schedule": "constant", "epochs": 3, "batch_size": 128},
    "sgd": {"recipe": "fast", "optimizer": "sgd", "schedule": "constant", "epochs": 3},
    "momentum": {"recipe": "fast", "optimizer": "momentum", "epochs": 3},
    "rmsprop": {"recipe": "fast", "optimizer": "rmsprop", "epochs": 3},
    "deep": {"recipe": "fast", "hidden": [128, 128, 128], "epochs": 3},
    "sigmoid": {"recipe": "fast", "activation": "sigmoid", "epochs": 3},
    "softmax": {"recipe": "fast", "hidden": [], "epochs": 3},
    "batch 32": {"recipe": "fast", "batch_size": 32},
    "batch 1024": {"recipe": "fast", "batch_size": 1024, "epochs": 6},
}
DIGITS: dict[str, dict[str, Any]] = {
    "small": {},
    "small, batch norm": {"batch_norm": True, "epochs": 15},
    "small, cosine": {"hidden": [64, 64], "dropout": 0, "schedule": "cosine"},
    "small, constant": {"schedule": "constant", "dropout": 0, "epochs": 8},
    "small, momentum": {"optimizer": "momentum", "batch_norm": True, "epochs": 8},
    "small, deep rmsprop": {"optimizer": "rmsprop", "hidden": [64, 64, 64], "dropout": 0, "epochs": 8},
    "small, batch 128": {"batch_size": 128, "schedule": "constant", "dropout": 0, "epochs": 20},
    "small, sgd": {"optimizer": "sgd", "epochs": 15},
    "small, sigmoid": {"activation": "sigmoid", "dropout": 0, "epochs": 15},
    "small, tanh": {"activation": "tanh", "schedule": "cosine", "hidden": [64, 64], "dropout": 0, "epochs": 10},
}


def accuracy(dataset: Dataset, settings: dict[str, Any], rate: float) -> float:
    """Return the mean validation accuracy of the last epoch over two seeds; a run that diverges guesses."""
    found = []
    for seed in (0, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                run = train(dataset, out=f"{folder}/run", threads=1, seed=seed, learning_rate=rate, **settings)
                found.append(run.history[-1]["validation_accuracy"])
            except TrainingError:
                found.append(1 / len(dataset.classes))
    return float(np.mean(found))


def steepest(search: LearningRateSearch) -> float:
    """Return the rate from half to twice which the smoothed loss falls most, at most a tenth of where it diverges."""
    rates, smoothed = search.rates[search.settled :], search.smoothed[search.settled :]
    rise = np.interp(2 * rates, rates, smoothed) - np.interp(rates / 2, rates, smoothed)
    return min(float(rates[rise[: smoothed.argmin()].argmin()]), (search.diverged or np.inf) / 10)


def main() -> None:
    mnist, digits = load_dataset("mnist"), load_dataset("digits")
    chosen = np.sort(np.random.default_rng(0).permutation(len(mnist.train))[:IMAGES])
    few = replace(mnist, train=mnist.train.take(chosen))
    cases = [(few, name, settings) for name, settings in MNIST.items()]
    cases += [(digits, name, {"recipe": "small"} | settings) for name, settings in DIGITS.items()]
    lost: dict[str, dict[str, float]] = {}
    for dataset, name, settings in cases:
        search = find_learning_rate(dataset, threads=1, **settings)
        rates = np.array(GRID) * FACTORS.get(settings.get("optimizer", ""), 1)
        accuracies = np.array([accuracy(dataset, settings, rate) for rate in rates])
        rules = {"falls fastest": steepest(search), "suggested": search.suggestion}
        lost[name] = {
            rule: 100 * float(accuracies.max() - np.interp(np.log(rate), np.log(rates), accuracies))
            for rule, rate in rules.items()
            if rate is not None
        }
        print(f"{name:24}", *(f"{rule} {points:5.2f}" for rule, points in lost[name].items()), flush=True)
    for rule in ("falls fastest", "suggested"):
        points = [each[rule] for each in lost.values() if rule in each]
        print(f"{rule}: {np.mean(points):.2f} points below the best rate of the grid, at most {max(points):.2f}")
    save_result("learning_rates", {"machine": describe_machine("numpy", "glassnet"), "points lost": lost})


if __name__ == "__main__":
    main()
