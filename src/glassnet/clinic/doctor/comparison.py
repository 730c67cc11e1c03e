"""Are these numbers those, or a multiple of those, to rounding?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...nn.types import Array
from .equations import Bounded, Layer, LayerGradient

__all__ = ["Match", "agree", "match", "one_bias_evidence", "row_count_evidence"]

FLOOR = 1e-6
"""What somebody adds on purpose, such as 1e-9 under a quotient, is no mistake."""


def agree(theirs: NDArray[Any], right: Bounded, factor: float = 1.0) -> bool:
    """Return whether ``theirs`` is ``factor`` times ``right`` to rounding, with NaN in the same places."""
    scale = float(np.abs(right.value).max(initial=0, where=np.isfinite(right.value)))
    allowed = factor * (4 * right.error + FLOOR * scale)
    with np.errstate(invalid="ignore"):
        near = np.abs(theirs - factor * right.value) <= allowed
    return bool((near | (np.isnan(theirs) & np.isnan(right.value))).all())


class Match(NamedTuple):
    """How somebody's gradient of a layer follows from another one.

    Attributes:
        theirs: their gradient; that of b may be one number.
        right: the other.
        W: what the other is multiplied by for W,
        b: and for b.
        one_bias: whether b's has been summed over the units too.
    """

    theirs: Layer
    right: LayerGradient
    W: float
    b: float
    one_bias: bool


def match(theirs: Layer, right: LayerGradient, W: Array) -> Match | None:
    """Return how ``theirs`` follows from ``right`` in a layer with weights ``W``, or None where it does not."""
    factor = _factor(theirs.W, right.W) or _factor_beside_decay(theirs.W, right.W, W)
    if factor is None:
        return None
    bias = _bias_factor(theirs.b, right.b, factor)
    return None if bias is None else Match(theirs, right, factor, *bias)


def _factor(theirs: Array, right: Bounded) -> float | None:
    """Return the positive number that ``right`` is multiplied by to give ``theirs``, or None."""
    if agree(theirs, right):
        return 1.0
    if not _comparable(theirs, right):
        return None
    value, error = right
    weight = 1 / np.square(error + FLOOR * np.abs(value).max())
    factor = float((weight * theirs * value).sum() / (weight * value * value).sum())
    return factor if factor > 0 and agree(theirs, right, factor) else None


def _factor_beside_decay(theirs: Array, right: Bounded, W: Array) -> float | None:
    """Return the factor where ``theirs`` is a multiple of ``right`` plus a multiple of the weights: weight decay."""
    if not _comparable(theirs, right):
        return None
    sizes = np.linalg.norm(right.value), np.linalg.norm(W) or 1.0
    both = np.stack([right.value.ravel() / sizes[0], W.ravel() / sizes[1]])
    factor, decay = np.linalg.lstsq(both @ both.T, both @ theirs.ravel())[0] / sizes
    return float(factor) if factor > 0 and decay > 0 and agree(theirs - decay * W, right, factor) else None


def _comparable(theirs: Array, right: Bounded) -> bool:
    """Return whether a factor can be fitted: both are finite, and rounding is small beside the numbers."""
    finite = np.isfinite(theirs).all() and np.isfinite(right.value).all()
    return bool(finite and np.linalg.norm(right.value) > 10 * np.linalg.norm(right.error))


def _bias_factor(theirs: Array, right: Bounded, factor: float) -> tuple[float, bool] | None:
    """Return the factor of a bias gradient, and whether it is one number for all units; ``factor`` is its layer's."""
    one = right.value.size > 1 and bool((theirs == theirs[0]).all())
    total = Bounded(np.asarray(right.value.sum()), right.error.sum() + 1e-15 * np.abs(right.value).sum())
    if agree(theirs, right, factor):
        return factor, False
    if one and any(agree(theirs[:1], total, f) for f in (factor, factor / right.value.size)):  # the sum, or the mean
        return factor, True
    own = _factor(theirs, right)
    if own is not None:
        return own, False
    own = _factor(theirs[:1], total) if one else None
    return None if own is None else (own, True)


def one_bias_evidence(matches: Sequence[Match]) -> str:
    """Say which layers have one bias gradient for all units, or nothing."""
    told = []
    for i, (theirs, right, *_, one_bias) in enumerate(matches):
        if one_bias:
            db = right.b.value
            told.append(
                f"db{i + 1} is {theirs.b[0]:.3g} for all {db.size} units, where the right ones go from "
                f"{db.min():.3g} to {db.max():.3g}"
            )
    return "; ".join(told)


def row_count_evidence(matches: Sequence[Match], n: int) -> str:
    """Say which gradients are multiples of the right ones for ``n`` examples, or nothing."""
    factors = {f"d{name}{i + 1}": getattr(m, name) for i, m in enumerate(matches) for name in "Wb"}
    wrong = {name: factor for name, factor in factors.items() if abs(factor - 1) > 1e-5}
    if not wrong:
        return ""
    values = list(wrong.values())
    if max(values) > min(values) * (1 + 1e-5):
        told = ", ".join(f"{name} {factor:.6g} ×" for name, factor in wrong.items())
        return f"multiples of the right gradients: {told} (the batch has {n} examples)"
    whose = "every gradient is" if len(wrong) == len(factors) else f"{', '.join(wrong)}:"
    divisor = n / values[0]
    divided = "not divided at all" if abs(divisor - 1) < 1e-5 else f"divided by {divisor:.6g}"
    return f"{whose} {values[0]:.6g} × the right one: a sum over {n} examples, {divided}"
