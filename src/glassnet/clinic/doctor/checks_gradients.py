"""Which mistakes turn the right gradient into somebody's own?

The right gradient is computed with every small set of known mistakes in it, and the smallest set that gives the
person's numbers to rounding is the diagnosis.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError
from .case import Case
from .comparison import Match, agree, match, one_bias_evidence, row_count_evidence
from .diagnosis import Report
from .differences import differing
from .equations import SOFTMAXES, Bounded, ForwardPass, Layer, LayerGradient, Softmax, backward, layer_gradient
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
    # Fewer mistakes are likelier than more, and among equals those that need no number fitted.
    explanations = sorted(
        _explanations(gradients, unit, point, activation, softmaxes),
        key=lambda evidence: (len(evidence), "wrong-row-count" in evidence),
    )
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
    explanations = _explanations(gradients, unit, fewer, activation, softmaxes)
    if not unexplained and next(explanations, None) is None:
        report.found("narrow-one-hot", f"the gradients are right, but for labels that lack class {k - 1}")


def _ignores_parameters(case: Case, function: Callable[..., Any], gradients: list[Layer], point: Point) -> bool:
    others, _ = case.gradients_of(function, own_point(case).layers, point.X, point.labels)
    pairs = zip(gradients, others, strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for one, other in pairs for a, b in zip(one, other, strict=True))


def _explanations(
    gradients: list[Layer], unit: float, point: Point, activation: str, softmaxes: Sequence[Softmax]
) -> Iterator[dict[str, str]]:
    """Yield each set of mistakes that gives these gradients, with the evidence of each mistake."""
    passed = point.forward(activation, unit)
    known = softmaxes[0].mistakes if softmaxes else frozenset()
    for output, dZ in _output_gradients(passed, point, unit, known):
        last = layer_gradient(passed.A[-1], dZ, unit)
        if match(gradients[-1], last, point.layers[-1].W) is None:
            continue  # whatever happens in the layers below
        for masks in _mask_choices(point.layers, activation):
            walked = backward(point.layers, passed, dZ, activation, unit, masks)
            matches = _matches(gradients, point.layers, walked)
            if matches:
                told = {NAMES[0]: one_bias_evidence(matches), NAMES[1]: row_count_evidence(matches, len(point.X))}
                scaling = {name: evidence for name, evidence in told.items() if evidence}
                yield output | _mask_evidence(masks) | scaling


def _matches(
    gradients: list[Layer], layers: Sequence[Layer], right: Iterator[tuple[int, LayerGradient]]
) -> list[Match]:
    """Match all layers, from the last one down; return nothing where one does not match."""
    matches: list[Match] = []
    for i, gradient in right:
        matched = match(gradients[i], gradient, layers[i].W)
        if matched is None:
            return []
        matches.insert(0, matched)
    return matches


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
    if mask == "below":
        return width == len(layers[i].W)
    return width == len(layers[i + 1].b) or not mask.startswith("above")


def _mask_evidence(masks: tuple[str, ...]) -> dict[str, str]:
    wrong = [f"in layer {i + 1} it comes from {MASKS[mask]}" for i, mask in enumerate(masks) if mask != "own"]
    return {NAMES[3]: "; ".join(wrong)} if wrong else {}


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
