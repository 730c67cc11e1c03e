"""Fitting the doubt of a model at the end of its training: what tells its classes from strangers.

The regression is fitted to half of the validation images, as they are, distorted and, of digits, as coarse scans in
black and white, and to made-up strangers. The threshold is that which one in a hundred of the other half, distorted,
exceeds.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..data import Augmentation, Examples
from ..data.dataset import Images
from ..doubt import Doubt, evidence
from ..model import Model
from ..nn import Pass

__all__ = ["fit_doubt"]

REFUSED = 0.01  # of distorted images of the classes
FEWEST = 100  # images from which such a threshold can be told
MOST, ENOUGH = 3000, 600  # images that are looked at; fewer are distorted several times
STRANGERS = 2000
BLOCK = 512  # images at a time
DIGITS = tuple("0123456789")
DISTORTED = Augmentation(rotation=10.0, zoom=0.1, shear=0.1, shift=1.0, elastic=0.7)  # 28×28 pixels, as in the recipes


def fit_doubt(model: Model, examples: Examples, *, most: int = MOST, strangers: int = STRANGERS) -> Doubt | None:
    """Return the doubt of a model of one network, or None where there are too few images, or weights are not finite.

    Args:
        model: whose doubt it is.
        examples: images of its classes that it was not trained on, or else those that it was.
        most: how many of them are looked at.
        strangers: how many are made up.
    """
    from ..data.scans import coarse_scans
    from ..data.strangers import strangers_of

    if len(examples) < FEWEST:
        return None
    rng, form = np.random.default_rng(0), model.preprocessing
    images = examples.images_at(rng.permutation(len(examples))[:most])
    half, of_digits = len(images) // 2, model.classes == DIGITS
    strange = strangers_of(images[:half], form, strangers, of_digits=of_digits)
    distorted = [_distorted(part, form.ground, rng) for part in (images[:half], images[half:])]
    like = [images[:half], distorted[0], *([coarse_scans(images[:half], form, rng)] if of_digits else [])]
    known, held_out, others = (_evidence(model, part) for part in (np.concatenate(like), distorted[1], strange))
    if not all(np.isfinite(each).all() for each in (known, held_out, others)):
        return None
    weights = _regression(known, others)
    return Doubt(weights, -float(np.quantile(held_out @ weights, REFUSED)))


def _distorted(images: Images, ground: int, rng: np.random.Generator) -> Images:
    unit = max(images.shape[1:]) / 28
    scaled = replace(DISTORTED, shift=unit * DISTORTED.shift, elastic=unit * DISTORTED.elastic)
    return scaled.distort(images.repeat(math.ceil(ENOUGH / len(images)), axis=0), rng, ground=ground)


def _evidence(model: Model, images: Images) -> NDArray[np.float32]:
    """Return what a model's doubt is computed from (n, m)."""
    p, blocks = Pass(model.network), [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
    found = [evidence(model.network, p, model.network.forward(model.inputs(block), p)) for block in blocks]
    return np.concatenate(found).astype(np.float32)


def _regression(known: NDArray[np.float32], strange: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights (m,) of a logistic regression of standardised evidence: the larger, the better known."""
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate([known, strange])
    deviation = inputs.std(axis=0) + 1e-3
    labels = np.repeat([1, 0], [len(known), len(strange)])
    regression = LogisticRegression(C=0.01, max_iter=300).fit((inputs - inputs.mean(axis=0)) / deviation, labels)
    weights: NDArray[np.float32] = (regression.coef_[0] / deviation).astype(np.float32)
    return weights
