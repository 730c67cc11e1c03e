"""Is the gradient right? Ask the loss itself.

The derivative of the loss along a direction d in parameter space can be had in two ways that share no code:

    by backward       ∇L · d
    by measuring      (L(θ + h d) − L(θ − h d)) / 2h        wrong by a term in h², and by rounding

In float64 both agree to many digits, or backward is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses import Loss, LossAndGradient
from .network import Network
from .passes import Pass
from .regularizers import L2
from .types import Array, Shape

__all__ = ["GradientCheck", "ParameterCheck", "check_gradients"]

STEPS = (1e-5, 1e-6)
TOLERANCE = 1e-6


@dataclass(frozen=True)
class ParameterCheck:
    """Both gradients of one parameter along every direction tried.

    Attributes:
        name: the parameter, such as ``"0.W"``.
        directions: what each number was measured along: ``"[3, 1]"`` for one coordinate, ``"random 2"`` otherwise.
        backward: the derivatives that backward gives, (m,).
        measured: those that differences of the loss give, (m,).
        errors: |backward − measured| / max(|backward|, |measured|, scale), (m,); ``scale`` is a hundredth of the
            network's largest derivative, below which rounding, not mathematics, is seen.
    """

    name: str
    directions: list[str]
    backward: Array
    measured: Array
    errors: Array

    @property
    def passed(self) -> bool:
        """Whether both agree everywhere."""
        return bool((self.errors <= TOLERANCE).all())


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradients` found; printed, it is a table, with both gradients where they differ."""

    parameters: list[ParameterCheck] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether backward and measurement agree for every parameter."""
        return all(parameter.passed for parameter in self.parameters)

    @property
    def largest_error(self) -> float:
        """The largest relative difference found."""
        return max((float(p.errors.max(initial=0)) for p in self.parameters), default=0.0)

    def __str__(self) -> str:
        lines = [f"{'parameter':<22} {'checked':>8} {'largest error':>14}"]
        for p in self.parameters:
            verdict = "" if p.passed else "  WRONG"
            lines.append(f"{p.name:<22} {len(p.errors):>8} {p.errors.max(initial=0):>14.1e}{verdict}")
        for p in self.parameters:
            worst = [i for i in np.argsort(-p.errors)[:5] if p.errors[i] > TOLERANCE]
            if worst:
                lines += ["", f"{p.name:<22} {'by backward':>15} {'measured':>15} {'error':>9}"]
                lines += [
                    f"  {p.directions[i]:<20} {p.backward[i]:>15.8g} {p.measured[i]:>15.8g} {p.errors[i]:>9.1e}"
                    for i in worst
                ]
        return "\n".join(lines)


def check_gradients(
    network: Network,
    loss: Loss,
    X: Array,
    y: NDArray[Any],
    *,
    regularizer: L2 | None = None,
    coordinates: int = 2_000,
    projections: int = 20,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of backward with measured ones, and print both where they differ.

    Forward runs as in training. Dropout masks are held fixed, and the network is left as it was found, but for its
    gradients.

    Args:
        network: in float64.
        loss: `SoftmaxCrossEntropy`, `MeanSquaredError` or anything that is called as they are.
        X: examples ``(n, *input_shape)``.
        y: what ``loss`` takes for targets.
        regularizer: added to the loss, if any.
        coordinates: a parameter with at most this many numbers is checked at each of them,
        projections: and a larger one along this many random directions.
        seed: of the random directions.

    Raises:
        ValueError: the network computes in float32, where rounding drowns the comparison.
    """
    if network.dtype != np.float64:
        raise ValueError("gradients can be checked in float64 only; build the network with dtype=np.float64")
    rng = np.random.default_rng(seed)
    measurement = _Measurement(network, loss, X, y, regularizer)
    measurement.backward()
    finite = network.gradients[np.isfinite(network.gradients)]
    scale = 0.01 * float(np.abs(finite).max(initial=0)) or 1.0
    result = GradientCheck()
    for name, gradient in network.named_gradients.items():
        rows = []
        for label, direction in _directions(gradient.shape, coordinates, projections, rng):
            backward = float(np.vdot(gradient, direction))
            measured, error = measurement.compare(network.named_parameters[name], direction, backward, scale)
            rows.append((label, backward, measured, error))
        labels, *numbers = zip(*rows, strict=True)
        result.parameters.append(ParameterCheck(name, list(labels), *map(np.array, numbers)))
    if not result.passed:
        print(result)
    return result


def _directions(
    shape: Shape, coordinates: int, projections: int, rng: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    """Yield each axis of a small parameter's space, or random directions of unit length in a large one's."""
    size = prod(shape)
    if size <= coordinates:
        for index in np.ndindex(*shape):
            direction = np.zeros(shape)
            direction[index] = 1
            yield str(list(index)), direction
    else:
        for i in range(projections):
            yield f"random {i + 1}", rng.choice([-1.0, 1.0], size=shape) / sqrt(size)


class _Measurement:
    """The loss as a function of the parameters alone: everything else is put back before each evaluation."""

    def __init__(self, network: Network, loss: Loss, X: Array, y: NDArray[Any], regularizer: L2 | None) -> None:
        self.network, self.loss, self.X, self.y, self.regularizer = network, loss, X, y, regularizer
        self.statistics = network.statistics.copy()
        self.p = Pass(network, training=True)

    def _forward(self) -> LossAndGradient:
        self.p.batch.step = 0  # the same step, and so the same dropout masks
        found = self.loss(self.network.forward(self.X, self.p), self.y)
        self.network.statistics[...] = self.statistics
        return found

    def evaluate(self) -> float:
        penalty = self.regularizer.penalty(self.network) if self.regularizer else 0.0
        return self._forward().value + penalty

    def backward(self) -> None:
        self.network.backward(self._forward().gradient, self.p)
        if self.regularizer:
            self.regularizer.add_gradient(self.network)

    def compare(self, theta: Array, direction: Array, backward: float, scale: float) -> tuple[float, float]:
        """Return the derivative along ``direction`` by differences, and how far ``backward`` is from it.

        Where they disagree a smaller step decides: a kink of ReLU that lay within the larger one is no mistake.
        """
        original = theta.copy()
        measured = error = np.inf
        for h in STEPS:
            theta[...] = original + h * direction
            above = self.evaluate()
            theta[...] = original - h * direction
            below = self.evaluate()
            theta[...] = original
            measured = (above - below) / (2 * h)
            error = abs(backward - measured) / max(abs(backward), abs(measured), scale)
            if error <= TOLERANCE:
                break
        return measured, np.inf if np.isnan(error) else error
