"""What a small convolution adds to each of the five notebooks, with the same number of steps and learning rate.

    python benchmarks/notebook_convolutions.py     some minutes

Each recipe, cured, learns from a few of MNIST's training images, so that it does not take an hour; once with its own
layers, once with a convolution and a pool in place of its first hidden layer. Both are read once on the 10,000 test
images, and on the same images moved by two pixels up or down and left or right, as digits lie that nobody has centred.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import Dataset, load_dataset, train
from machine import describe_machine, save_result

SMALL, LARGER = "conv 4 5x5 stride 2, pool 2, dense 10", "conv 8 5x5 stride 2, pool 2, dense 64"
CONVOLUTIONS = dict(zip((f"notebook-00{n}" for n in range(5)), (SMALL, SMALL, LARGER, SMALL, LARGER), strict=True))
SEEDS, MOVED = range(3), 2  # pixels
IMAGES, SINGLE = 1_500, 6_000  # of training and validation: all at each of 500 steps, or one at a time


def few(mnist: Dataset, notebook: str) -> Dataset:
    count = SINGLE if notebook == "notebook-004" else IMAGES
    test = mnist.test
    return load_dataset((mnist.train.images[:count], mnist.train.labels[:count], test.images, test.labels))


def moved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move each image by two pixels in one of the four diagonal directions, the same for each image in each run."""
    found, ways = images.copy(), np.random.default_rng(0).integers(0, 4, len(images))
    for way, by in enumerate(((-MOVED, -MOVED), (-MOVED, MOVED), (MOVED, -MOVED), (MOVED, MOVED))):
        found[ways == way] = np.roll(images[ways == way], by, axis=(1, 2))
    return found


def measure(notebook: str, layers: str, dataset: Dataset, seed: int) -> dict[str, float]:
    settings: dict[str, Any] = {"layers": layers, "hidden": None} if layers else {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        model = train(dataset, notebook, seed=seed, out=out, threads=1, report_every=100, **settings).model
    test = dataset.test
    return {
        "test_accuracy": 100 * float(np.mean(model.predict(test.images) == test.labels)),
        "moved_accuracy": 100 * float(np.mean(model.predict(moved(test.images)) == test.labels)),
        "parameters": model.size,
    }


def main() -> None:
    mnist, rows = load_dataset("mnist"), {}
    for notebook, layers in CONVOLUTIONS.items():
        dataset = few(mnist, notebook)
        rows[notebook] = {"layers": layers}
        for way, entries in (("dense", ""), ("convolution", layers)):
            trials = [measure(notebook, entries, dataset, seed) for seed in SEEDS]
            rows[notebook][way] = {key: [trial[key] for trial in trials] for key in trials[0]}
            print(notebook, way, rows[notebook][way], flush=True)
    machine = describe_machine("numpy", "glassnet")
    result = {"machine": machine, "images": IMAGES, "single": SINGLE, "seeds": list(SEEDS), "moved": MOVED}
    save_result("notebook_convolutions", result | {"notebooks": rows})


if __name__ == "__main__":
    main()
