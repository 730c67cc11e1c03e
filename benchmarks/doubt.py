"""Calibrate the doubt of the bundled model, write it into the file of the model, and measure it (part of `make model`).

The regression is fitted to one half of MNIST's validation digits, as they are and as photos, and to made-up strangers;
the threshold is that which one in a hundred of the other half exceeds. Then it is measured on test digits and on
strangers made of these and of other fonts.
"""

import hashlib
import json
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from glassnet import Model, load_dataset
from glassnet.data import frame_picture
from glassnet.data.dataset import Images
from glassnet.doubt import THRESHOLD, Doubt, evidence
from glassnet.errors import DataError
from glassnet.files import write_atomically
from glassnet.nn import Pass
from glassnet.training import BUNDLED
from machine import save_result
from photos import KINDS
from strangers import STRANGERS, fonts

REFUSED = 0.01  # of true digits
EACH = 600  # strangers of a kind to calibrate on
PHOTOS = 1500  # of digits to calibrate on
MEASURED = 150  # and to measure on


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


def strangers_of(kind: str, digits: Images, count: int, rng: np.random.Generator, held_out: bool) -> list[Images]:
    """Return pictures of a kind of stranger, dark on light."""
    faces = fonts(held_out)
    return [np.asarray(255 - np.clip(STRANGERS[kind](rng, digits, faces), 0, 255), np.uint8) for _ in range(count)]


def evidence_of(model: Model, images: Images) -> NDArray[np.float32]:
    """Return what a model's doubt is computed from (n, m)."""
    p = Pass(model.network)
    blocks = [images[start : start + 512] for start in range(0, len(images), 512)]
    return np.concatenate([evidence(model.network, p, model.network.forward(model.inputs(b), p)) for b in blocks])


def calibrate(model: Model, digits: Images) -> Doubt:
    """Return the doubt of a model of digits, calibrated on digits (n, 28, 28) that it was not trained on."""
    rng = np.random.default_rng(0)
    made = [framed(model, strangers_of(kind, digits, EACH, rng, held_out=False)) for kind in STRANGERS]
    strange = evidence_of(model, np.concatenate(made))
    known = evidence_of(model, np.concatenate([digits, photos_of(model, digits, PHOTOS, rng)]))
    known = rng.permutation(known)
    fitted, rest = np.array_split(known, 2)
    inputs = np.concatenate([fitted, strange])
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    labels = np.repeat([1, 0], [len(fitted), len(strange)])
    regression = LogisticRegression(C=0.01, max_iter=500).fit((inputs - mean) / deviation, labels)
    weights = (regression.coef_[0] / deviation).astype(np.float32)
    return Doubt(weights, -float(np.quantile(rest @ weights, REFUSED)))


def doubtful(model: Model, images: Images) -> float:
    """Return the fraction of images (n, h, w) that a model with a calibrated doubt refuses."""
    doubts = model.doubt(images)
    assert doubts is not None
    return float(np.mean(doubts > THRESHOLD))


def measured(model: Model, digits: Images, shown: Images) -> dict[str, float]:
    """Return the fraction that is refused of test digits, of photos of them, and of each kind of stranger."""
    rng = np.random.default_rng(1)
    found = {"digits": shown, "photos of digits": photos_of(model, digits, 500, rng)}
    refused = {name: doubtful(model, images) for name, images in found.items()}
    for kind in STRANGERS:
        pictures = strangers_of(kind, digits, MEASURED, rng, held_out=True)
        seen = framed(model, pictures)
        refused[kind] = 1 - (1 - doubtful(model, seen)) * len(seen) / len(pictures)
    return refused


def main() -> None:
    model, mnist = Model.load(BUNDLED), load_dataset("mnist")
    validation = mnist.split(0.1, 0)[1]
    model.doubts = calibrate(model, validation.images_at(np.arange(len(validation))))
    model.save(BUNDLED)
    file = BUNDLED.with_name("figures.json")
    content = BUNDLED.read_bytes()
    figures = json.loads(file.read_text()) | {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(file, (json.dumps(figures, indent=1) + "\n").encode())
    refused = measured(model, mnist.test.images, mnist.test.images)
    for name, fraction in refused.items():
        print(f"{name:<18} {100 * fraction:5.1f} % refused")
    save_result("doubt", {"refused": refused})


if __name__ == "__main__":
    main()
