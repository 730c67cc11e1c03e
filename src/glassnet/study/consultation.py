"""A network of ours before the doctor: by its functions and some of its images, as anybody would bring their own."""

import math
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray

from ..clinic import examine
from ..nn import Pass
from ..nn.types import Array
from ..training import RunUnderWay

__all__ = ["ask_doctor"]

SHOWN = 600  # images that the doctor sees


def ask_doctor(run: RunUnderWay) -> tuple[tuple[str, str], ...]:
    """Return name and evidence of each thing that the doctor finds in a run's network as it is now."""
    twin, loss = deepcopy(run.network), run.loss
    p = Pass(twin, gradients=twin.gradients)

    def outputs(parameters: list[Array], X: Array) -> Array:
        for ours, given in zip(twin.named_parameters.values(), parameters, strict=True):
            ours[...] = given
        return twin.forward(X, p)

    def forward(parameters: list[Array], X: Array) -> Array:
        return loss.probabilities(outputs(parameters, X))

    def backward(parameters: list[Array], X: Array, y: NDArray[np.int64]) -> list[Array]:
        twin.backward(loss(outputs(parameters, X), y).gradient, p)
        return [gradient.copy() for gradient in twin.named_gradients.values()]

    count = len(run.batches.labels)
    some = np.arange(0, count, math.ceil(count / SHOWN))
    if run.config.shuffle:
        some = np.random.default_rng(run.config.seed).permutation(some)
    held_out, inputs = run.validation, run.model.inputs
    few = slice(None, None, math.ceil(len(held_out) / SHOWN) or 1)
    diagnosis = examine(
        parameters=[array.copy() for array in twin.named_parameters.values()],
        X=inputs(run.batches.examples.images_at(some)),
        y=run.batches.labels[some],
        forward=forward,
        backward=backward,
        held_out=(inputs(held_out.images[few]), held_out.labels[few]) if len(held_out) else None,
        activation=run.config.activation[0],
        trained=False,
    )
    return tuple((finding.name, finding.evidence) for finding in diagnosis)
