"""Which mistakes turn the right gradient into somebody's own?

The right gradient is computed with every small set of known mistakes in it, and the smallest set that gives the
person's numbers to rounding is the diagnosis.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from ..nn.types import Array
from .case import Case
from .checks_softmax import agree
from .diagnosis import Report
from .differences import differing
from .equations import SOFTMAXES, Bounded, ForwardPass, Layer, LayerGradient, Softmax, backward
from .point import Point, own_point

__all__ = ["MASKS", "NAMES", "check_backward", "check_gradients"]

NAMES = ("one-bias-gradient", "wrong-row-count", "times-p-one-minus-p", "relu-derivative-of-wrong-array")

MASKS = {
    "arriving": "the gradient that arrives there",
    "nothing": "nothing: every unit is let through",
    "above": "the pre-activation of the layer above",
    "above-gradient": "the gradient of the layer above",
    "below": "the pre-activation of the layer below, or the images",
}
"""From which array people take the slope of a hidden layer's activation by mistake."""


def check_gradients(
    report: Report, gradients: list[Layer], unit: float, point: Point, activation: str, softmaxes: Sequence[Softmax]
) -> None:
    """Explain gradients that were computed at ``point``; ``softmaxes`` are those that the probabilities allow."""
    explanations = _explain(gradients, unit, point, activation, softmaxes)
    if not explanations:
        report.found("unexplained-gradient", _difference(gradients, unit, point, activation))
        report.skip(NAMES, "the gradient is unexplained")
        return
    for name, evidence in explanations[0].items():
        report.found(name, evidence)
    # Where all is saturated, say, a mistake may change nothing.
    report.skip((name for other in explanations for name in other), "these gradients are the same with and without it")
    if len(point.layers) == 1 or activation not in ("relu", "leaky_relu"):
        report.skip(NAMES[3:], "the network has no ReLU")


def check_backward(
    report: Report,
    case: Case,
    function: Callable[..., Any],
    forward: Callable[..., Any] | None,
    point: Point,
    activation: str,
    softmaxes: Sequence[Softmax],
) -> None:
    """Ask the person's backward at a trial point, and once more with labels that lack the highest class.

    Where ``forward`` computes something unknown, for which there are no ``softmaxes``, backward is only held against
    differences of forward's own loss.
    """
    gradients, unit = case.gradients_of(function, point.layers, point.X, point.labels)
    unknown = forward is not None and not softmaxes
    if forward is not None and unknown:
        differences = differing(case, forward, gradients, point)
        if differences:
            report.found("unexplained-gradient", "along a random direction " + "; ".join(differences))
        report.skip(NAMES, "the probabilities are unexplained, so backward was held against differences of the loss")
    else:
        check_gradients(report, gradients, unit, point, activation, softmaxes)
    unexplained = unknown or any(finding.name == "unexplained-gradient" for finding in report.findings)
    if unexplained and _ignores_parameters(case, function, gradients, point):
        raise ConfigError(
            "backward returns the same whatever parameters it is given; it has to run forward on its own arguments "
            "and then the backward pass: lambda parameters, X, y: back_prop(*forward_prop(*parameters, X), …)"
        )
    k = case.classes
    fewer = point._replace(labels=np.minimum(point.labels, k - 2))
    try:
        gradients, unit = case.gradients_of(function, fewer.layers, fewer.X, fewer.labels)
    except DataError as error:
        report.found("narrow-one-hot", f"with labels that lack class {k - 1}: {error}")
        return
    if not unexplained and not _explain(gradients, unit, fewer, activation, softmaxes):
        report.found("narrow-one-hot", f"the gradients are right, but for labels that lack class {k - 1}")


def _ignores_parameters(case: Case, function: Callable[..., Any], gradients: list[Layer], point: Point) -> bool:
    others, _ = case.gradients_of(function, own_point(case).layers, point.X, point.labels)
    pairs = zip(gradients, others, strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for one, other in pairs for a, b in zip(one, other, strict=True))


