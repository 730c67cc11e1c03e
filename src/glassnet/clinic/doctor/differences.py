"""Is somebody's backward the derivative of their own forward, whatever that computes?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .case import Case
from .equations import Layer
from .point import Point

__all__ = ["differing"]


def differing(case: Case, forward: Callable[..., Any], gradients: list[Layer], point: Point) -> list[str]:
    """Compare each parameter's gradient with differences of the loss along one random direction.

        ∇L · d        against        (L(θ + h d) − L(θ − h d)) / 2h        L = mean of −log p of the true class

    Returns:
        For each parameter where they differ, both numbers.
    """
    rng = np.random.default_rng(2)
    _, unit = case.probabilities_of(forward, point.layers, point.X)
    h = unit ** (1 / 3)  # where the error of the difference, h², is as small as that of rounding, unit/h
    told = []
    for i, (layer, gradient) in enumerate(zip(point.layers, gradients, strict=True)):
        for field, theta, slope in zip("Wb", layer, gradient, strict=True):
            direction = rng.choice([-1.0, 1.0], size=theta.shape) / np.sqrt(theta.size)
            losses = []
            for step in (h, -h):
                moved = layer._replace(**{field: theta + step * direction})
                P, _ = case.probabilities_of(forward, [*point.layers[:i], moved, *point.layers[i + 1 :]], point.X)
                with np.errstate(all="ignore"):
                    losses.append(float(-np.log(P[np.arange(len(P)), point.labels].astype(float)).mean()))
            measured, backward = (losses[0] - losses[1]) / (2 * h), float((slope * direction).sum())
            scale = max(abs(measured), abs(backward), float(np.linalg.norm(slope)) / 10, 1e-6)
            if not abs(measured - backward) <= 100 * h * scale:
                told.append(f"d{field}{i + 1} gives {backward:.3g}, and forward's loss {measured:.3g}")
    return told
