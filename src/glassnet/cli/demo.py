"""``glassnet demo``: training, evaluation and prediction on the digits that come with scikit-learn."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data import load_dataset
from ..evaluation import evaluate
from ..report import write_report
from ..training import train
from ..training.folder import MODEL
from .output import command, percent, print_facts
from .use import predict

__all__ = ["demo"]


def demo(*, out: Path | None = None) -> None:
    """Train on 1,797 handwritten digits, evaluate, save, write a report and predict a few images, in a few seconds.

    Parameters
    ----------
    out
        Run folder, new or empty. Default: runs/TIME-digits-small.
    """
    dataset = load_dataset("digits")
    print(f"Training on {len(dataset.train):,} handwritten digits of 8×8 pixels.\n", flush=True)
    run = train(dataset, out=out, progress=True)
    accuracy = evaluate(run.model, dataset.test).accuracy
    print(f"\nAccuracy on {len(dataset.test)} test images that were not used for training: {percent(accuracy)}.")
    page = write_report(run, dataset.test, run.path / "report")
    pictures = _write_pictures(dataset.test.images, dataset.test.labels, run.path / "pictures")
    print("Predictions for five of them, saved as PNG files:\n", flush=True)
    predict([run.path, *pictures])
    print()
    print_facts({"model": run.path / MODEL, "report": page})
    print("\nNext, try:")
    for line in (
        command("evaluate", run.path),
        command("train", "mnist", "--out", "runs/mnist"),
        command("predict", "runs/mnist", "YOUR-PICTURE.png"),
    ):
        print(f"  {line}")


def _write_pictures(images: NDArray[np.uint8], labels: NDArray[np.int64], folder: Path) -> list[Path]:
    """Write the first test image of each of five classes as a PNG file, eight times as large."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for label in (0, 2, 3, 6, 9):
        path = folder / f"{label}.png"
        image = Image.fromarray(images[np.argmax(labels == label)])
        image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST).save(path)
        paths.append(path)
    return paths
