"""What can be seen from the weights alone."""

from math import log, sqrt

import numpy as np

from ...nn.types import Array
from .case import Case
from .diagnosis import Report
from .equations import forward

__all__ = ["check_weights"]

FEW = 20  # examples that say nothing about a network


def check_weights(report: Report, case: Case, activation: str, trained: bool | None) -> None:
    """Look at how the weights were drawn; only first weights tell how wide."""
    reason = _why_trained(case, activation, trained)
    positive, equal, spread = [], [], []
    for i, (W, _) in enumerate(case.layers):
        name = f"W{i + 1}"
        if _units_alike(W) and len(case.layers) > 1:
            if i < len(case.layers) - 1 or W.any():  # an output layer of zeros learns: its targets differ
                equal.append(f"each of the {W.shape[1]} units of {name} has the same {W.shape[0]} weights")
        elif W.min() >= 0 and W.size >= 20 and W.std() > 0:
            lie = f"between {W.min():.3g} and {W.max():.3g}, mean {W.mean():.3g}"
            positive.append(f"the {W.size} weights of {name} lie {lie}")
        elif W.std() > 0 and not reason:
            spread += _spread(name, W, hidden=i < len(case.layers) - 1)
    for mistake, evidence in (("uniform-weights", positive), ("equal-weights", equal), ("ignored-fan-in", spread)):
        if evidence:
            report.found(mistake, "; ".join(evidence))
    if reason:
        report.skip(["ignored-fan-in"], reason)


def _units_alike(W: Array) -> bool:
    return W.shape[1] > 1 and bool((np.ptp(W, axis=1) == 0).all())


def _why_trained(case: Case, activation: str, trained: bool | None) -> str:
    """Return why the weights may not be the first ones, or nothing.

    A network that knows nothing yet does not do better than to give each of k classes the probability 1/k, which has a
    cross-entropy of ln k; one that has learned does.
    """
    if trained is not None:
        return "the parameters are trained ones" if trained else ""
    n = len(case.labels)
    if n < FEW:
        return f"too few examples ({n}) to tell first weights from trained ones; say trained=False"
    Z = forward(case.layers, case.images, activation, 0.0).Z[-1].value
    Z = Z - Z.max(axis=1, keepdims=True)
    loss = float(np.mean(np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(n), case.labels]))
    known = log(case.classes)
    if loss > known - 0.1:
        return ""
    return f"the loss is {loss:.2f}, below the {known:.2f} of a network that knows nothing: these are no first weights"


def _spread(name: str, W: Array, hidden: bool) -> list[str]:
    """Compare the spread of a layer's weights with the rules that the field uses, from PyTorch's 1/√(3 fan_in) to He's.

    It is wrong below half the smallest or above √2 times the largest of them, four standard errors aside. An output
    layer is as small as its maker likes.
    """
    fan_in, fan_out = W.shape
    std = sqrt(float(np.mean(np.square(W))))
    error = 4 / sqrt(2 * W.size)
    low = 0.5 * min(sqrt(1 / (3 * fan_in)), sqrt(2 / (fan_in + fan_out))) if hidden else 0
    high = sqrt(2) * sqrt(2 / fan_in)
    if low / (1 + error) <= std <= high * (1 + error):
        return []
    return [f"{name} has {fan_in} inputs and a standard deviation of {std:.3g}, {std * sqrt(fan_in):.3g} × 1/√{fan_in}"]
