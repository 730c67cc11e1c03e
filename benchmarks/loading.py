"""Seconds to load Kaggle's train.csv: 42,000 rows, some 75 MB, the first time and from the cache.

The file is made here from MNIST's first 42,000 training images.

    python benchmarks/loading.py
"""

import os
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from glassnet import load_dataset
from machine import describe_machine, save_result, spread

ROWS, TRIALS = 42_000, 5


def seconds_to_load(path: Path) -> float:
    start = perf_counter()
    assert len(load_dataset(path).train) > 0
    return perf_counter() - start


if __name__ == "__main__":
    mnist = load_dataset("mnist").train
    table = np.column_stack([mnist.labels, mnist.images.reshape(len(mnist), -1)])[:ROWS]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        with path.open("w") as file:
            file.write("label," + ",".join(f"pixel{i}" for i in range(784)) + "\n")
            file.writelines(",".join(map(str, row)) + "\n" for row in table.tolist())
        first, again = [], []
        for trial in range(TRIALS):
            os.environ["GLASSNET_CACHE"] = f"{folder}/cache{trial}"
            first.append(seconds_to_load(path))
            again.append(seconds_to_load(path))
    print(f"first {spread(first)} s, again {spread(again)} s")
    save_result("loading", {"machine": describe_machine("numpy"), "trials": TRIALS, "first": first, "again": again})
