"""What a model says of images, as programs get it: the same from the command line and from the service."""

from collections.abc import Sequence
from typing import Any

from .data.dataset import Images
from .doubt import THRESHOLD
from .model import Model
from .nn.types import Array

__all__ = ["answers", "how_many"]


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

    One, unless it is doubtful and can be read as more, most of which are not.
    """
    if doubt is None or doubt <= THRESHOLD:
        return 1
    digits = model.read(gray).digits
    known = [digit for digit in digits if digit.doubt is not None and digit.doubt <= THRESHOLD]
    return len(digits) if len(known) > 1 and len(known) >= 0.6 * len(digits) else 1
