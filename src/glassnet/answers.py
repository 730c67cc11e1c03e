"""What a model says of images, as programs get it: the same from the command line and from the service."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .data.dataset import Images
from .doubt import THRESHOLD
from .errors import DataError
from .model import Model
from .nn.types import Array

__all__ = ["answers", "how_many"]

_MOST = 0.6  # fraction of what was read that is like digits, where there are several
_NARROW = 0.45  # of its height: parts of a letter are narrower than a digit


def answers(
    probabilities: Array,
    doubts: Array | None,
    classes: Sequence[str],
    inputs: Sequence[str],
    counts: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Return for each image its label, the probability of each class by name, its doubt, and where it came from.

    Args:
        probabilities: (n, k).
        doubts: (n,), how little the images are like the classes; None where the model can't tell.
        classes: the names of the k classes.
        inputs: what each of the n images is called.
        counts: how many digits there seem to be on each of the n images; more than one is told, too.
    """
    found = [
        {
            "label": classes[int(p.argmax())],
            "probabilities": dict(zip(classes, p.tolist(), strict=True)),
            "doubt": None if doubts is None else round(float(doubts[i]), 4),
            "input": name,
        }
        for i, (p, name) in enumerate(zip(probabilities, inputs, strict=True))
    ]
    for answer, count in zip(found, counts or (), strict=False):
        if count > 1:
            answer["digits"] = count
    return found


def how_many(model: Model, gray: Images, doubt: float | None) -> int:
    """Return how many digits there seem to be on a picture (H, W) that a model has been asked about.

    One, unless it is doubtful and can be read as more, most of which are not, and which are as wide as digits are.
    """
    if doubt is None or doubt <= THRESHOLD:
        return 1
    try:
        reading = model.read(gray)
    except DataError:  # it shows too much
        return 1
    digits = reading.digits
    if sum(not digit.is_doubtful for digit in digits) < max(2, _MOST * len(digits)):
        return 1
    (height, width), sides = gray.shape, np.array([digit.box for digit in digits])
    across = (sides[:, 2].max() - sides[:, 0].min()) * width
    is_narrow = across < _NARROW * len(digits) * (sides[:, 3] - sides[:, 1]).max() * height
    return 1 if is_narrow and len(reading.lines) == 1 else len(digits)
