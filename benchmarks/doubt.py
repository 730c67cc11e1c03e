"""Measure the doubt of the bundled model and of two recipes (part of `make model`).

On test digits, on photos of them, and on strangers (strangers.py) that are drawn otherwise than those that doubt was
calibrated on, and prepared as pictures are. Parts of digits are strangers unless they are digits (resemblance.py).
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassnet import Model, load_dataset, open_model, train
from glassnet.data import frame_picture
from glassnet.data.dataset import Images
from glassnet.doubt import THRESHOLD
from glassnet.errors import DataError
from machine import save_result
from photos import KINDS
from resemblance import Resemblance
from strangers import STRANGERS, fonts

RECIPES = "default", "conv"
PART = "part of a digit"
MEASURED = 400  # strangers of a kind


def framed(model: Model, pictures: Iterable[NDArray[np.uint8]]) -> Images:
    """Return pictures (n, h, w) as the model gets them, without those that preparation refuses."""
    found = []
    for picture in pictures:
        try:
            found.append(frame_picture(picture, model.preprocessing))
        except DataError:
            continue
    return np.stack(found)


def photos_of(model: Model, digits: Images, count: int, rng: np.random.Generator) -> Images:
    """Return digits as they come out of synthetic photos of all kinds that have 8 bits and no colour."""
    kinds = [make for name, make in KINDS.items() if name not in ("16 bits", "colour")]
    at = rng.integers(len(digits), size=count)
    return framed(model, (kinds[i % len(kinds)](digits[j], rng).astype(np.uint8) for i, j in enumerate(at)))


def strangers_of(kind: str, digits: Images, count: int, rng: np.random.Generator) -> list[Images]:
    """Return pictures of a kind of stranger, dark on light."""
    faces = fonts()
    return [np.asarray(255 - np.clip(STRANGERS[kind](rng, digits, faces), 0, 255), np.uint8) for _ in range(count)]


def doubtful(model: Model, images: Images) -> float:
    """Return the fraction of images (n, h, w) that a model with a calibrated doubt refuses."""
    doubts = model.doubt(images)
    assert doubts is not None
    return float(np.mean(doubts > THRESHOLD))


def measured(model: Model, digits: Images, is_digit: Resemblance) -> dict[str, float]:
    """Return the fraction that is refused of test digits, of photos of them, and of each kind of stranger."""
    rng = np.random.default_rng(1)
    found = {"digits": digits, "photos of digits": photos_of(model, digits, 500, rng)}
    refused = {name: doubtful(model, images) for name, images in found.items()}
    for kind in STRANGERS:
        pictures = strangers_of(kind, digits, 2 * MEASURED if kind == PART else MEASURED, rng)
        seen = framed(model, pictures)
        unseen = len(pictures) - len(seen)
        if kind == PART:
            seen = seen[~is_digit(seen)]
        refused[kind] = (unseen + doubtful(model, seen) * len(seen)) / (unseen + len(seen))
    return refused


def main() -> None:
    mnist = load_dataset("mnist")
    found, is_digit = {}, Resemblance(mnist)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bundled", *RECIPES):
            model = open_model() if name == "bundled" else train(mnist, name, out=Path(folder, name)).model
            found[name] = measured(model, mnist.test.images, is_digit)
            for kind, fraction in found[name].items():
                print(f"{name:<10} {kind:<18} {100 * fraction:5.1f} % refused", flush=True)
            save_result("doubt", {"refused": found})


if __name__ == "__main__":
    main()
