"""What a model says of images, as programs get it: the same from the command line and from the service."""

from collections.abc import Sequence
from typing import Any

from .nn.types import Array

__all__ = ["answers"]


def answers(probabilities: Array, classes: Sequence[str], inputs: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each image its label, the probability of each class by name, and where the image came from.

    Args:
        probabilities: (n, k).
        classes: the names of the k classes.
        inputs: what each of the n images is called.
    """
    return [
        {"label": classes[int(p.argmax())], "probabilities": dict(zip(classes, p.tolist(), strict=True)), "input": name}
        for p, name in zip(probabilities, inputs, strict=True)
    ]
