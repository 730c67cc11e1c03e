"""Where somebody's functions are asked: parameters and a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...nn.types import Array
from .case import Case, Labels
from .equations import Bounded, ForwardPass, Layer, forward

__all__ = ["Point", "one_class_below", "one_example_below", "own_point", "raised", "trial_point"]

FAR = 3_000.0  # e³⁰⁰⁰ overflows and e⁻³⁰⁰⁰ is zero, in every precision


class Point(NamedTuple):
    """Parameters, images (n, d) and labels (n,)."""

    layers: Sequence[Layer]
    X: Array
    labels: Labels

    def forward(self, activation: str, unit: float) -> ForwardPass:
        """Go up through the layers, by the right equations."""
        return forward(self.layers, self.X, activation, unit)

    def with_last(self, W: Array, b: Array) -> "Point":
        """Return the point with other parameters in the last layer."""
        return self._replace(layers=[*self.layers[:-1], Layer(W, b)])


def own_point(case: Case) -> Point:
    """Return what the person gave."""
    return Point(case.layers, case.images, case.labels)


def trial_point(case: Case) -> Point:
    """Return a point where nothing saturates and no ReLU stands at zero, so that each mistake shows.

    Its arrays have the shapes of the person's own, and its labels include the highest class.
    """
    rng = np.random.default_rng(0)
    layers = [
        Layer(rng.standard_normal(W.shape) / np.sqrt(len(W)), 0.1 * rng.standard_normal(len(b))) for W, b in case.layers
    ]
    labels = rng.integers(case.classes, size=len(case.labels))
    labels[0] = case.classes - 1
    return Point(layers, rng.random(case.images.shape), labels)


def raised(point: Point) -> Point:
    """Bring all logits near 3,000: exp overflows, unless a maximum is taken off first."""
    W, b = point.layers[-1]
    return point.with_last(0.01 * W, 0.01 * b + FAR)


def one_example_below(point: Point, hidden: Bounded) -> Point:
    """Set the last layer so that one example's logits are all 3,000 below another's.

    Args:
        point: whose last layer is replaced.
        hidden: the inputs of the last layer (n, h).
    """
    A = hidden.value
    b = point.layers[-1].b
    along = A @ np.random.default_rng(1).standard_normal(A.shape[1])
    direction = A[along.argmax()] - A[along.argmin()]
    scores = A @ direction
    scale = FAR / max(float(np.ptp(scores)), 1e-300)
    w = scale * direction
    return point.with_last(np.repeat(w[:, None], len(b), axis=1), np.full(len(b), -float((A @ w).max())))


def one_class_below(point: Point) -> Point:
    """Set the last layer so that the first class's logits are 3,000 below the others, for every example."""
    W, b = point.layers[-1]
    lowered = 0.01 * b
    lowered[0] -= FAR
    return point.with_last(0.01 * W, lowered)
