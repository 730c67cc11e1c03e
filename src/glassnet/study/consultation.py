"""A network of ours before the doctor: by its functions and some of its images, as anybody would bring their own."""

import math
from copy import copy

import numpy as np
from numpy.typing import NDArray

from ..clinic import examine
from ..nn.types import Array
from ..training import RunUnderWay

__all__ = ["ask_doctor"]

SHOWN = 600  # images that the doctor sees


def ask_doctor(run: RunUnderWay) -> tuple[tuple[str, str], ...]:
    """Return name and evidence of each thing that the doctor finds in a run's network as it is now."""
    twin, loss, k = run.network.replica(), copy(run.loss), len(run.model.classes)

    def forward(parameters: list[Array], X: Array) -> Array:
        for ours, given in zip(twin.named_parameters.values(), parameters, strict=True):
            ours[...] = given
        loss.forward(twin.forward(X), np.full(len(X), k - 1))
        return loss.P.T

    def backward(parameters: list[Array], X: Array, y: NDArray[np.int64]) -> list[Array]:
        forward(parameters, X)
        loss.forward(twin.forward(X), y)
        twin.backward(loss.backward())
        return [gradient.copy() for gradient in twin.named_gradients.values()]

    count = len(run.batches.labels)
    some = np.arange(0, count, math.ceil(count / SHOWN))
    if run.config.shuffle:
        some = np.random.default_rng(run.config.seed).permutation(some)
    held_out, apply = run.validation, run.model.preprocessing.apply
    few = slice(None, None, math.ceil(len(held_out) / SHOWN) or 1)
    diagnosis = examine(
        parameters=[array.copy() for array in twin.named_parameters.values()],
        X=apply(run.batches.examples.images_at(some)),
        y=run.batches.labels[some],
        forward=forward,
        backward=backward,
        held_out=(apply(held_out.images[few]), held_out.labels[few]) if len(held_out) else None,
        activation=run.config.activation[0],
        trained=False,
    )
    return tuple((finding.name, finding.evidence) for finding in diagnosis)