def _explain(
    gradients: list[Layer], unit: float, point: Point, activation: str, softmaxes: Sequence[Softmax]
) -> list[dict[str, str]]:
    """Return each set of mistakes that gives these gradients, with the evidence of each, the likeliest set first.

    Fewer mistakes are likelier than more, and among equals those that need no number fitted.
    """
    passed = point.forward(activation, unit)
    known = softmaxes[0].mistakes if softmaxes else frozenset()
    explanations = []
    for output, dZ in _output_gradients(passed, point, unit, known):
        for masks in _mask_choices(point.layers, activation):
            walked = backward(point.layers, passed, dZ, activation, unit, masks)
            scaling = _scaling(gradients, point.layers, walked, len(point.X))
            if scaling is not None:
                explanations.append(output | _mask_evidence(masks) | scaling)
    return sorted(explanations, key=lambda evidence: (len(evidence), "wrong-row-count" in evidence))


def _output_gradients(
    passed: ForwardPass, point: Point, unit: float, known: frozenset[str]
) -> Iterator[tuple[dict[str, str], Bounded]]:
    """Yield (p − t)/n for each softmax that differs where nothing overflows, and the same times p(1 − p)."""
    n, k = passed.Z[-1].value.shape
    T = np.eye(k)[point.labels]
    for softmax in SOFTMAXES:
        if softmax.maximum not in (0, 1):
            continue
        P = softmax(passed.Z[-1], unit)
        dZ = Bounded((P.value - T) / n, (P.error + unit * np.abs(P.value - T)) / n)
        new = softmax.mistakes - known
        evidence = dict.fromkeys(new, "the gradients are those of a softmax over the examples")
        yield evidence, dZ
        slope = Bounded(P.value * (1 - P.value), P.error + unit * P.value)
        yield evidence | {NAMES[2]: "the gradients are those of (p − t) · p(1 − p)"}, dZ.times(slope, unit)


def _mask_choices(layers: Sequence[Layer], activation: str) -> list[tuple[str, ...]]:
    """List what the slope of each hidden layer can be taken from: one mistake in all layers, or in one of them."""
    hidden = len(layers) - 1
    right = ("own",) * hidden
    choices = [right]
    if activation not in ("relu", "leaky_relu"):
        return choices
    for mask in MASKS:
        fits = [_fits(mask, i, layers) for i in range(hidden)]
        choices.append(tuple(mask if fit else "own" for fit in fits))
        choices += [(*right[:i], mask, *right[i + 1 :]) for i in range(hidden) if fits[i]]
    return list(dict.fromkeys(choices))


def _fits(mask: str, i: int, layers: Sequence[Layer]) -> bool:
    """Return whether the array has the shape of hidden layer ``i``."""
    width = len(layers[i].b)
    return {"below": len(layers[i].W), "above": len(layers[i + 1].b), "above-gradient": len(layers[i + 1].b)}.get(
        mask, width
    ) == width


def _mask_evidence(masks: tuple[str, ...]) -> dict[str, str]:
    wrong = [f"in layer {i + 1} it comes from {MASKS[mask]}" for i, mask in enumerate(masks) if mask != "own"]
    return {NAMES[3]: "; ".join(wrong)} if wrong else {}


def _scaling(
    gradients: list[Layer], layers: Sequence[Layer], right: Iterator[tuple[int, LayerGradient]], n: int
) -> dict[str, str] | None:
    """Compare layer by layer, up to a factor, and with biases that may have one number; None where a layer differs."""
    factors: dict[str, float] = {}
    single: list[str] = []
    for i, gradient in right:
        W = _factor(gradients[i].W, gradient.W)
        W = _factor_beside_decay(gradients[i].W, gradient.W, layers[i].W) if W is None else W
        bias = None if W is None else _bias_factor(gradients[i].b, gradient.b, W)
        if W is None or bias is None:
            return None
        factors |= {f"dW{i + 1}": W, f"db{i + 1}": bias[0]}
        if bias[1]:
            low, high = gradient.b.value.min(), gradient.b.value.max()
            number = f"db{i + 1} is {gradients[i].b[0]:.3g} for all {gradient.b.value.size} units"
            single.append(f"{number}, where the right ones go from {low:.3g} to {high:.3g}")
    evidence = {NAMES[0]: "; ".join(reversed(single))} if single else {}
    return evidence | _row_count_evidence(dict(sorted(factors.items())), n)


