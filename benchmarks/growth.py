"""Growth: seconds an image and peak memory against the number of images, the width, the depth and the batch.

The images are in a file that is made here, MNIST's over and over, and mapped into memory, as somebody would who has
more of them than memory: `load_dataset((images, labels))`. Each measurement is a process of its own that trains on as
many images as the others do; what happens before the first step (splitting, the fingerprint) is timed apart. Peak
memory is what the process holds for itself, looked at 50 times a second (RssAnon, where Linux tells it, so that pages
of the mapped file, which the system can take back at any time, do not count), else the largest it ever had.

    python benchmarks/growth.py [TRIALS IMAGES]     about ten minutes, and 6.3 GB of the temporary folder for a while
    python benchmarks/growth.py convolution         the line of convolutions alone, beside what is there; two minutes

What lies under a convolution's window takes kh·kw times the memory of an image, so it is made for a few images at a
time. What is left to grow with the batch are the feature maps.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from glassnet import load_dataset, train
from glassnet.training import Callback, RunUnderWay
from machine import describe_machine, load_result, save_result

COUNTS = (60_000, 250_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000)
WIDTHS, DEPTHS, BATCHES = (64, 256, 1024, 2048), (1, 2, 4, 8), (32, 128, 512, 2048, 8192)
HIDDEN, DEEP, BATCH = [128, 64], 128, 128
LAYERS = ["conv 16 5x5", "pool 2", "conv 32 5x5", "pool 2", "dense 128"]
CONVOLVED, CONVOLVED_BATCHES = 20_000, (32, 128, 512, 2048)
LEARNED = 200_000  # images that each measurement trains on
PIXELS = 784
SPARE = 2 * 10**9  # bytes of the disk that are left free


class Enough(Callback):
    """Ends the run after so many images."""

    def __init__(self, images: int) -> None:
        self.images = images

    def on_start(self, run: RunUnderWay) -> None:
        self.started = perf_counter()

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if run.state.step * run.batches.size >= self.images:
            self.seconds, self.learned = run.state.seconds, run.state.step * run.batches.size
            run.stop("measured")


def measure(file: str, images: int, network: dict[str, Any], batch: int, learned: int) -> dict[str, float]:
    """Train on the first ``images`` of the file; this is the child process."""
    start, enough = perf_counter(), Enough(learned)
    X = np.memmap(file, np.uint8, "r", shape=(images, 28, 28))
    dataset = load_dataset((X, np.resize(load_dataset("mnist").train.labels, images)))
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = network | {"batch_size": batch, "validation": 0, "schedule": "constant"}
        train(
            dataset, "fast", out=Path(folder) / "run", callbacks=[enough], epochs=1 + 2 * learned // images, **settings
        )
    return {
        "seconds_an_image": enough.seconds / enough.learned,
        "seconds_before": enough.started - start,
        "largest": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def watch(what: dict[str, Any]) -> dict[str, float]:
    """Have it measured by a process of its own, and look at that one's memory meanwhile."""
    child = subprocess.Popen([sys.executable, __file__, "one", json.dumps(what)], stdout=subprocess.PIPE, text=True)
    status, peak = Path(f"/proc/{child.pid}/status"), 0
    while child.poll() is None:
        peak = max(peak, own_memory(status))
        sleep(0.02)
    assert child.stdout
    output = child.stdout.read()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, "growth.py one")
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured | {"peak": peak or measured["largest"]}


def own_memory(status: Path) -> int:
    """Bytes of a process's memory that are in no file; 0 where the system does not say."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def make_file(path: Path, images: int) -> None:
    """Write MNIST's training images over and over, each time in another order."""
    pixels, rng = load_dataset("mnist").train.images.reshape(-1, PIXELS), np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, images, len(pixels)):
            block = pixels[: images - start]
            file.write(np.roll(block, int(rng.integers(len(block))), axis=0).data)


def main(trials: int = 3, most: int = COUNTS[-1]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        space = (shutil.disk_usage(folder).free - SPARE) // PIXELS
        counts = [count for count in COUNTS if count <= min(most, space)]
        file, learned, first = Path(folder) / "images", min(LEARNED, most), counts[0]
        make_file(file, counts[-1])
        lines = {
            "images": [(count, count, {"hidden": HIDDEN}, BATCH) for count in counts],
            "width": [(width, first, {"hidden": [width]}, BATCH) for width in WIDTHS],
            "depth": [(depth, first, {"hidden": [DEEP] * depth}, BATCH) for depth in DEPTHS],
            "batch": [(batch, first, {"hidden": HIDDEN}, batch) for batch in BATCHES],
        }
        result: dict[str, Any] = {"left_out": [count for count in COUNTS if count not in counts]}
        result |= {name: measured(name, points, file, learned, trials) for name, points in lines.items()}
        result["convolution"] = convolutions(file, trials)
    machine = describe_machine("numpy", "glassnet")
    save_result("growth", {"machine": machine, "trials": trials, "learned": learned, **result})


def measured(name: str, points: list[Any], file: Path, learned: int, trials: int) -> list[dict[str, Any]]:
    """Measure the points of a line: what it is drawn over, the images, the network and the batch."""
    found = []
    for at, images, network, batch in points:
        what = {"file": str(file), "images": images, "network": network, "batch": batch, "learned": learned}
        rows = [watch(what) for _ in range(trials)]
        found.append({"at": at} | {key: [row[key] for row in rows] for key in rows[0]})
        print(name, at, rows[-1], flush=True)
    return found


def convolutions(file: Path, trials: int) -> dict[str, Any]:
    """Measure the line of convolutions, which has a machine of its own."""
    points = [(batch, COUNTS[0], {"layers": LAYERS, "hidden": None}, batch) for batch in CONVOLVED_BATCHES]
    machine = describe_machine("numpy", "glassnet")
    return {"machine": machine, "trials": trials, "points": measured("convolution", points, file, CONVOLVED, trials)}


def only_convolutions(trials: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images"
        make_file(file, COUNTS[0])
        save_result("growth", load_result("growth") | {"convolution": convolutions(file, trials)})


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(json.dumps(measure(**json.loads(sys.argv[2]))))
    elif sys.argv[1:] == ["convolution"]:
        only_convolutions()
    else:
        main(*map(int, sys.argv[1:]))
