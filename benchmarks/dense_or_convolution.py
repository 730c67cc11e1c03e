"""Whether the default should be dense or convolutional: both trained for about as long, on either engine.

The rival has the default's distortions, and was chosen on validation images among small convolutional networks that the
compiled engine trains in about the default's seconds. The best epoch of each run is chosen on validation images. The
test images are read once a run, as they are and at the second strength of each corruption that `glassnet evaluate
--corruptions` knows; here nothing frames them anew, so it is the network that has to cope.

    python benchmarks/dense_or_convolution.py [SEEDS]     three minutes
"""

import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from glassnet import Model, evaluate, load_dataset, train
from glassnet.corruptions import CORRUPTIONS, corrupt
from glassnet.data import Examples
from machine import describe_machine, save_result, spread

RIVALS: dict[str, dict[str, Any]] = {
    "dense": {},
    "convolution": {
        "layers": "conv 16 5x5, pool 2, conv 32 5x5, pool 2, dense 128",
        "batch_size": 128,
        "epochs": 1,
    },
}
STRENGTH = 2
OTHERS = tuple(name for name in CORRUPTIONS if name != "inversion")  # which framing undoes, and no network learned


def corrupted_accuracy(model: Model, test: Examples) -> float:
    """Return the mean over all corruptions."""
    return mean(float(np.mean(model.predict(corrupt(test.images, name, STRENGTH)) == test.labels)) for name in OTHERS)


def measure(settings: dict[str, Any], seed: int) -> dict[str, float]:
    mnist = load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder:
        run = train(mnist, "default", out=Path(folder) / "run", seed=seed, monitor="validation_accuracy", **settings)
        return {
            "test_accuracy": 100 * evaluate(run.model, mnist.test).accuracy,
            "corrupted_accuracy": 100 * corrupted_accuracy(run.model, mnist.test),
            "seconds": run.history[-1]["seconds"],
        }


def main(seeds: int = 5) -> None:
    rows: dict[str, dict[str, dict[str, list[float]]]] = {}
    for engine in ("compiled", "numpy"):
        rows[engine] = {name: {} for name in RIVALS}
        for seed in range(seeds):  # who takes turns meets the same machine
            for name, settings in RIVALS.items():
                for what, value in measure({"engine": engine} | settings, seed).items():
                    rows[engine][name].setdefault(what, []).append(value)
        for name, row in rows[engine].items():
            print(engine, name, *(f"{what} {spread(values)}" for what, values in row.items()), sep="  ", flush=True)
    save_result(
        "dense_or_convolution",
        {
            "machine": describe_machine("numpy", "glassnet"),
            "seeds": seeds,
            "strength": STRENGTH,
            "layers": {name: settings.get("layers", "") for name, settings in RIVALS.items()},
            "engines": rows,
        },
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
