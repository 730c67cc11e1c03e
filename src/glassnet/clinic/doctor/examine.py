"""A doctor for other people's networks: from their functions or their numbers to the mistakes in them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ConfigError, DataError, nearest
from ...nn import ACTIVATIONS
from ...nn.types import Array
from . import checks_gradients, checks_softmax
from .case import Case, numbers, open_case, read_labels
from .checks_data import check_data, check_held_out
from .checks_weights import check_weights
from .diagnosis import Diagnosis, Report
from .equations import Softmax
from .point import own_point, trial_point

__all__ = ["examine"]


def examine(
    *,
    parameters: Sequence[ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    forward: Callable[[list[Any], Any], Any] | None = None,
    backward: Callable[[list[Any], Any, Any], Any] | None = None,
    probabilities: ArrayLike | None = None,
    gradients: Sequence[ArrayLike] | None = None,
    held_out: tuple[ArrayLike, ArrayLike] | None = None,
    activation: str = "relu",
    examples_in: str | None = None,
    trained: bool | None = None,
) -> Diagnosis:
    """Say which known mistakes are in somebody's network of affine maps, activations and softmax.

        diagnosis = examine(
            parameters=[W1, b1, W2, b2], X=X, y=y,
            forward=lambda p, X: forward_prop(*p, X)[-1],
            backward=lambda p, X, y: back_prop(*forward_prop(*p, X), p[2], X, y),
        )
        print(diagnosis)

    The functions are asked on numbers of the doctor's own, in the shapes, types and orientation of the arrays given, so
    each mistake shows whatever the batch and the weights are. With ``probabilities`` and ``gradients`` instead, what
    those numbers show is found. A few hundred examples are plenty; more cost time.

    Args:
        parameters: W1, b1, W2, b2, … as before the first step. Weights are (d_in, d_out) where examples are rows, and
            (d_out, d_in) where they are columns; biases have d_out numbers in any shape.
        X: images (n, d), or (d, n), exactly as the first layer takes them.
        y: labels 0 … k − 1 (n,), or one-hot and oriented as X; k is the width of the last layer.
        forward: from a list of parameters and images to probabilities.
        backward: from a list of parameters, images and labels to gradients in the order of the parameters.
        probabilities: instead of ``forward``: what it returns for ``parameters`` and ``X``.
        gradients: instead of ``backward``: what it returns for ``parameters``, ``X`` and ``y``.
        held_out: the images and labels on which the accuracy is measured.
        activation: of the hidden layers, one of `glassnet.nn.ACTIVATIONS`.
        examples_in: ``rows`` or ``columns``; by default as the shapes tell.
        trained: whether the parameters are trained ones, whose spread tells nothing of how they began; by default they
            are where they already classify the batch.

    Raises:
        ConfigError: an argument that cannot be used, or functions that ignore theirs.
        DataError: arrays that do not fit together, or a function that fails.
    """
    _one_of("forward", forward, "probabilities", probabilities)
    _one_of("backward", backward, "gradients", gradients)
    if all(given is None for given in (forward, backward, probabilities, gradients)):
        raise ConfigError("nothing to examine: give forward and backward, or probabilities and gradients")
    if not isinstance(parameters, list | tuple):
        raise ConfigError(
            f"parameters are a list [W1, b1, W2, b2, …], not a {type(parameters).__name__}; forward and backward are "
            "given that list too, and backward returns a list in the same order"
        )
    if activation not in ACTIVATIONS:
        raise ConfigError(f"unknown activation {activation!r}{nearest(activation, ACTIVATIONS)}")
    case = open_case(parameters, X, y, examples_in)
    others = None if held_out is None else _read_held_out(case, held_out)
    report = Report()
    check_data(report, case, others)
    check_held_out(report, case.images, others)
    check_weights(report, case, activation, trained)
    softmaxes = _probabilities(report, case, forward, probabilities, activation)
    _gradients(report, case, forward, backward, gradients, activation, softmaxes)
    return report.diagnosis()


def _one_of(one: str, first: object, other: str, second: object) -> None:
    if first is not None and second is not None:
        raise ConfigError(f"give {one} or {other}, not both")


def _probabilities(
    report: Report, case: Case, forward: Callable[..., Any] | None, probabilities: ArrayLike | None, activation: str
) -> list[Softmax]:
    if forward is not None:
        return checks_softmax.check_forward(report, case, forward, trial_point(case), activation)
    if probabilities is not None:
        P, unit = case.read_probabilities(probabilities, "you gave")
        return checks_softmax.check_probabilities(report, case, P, unit, activation)
    report.skip(checks_softmax.NAMES, "neither forward nor probabilities were given")
    return []


def _gradients(
    report: Report,
    case: Case,
    forward: Callable[..., Any] | None,
    backward: Callable[..., Any] | None,
    gradients: Sequence[ArrayLike] | None,
    activation: str,
    softmaxes: list[Softmax],
) -> None:
    if 0 < case.one_hot_width < case.classes:
        report.found("narrow-one-hot", f"y has {case.one_hot_width} columns for {case.classes} classes")
    elif backward is None:
        report.skip(["narrow-one-hot"], "backward was not given")
    if backward is not None:
        checks_gradients.check_backward(report, case, backward, forward, trial_point(case), activation, softmaxes)
    elif gradients is not None:
        read, unit = case.read_gradients(gradients, "you gave")
        if softmaxes and softmaxes[0].mistakes and not all(np.isfinite(a).all() for layer in read for a in layer):
            report.skip(checks_gradients.NAMES, "the gradients are NaN, as the probabilities are")
        else:
            checks_gradients.check_gradients(report, read, unit, own_point(case), activation, softmaxes)
    else:
        report.skip(checks_gradients.NAMES, "neither backward nor gradients were given")


def _read_held_out(case: Case, held_out: tuple[ArrayLike, ArrayLike]) -> Array:
    """Return the held-out images (m, d).

    Raises:
        DataError: they do not fit the batch.
    """
    if not isinstance(held_out, tuple | list) or len(held_out) != 2:
        raise ConfigError("held_out is a pair: (images, labels)")
    X, y = (numbers(array, "held_out", finite=True) for array in held_out)
    axis = 0 if case.columns else 1
    if X.ndim != 2 or X.shape[axis] != case.X.shape[axis] or not X.size:
        raise DataError(f"the held-out images have shape {X.shape}, which does not go with X {case.X.shape}")
    images = (X.T if case.columns else X).astype(float)
    one_hot = (case.classes, len(images)) if case.columns else (len(images), case.classes)
    if y.size != len(images) and y.shape != one_hot:
        raise DataError(f"the held-out labels have shape {y.shape} for {len(images)} images")
    read_labels(y, len(images), case.classes, case.columns, "held_out y")
    return images
