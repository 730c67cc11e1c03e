"""A dense network's answers in one call of compiled code, one image after another.

For one image, what an operation of NumPy costs is to begin it, and a small network has a dozen. Here all of them are
one function, and it skips what is zero: four fifths of a digit's pixels are, and about half of what a layer of ReLUs
gives. A product of matrices would multiply by them all.

An image's answer does not depend on which others come with it, to the last bit.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..nn import ACTIVATIONS, BatchNorm, Dense, Dropout, Flatten, Network
from ..nn.activations import Activation
from ..nn.types import Array
from .kept import keep
from .loops import compiled_rule
from .parts import inline

__all__ = ["Rows"]

NONE, RELU, LEAKY_RELU, GELU, SIGMOID, TANH = range(1 + len(ACTIVATIONS))  # in the order of ACTIVATIONS
CODES = {kind: code for code, kind in enumerate(ACTIVATIONS.values(), RELU)}

relu, leaky_relu, gelu, sigmoid, tanh = (
    compiled_rule(kind.rule, np.dtype(np.float32)) for kind in ACTIVATIONS.values()
)


class Rows:
    """What a network of dense layers answers to images.

    Batch normalisation that follows an affine map is one itself when predicting, and the scaling of pixels that comes
    before it, too, so both become part of it:

        γ (X W + b − μ) / √(v + ε) + β = X W′ + b′        W′ = W γ / √(v + ε)        b′ = β + γ (b − μ) / √(v + ε)

    So the parameters are copied: training that goes on is not noticed.

    Args:
        network: of `Dense`, `BatchNorm`, activations, `Dropout` and `Flatten`, in float32.
        scale: of ``input = pixel · scale + shift``.
        shift: of the same.

    Raises:
        ValueError: another layer, or one where it cannot be made part of an affine map; the message names it.
    """

    def __init__(self, network: Network, scale: float, shift: float) -> None:
        if network.dtype != np.float32:
            raise ValueError(f"numbers of type {network.dtype}; compiled code predicts in float32")
        affine, activations = _affine_maps(network)
        W, b = affine[0]
        affine[0] = scale * W, b + shift * W.sum(axis=0)
        self.sizes = np.array([len(W) for W, _ in affine] + [affine[-1][0].shape[1]])
        self.rules = np.array([code for code, _ in activations])
        self.settings = np.array([setting for _, setting in activations], np.float32)
        self.parameters = np.concatenate([part.ravel() for pair in affine for part in pair]).astype(np.float32)

    def __call__(self, images: NDArray[np.uint8], *, probabilities: bool = False) -> Array:
        """Return the logits (n, k), or the probabilities, of images (n, h, w)."""
        n = len(images)
        Y = np.empty((n, self.sizes[-1]), np.float32)
        X = np.ascontiguousarray(images).reshape(n, self.sizes[0])
        answer(X, self.parameters, self.sizes, self.rules, self.settings, probabilities, Y)
        return Y


def _affine_maps(network: Network) -> tuple[list[tuple[Array, Array]], list[tuple[int, float]]]:
    """Return (W, b) of each affine map in float64, and after each an activation's code and setting."""
    affine: list[tuple[Array, Array]] = []
    activations: list[tuple[int, float]] = []
    for layer in network.layers:
        if isinstance(layer, Dense):
            affine.append((layer.W.astype(np.float64), layer.b.astype(np.float64)))
            activations.append((NONE, 0.0))
        elif isinstance(layer, BatchNorm) and affine and activations[-1][0] == NONE:
            (W, b), variance = affine[-1], layer.running_variance.astype(np.float64)
            factor = layer.gamma / np.sqrt(variance + layer.epsilon)
            affine[-1] = W * factor, layer.beta + (b - layer.running_mean) * factor
        elif isinstance(layer, Activation) and affine and activations[-1][0] == NONE:
            activations[-1] = CODES[type(layer)], (*layer.settings(), 0.0)[0]
        elif not isinstance(layer, Dropout | Flatten):
            raise ValueError(f"{type(layer).__name__} in such a place; compiled code predicts with dense layers")
    if not affine:
        raise ValueError("no dense layer")
    return affine, activations


@keep
def answer(
    X: Any, parameters: Any, sizes: Any, rules: Any, settings: Any, probabilities: bool, Y: Any
) -> None:  # all of one type: compiled once for every network
    """Write the logits or the probabilities of each row of pixels X (n, d) to a row of Y (n, k)."""
    widest = sizes.max()
    A, Z, found = np.empty(widest, np.float32), np.empty(widest, np.float32), np.empty(widest, np.int64)
    layers = len(sizes) - 1
    for row in range(len(X)):
        for i in range(sizes[0]):
            A[i] = X[row, i]
        at = 0
        for layer in range(layers):
            inputs, units = sizes[layer], sizes[layer + 1]
            W, b = parameters[at : at + inputs * units].reshape(inputs, units), at + inputs * units
            at = b + units
            Z[:units] = parameters[b:at]
            add_rows(A[:inputs], W, found, Z[:units])
            activate(rules[layer], settings[layer], Z[:units])
            A, Z = Z, A
        Y[row] = A[: sizes[layers]]
        if probabilities:
            softmax(Y[row])


@njit(error_model="numpy")
def add_rows(x: Any, W: Any, found: Any, z: Any) -> None:
    """z ← z + x W, eight rows of W at a time, without those that would be multiplied by zero."""
    count = 0
    for i in range(len(x)):  # no branch: whether a pixel is zero is hard to foresee
        found[count] = i
        count += x[i] != 0
    at = 0
    while at + 8 <= count:
        a, b, c, d, e, f, g, h = found[at : at + 8]
        xa, xb, xc, xd, xe, xf, xg, xh = x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h]
        for j in range(len(z)):
            low = (xa * W[a, j] + xb * W[b, j]) + (xc * W[c, j] + xd * W[d, j])
            high = (xe * W[e, j] + xf * W[f, j]) + (xg * W[g, j] + xh * W[h, j])
            z[j] += low + high
        at += 8
    for i in found[at:count]:
        for j in range(len(z)):
            z[j] += x[i] * W[i, j]


@inline
def activate(rule: int, setting: Any, z: Any) -> None:
    """z ← f(z)."""
    if rule == RELU:
        for j in range(len(z)):
            z[j] = relu(z[j])
    elif rule == LEAKY_RELU:
        for j in range(len(z)):
            z[j] = leaky_relu(z[j], setting)
    elif rule == GELU:
        for j in range(len(z)):
            z[j] = gelu(z[j])
    elif rule == SIGMOID:
        for j in range(len(z)):
            z[j] = sigmoid(z[j])
    elif rule == TANH:
        for j in range(len(z)):
            z[j] = tanh(z[j])


@inline
def softmax(z: Any) -> None:
    """z ← exp(z − max z) / Σ exp(z − max z)."""
    largest = z.max()
    total = np.float32(0)
    for j in range(len(z)):
        z[j] = np.exp(z[j] - largest)
        total += z[j]
    for j in range(len(z)):
        z[j] /= total
