"""Which softmax do somebody's probabilities come from?"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, DataError
from ...nn import ACTIVATIONS
from .case import Case
from .comparison import agree
from .diagnosis import Report
from .equations import SOFTMAXES, Bounded, Softmax, affine
from .point import Point, one_class_below, one_example_below, own_point, raised

__all__ = ["NAMES", "check_forward", "check_probabilities"]

NAMES = ("softmax-wrong-axis", "softmax-without-maximum", "softmax-global-maximum")
OVERFLOWS = NAMES[1:]

Probabilities = NDArray[Any]


def _consistent(softmaxes: list[Softmax], logits: Bounded, P: Probabilities, unit: float) -> list[Softmax]:
    """Keep the ways of writing softmax that give P; they are tried in P's precision, which says where exp overflows."""
    there = Bounded(logits.value.astype(P.dtype), logits.error)
    return [softmax for softmax in softmaxes if agree(P, softmax(there, unit))]


def check_probabilities(report: Report, case: Case, P: Probabilities, unit: float, activation: str) -> list[Softmax]:
    """Look at the probabilities of the person's own batch; return the ways of writing softmax that give them."""
    point = own_point(case)
    softmaxes = _consistent(list(SOFTMAXES), point.forward(activation, unit).Z[-1], P, unit)
    if not softmaxes:
        _unexplained(report, point, P, unit, activation)
        return []
    for name in sorted(softmaxes[0].mistakes):
        report.found(name, _axis_evidence(P) if name == NAMES[0] else f"{_not_finite(P)} on the batch given")
    if np.isfinite(P).all():
        report.skip(OVERFLOWS, "no logit of this batch is large enough to tell; give forward")
    return softmaxes


def check_forward(
    report: Report, case: Case, function: Callable[..., Any], point: Point, activation: str
) -> list[Softmax]:
    """Ask the person's forward at a trial point, then with logits that are large, or far apart."""
    P, unit = case.probabilities_of(function, point.layers, point.X)
    passed = point.forward(activation, unit)
    softmaxes = _consistent(list(SOFTMAXES), passed.Z[-1], P, unit)
    if not softmaxes:
        if np.array_equal(P, case.probabilities_of(function, case.layers, case.images)[0], equal_nan=True):
            raise ConfigError(
                "forward returns the same whatever it is given; it has to use its arguments: "
                "lambda parameters, X: forward_prop(*parameters, X)[-1]"
            )
        _unexplained(report, point, P, unit, activation)
        return []
    if softmaxes[0].axis == 0:
        report.found(NAMES[0], _axis_evidence(P))
    evidence = {}
    for wording, probe in _probes(point, passed.A[-1]):
        logits = affine(passed.A[-1], probe.layers[-1], unit)
        try:
            P, unit = case.probabilities_of(function, probe.layers, probe.X)
            softmaxes = _consistent(softmaxes, logits, P, unit)
            seen = _not_finite(P)
        except DataError as error:  # somebody's own check for NaN, say
            softmaxes = [s for s in softmaxes if np.isnan(s(logits, unit).value).any()]
            seen = str(error)
        evidence[wording] = f"{seen} {wording}"
        if not softmaxes:
            report.found("unexplained-probabilities", evidence[wording])
            report.skip(OVERFLOWS, "the probabilities are unexplained")
            return []
    for name in softmaxes[0].mistakes - {NAMES[0]}:
        own, _ = case.probabilities_of(function, case.layers, case.images)
        shown = [text for text in evidence.values() if not text.startswith("0 of")]
        report.found(name, f"{'; '.join(shown)}; {_not_finite(own)} on the batch given")
    others = (name for softmax in softmaxes for name in softmax.mistakes)
    report.skip(others, "with so few examples, the probabilities are the same with and without it")
    return softmaxes


def _probes(point: Point, hidden: Bounded) -> Iterator[tuple[str, Point]]:
    yield "where all logits are near 3000", raised(point)
    if len(point.X) > 1:
        yield "where one example's logits are 3000 below another's", one_example_below(point, hidden)
    yield "where one class's logits are 3000 below the others", one_class_below(point)


def _unexplained(report: Report, point: Point, P: Probabilities, unit: float, activation: str) -> None:
    for other in ACTIVATIONS:
        if other != activation and _consistent(list(SOFTMAXES), point.forward(other, unit).Z[-1], P, unit):
            raise ConfigError(f"the probabilities are those of a network with {other}; pass activation={other!r}")
    right = SOFTMAXES[0](point.forward(activation, unit).Z[-1], unit).value
    difference = f"they differ from the right ones by up to {np.nanmax(np.abs(P - right), initial=0):.2g}"
    report.found("unexplained-probabilities", difference if np.isfinite(P).all() else _not_finite(P))
    report.skip(NAMES, "the probabilities are unexplained")


def _axis_evidence(P: Probabilities) -> str:
    sums = P.sum(axis=1)
    return (
        f"the probabilities of one example add up to between {np.nanmin(sums):.3g} and {np.nanmax(sums):.3g}, "
        f"those of one class over the {len(P)} examples to 1"
    )


def _not_finite(P: Probabilities) -> str:
    return f"{np.count_nonzero(~np.isfinite(P))} of {P.size} probabilities are NaN"