def _factor(theirs: Array, right: Bounded) -> float | None:
    """Return the positive number that ``theirs`` is a multiple of ``right`` by, or None."""
    if agree(theirs, right):
        return 1.0
    value, error = right
    if not _comparable(theirs, right):
        return None
    weight = 1 / np.square(error + 1e-6 * np.abs(value).max())
    factor = float((weight * theirs * value).sum() / (weight * value * value).sum())
    return factor if factor > 0 and agree(theirs, right, factor) else None


def _comparable(theirs: Array, right: Bounded) -> bool:
    """Return whether a factor can be fitted: both are finite, and rounding is small beside the numbers."""
    finite = np.isfinite(theirs).all() and np.isfinite(right.value).all()
    return bool(finite and np.linalg.norm(right.value) > 10 * np.linalg.norm(right.error))


def _factor_beside_decay(theirs: Array, right: Bounded, W: Array) -> float | None:
    """Return the factor where ``theirs`` is a multiple of ``right`` plus a multiple of the weights: weight decay."""
    if not _comparable(theirs, right):
        return None
    both = np.stack([right.value.ravel(), W.ravel()], axis=1)
    factor, decay = np.linalg.lstsq(both, theirs.ravel())[0]
    return float(factor) if factor > 0 and decay > 0 and agree(theirs - decay * W, right, factor) else None


def _bias_factor(theirs: Array, right: Bounded, factor: float) -> tuple[float, bool] | None:
    """Return the factor of a bias gradient, and whether it is one number for all units; ``factor`` is its layer's."""
    one = right.value.size > 1 and bool((theirs == theirs[0]).all())
    total = Bounded(right.value.sum(), right.error.sum() + 1e-15 * np.abs(right.value).sum())
    if agree(theirs, right, factor):
        return factor, False
    if one and any(agree(theirs[:1], total, f) for f in (factor, factor / right.value.size)):
        return factor, True
    own = _factor(theirs, right)
    if own is not None:
        return own, False
    own = _factor(theirs[:1], total) if one else None
    return None if own is None else (own, True)


def _row_count_evidence(factors: dict[str, float], n: int) -> dict[str, str]:
    wrong = {name: factor for name, factor in factors.items() if abs(factor - 1) > 1e-5}
    if not wrong:
        return {}
    values = list(wrong.values())
    alike = max(values) <= min(values) * (1 + 1e-5)
    if not alike:
        told = ", ".join(f"{name} {factor:.6g} ×" for name, factor in wrong.items())
        return {NAMES[1]: f"multiples of the right gradients: {told} (the batch has {n} examples)"}
    whose = "every gradient is" if len(wrong) == len(factors) else f"{', '.join(wrong)}:"
    divisor = n / values[0]
    divided = "not divided at all" if abs(divisor - 1) < 1e-5 else f"divided by {divisor:.6g}"
    return {NAMES[1]: f"{whose} {values[0]:.6g} × the right one: a sum over {n} examples, {divided}"}


def _difference(gradients: list[Layer], unit: float, point: Point, activation: str) -> str:
    """Say for each wrong gradient how far it is from the right one."""
    passed = point.forward(activation, unit)
    _, dZ = next(_output_gradients(passed, point, unit, frozenset()))
    own = ("own",) * (len(point.layers) - 1)
    told = []
    for i, right in backward(point.layers, passed, dZ, activation, unit, own):
        for name, theirs, bounded in ("b", gradients[i].b, right.b), ("W", gradients[i].W, right.W):
            if not np.isfinite(theirs).all():
                told.append(f"d{name}{i + 1} holds NaN or infinite numbers")
            elif not agree(theirs, bounded):
                size = float(np.linalg.norm(bounded.value)) or 1.0
                percent = 100 * float(np.linalg.norm(theirs - bounded.value)) / size
                told.append(f"d{name}{i + 1} differs from the right one by {percent:.2g} %")
    return "; ".join(reversed(told))
