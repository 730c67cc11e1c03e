"""A network of ours before the doctor: by its functions and some of its images, as anybody would bring their own."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clinic import examine, examine_convolution
from ..clinic.mistakes.gradient_mistakes import settings_of
from ..nn import Bias, Conv2D, Flatten, Layer, MaxPool2D, Network, Pass
from ..nn.types import Array
from ..training import RunUnderWay

__all__ = ["ask_doctor"]

SHOWN = 600  # images that the doctor sees


def ask_doctor(run: RunUnderWay) -> tuple[tuple[str, str], ...]:
    """Return name and evidence of each thing that the doctor finds in a run's network as it is now."""
    if any(isinstance(layer, Conv2D) for layer in run.network.layers):
        return _ask_of_convolutions(run.network)
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


def _ask_of_convolutions(network: Network) -> tuple[tuple[str, str], ...]:
    """Return what the doctor finds in each convolution, with the pool and the reshape that the network has."""
    found: dict[str, str] = {}
    around: dict[str, Any] = {}
    for layer in network.layers:
        if isinstance(layer, MaxPool2D):
            around["pool"], around["pool_backward"] = _functions([layer])
            around |= {"pool_size": layer.size, "pool_stride": layer.stride}
        elif isinstance(layer, Flatten):
            around["flatten"], around["flatten_backward"] = _functions([layer])
    shape = network.input_shape
    for number, layer in enumerate(network.layers):
        if isinstance(layer, Conv2D):
            biases = [other for other in network.layers[number + 1 : number + 2] if isinstance(other, Bias)]
            forward, backward = _functions([layer, *biases])
            diagnosis = examine_convolution(
                X=np.zeros((4, *shape), network.dtype),
                W=layer.W,
                b=(biases[0] if biases else layer).b,
                forward=forward,
                backward=backward,
                stride=layer.stride,
                padding=layer.padding,
                channels="last",
                **around,
            )
            found |= {finding.name: finding.evidence for finding in diagnosis if finding.name not in found}
        shape = layer.output_shape(shape)
    return tuple(found.items())


def _functions(layers: Sequence[Layer]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return forward and backward of layers, which take images, W of the first layer and b of the last, and dY."""

    def passed(X: Array, parameters: Sequence[Array]) -> tuple[Network, Pass, Array]:
        network = Network([type(layer)(**settings_of(layer)) for layer in layers], X.shape[1:], dtype=X.dtype)
        if parameters:
            W, *_, b = network.named_parameters.values()
            W[...], b[...] = parameters
        p = Pass(network, training=True, gradients=network.gradients)
        return network, p, network.forward(X, p)

    def forward(X: Array, *parameters: Array) -> Array:
        return passed(X, parameters)[2]

    def backward(X: Array, *given: Array) -> Any:
        *parameters, dY = given
        network, p, _ = passed(X, parameters)
        for layer, own in zip(reversed(network.layers), reversed(p.layers), strict=True):
            dY = layer.backward(dY, own)
        if not parameters:
            return dY
        dW, *_, db = network.named_gradients.values()
        return dY, dW, db

    return forward, backward
