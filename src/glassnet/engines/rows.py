"""A dense network's answers by compiled code of one's own: all layers in one call, and most zeros skipped.

For one image, what an operation of NumPy costs is to begin it, and a small network has a dozen. Here all of them are
one function. And four fifths of a digit's pixels are zero, by which a product of matrices would multiply all the same.
So of each image, or of `TALL` of them at a time, the pixels that are not zero are listed, and only their weights are
multiplied.

Each sum begins with the bias and goes on from pixel to pixel. To leave zeros out changes none of its bits, so an
image's answer does not depend on which others come with it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nn import ACTIVATIONS, BatchNorm, Dense, Dropout, Flatten, Network
from ..nn.activations import Activation
from ..nn.types import Array
from .crew import MOST, Crew, shared
from .loops import compiled_rule
from .parts import bounds, inline
from .threads import available_threads
from .tiles import TALL, WIDE, multiply_listed_row, multiply_listed_tile, multiply_tile

__all__ = ["Rows"]

NONE, RELU, LEAKY_RELU, GELU, SIGMOID, TANH = range(1 + len(ACTIVATIONS))  # in the order of ACTIVATIONS
CODES = {kind: code for code, kind in enumerate(ACTIVATIONS.values(), RELU)}
BLOCK = 8 * TALL  # images that a thread takes through all layers, so that weights in its cache are used many times
FEW = TALL // 2  # images: so many are quicker one by one than as a tile's rows

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
        self.panels = np.concatenate([_panels(W, b) for W, b in affine]).astype(np.float32)
        self.crew = Crew(available_threads())

    def __call__(self, images: NDArray[np.uint8], *, probabilities: bool = False) -> Array:
        """Return the logits (n, k), or the probabilities, of images (n, h, w)."""
        n = len(images)
        Y = np.empty((n, self.sizes[-1]), np.float32)
        X = np.ascontiguousarray(images).reshape(n, self.sizes[0])
        state = self.crew.ready() if n > BLOCK else self.crew.state
        parts = min(-(-n // BLOCK), MOST)
        answer(state, parts, X, self.panels, self.sizes, self.rules, self.settings, probabilities, Y)
        return Y


def _panels(W: Array, b: Array) -> Array:
    """Return [b; W] of an affine map, flat: panels of `WIDE` columns one after another, the last filled with zeros."""
    rows = np.concatenate([b[None], W])  # (1 + d, k)
    rows = np.pad(rows, ((0, 0), (0, -W.shape[1] % WIDE)))
    return rows.reshape(len(rows), -1, WIDE).swapaxes(0, 1).ravel()


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


@shared
def answer(
    part: int, parts: int, X: Any, panels: Any, sizes: Any, rules: Any, settings: Any, probabilities: bool, Y: Any
) -> None:  # all of one type: compiled once for every network
    """Write the logits or the probabilities of each row of pixels X (n, d) to a row of Y (n, k)."""
    begin, end = bounds(part, parts, len(X))
    rows, classes = end - begin, sizes[-1]
    widest = (sizes.max() + WIDE - 1) // WIDE * WIDE
    A, Z = np.empty((rows, widest), np.float32), np.empty((rows, widest), np.float32)
    last = 0
    for layer in range(len(rules)):
        inputs, units = sizes[layer], sizes[layer + 1]
        first, last = last, last + (units + WIDE - 1) // WIDE * (1 + inputs) * WIDE
        W = panels[first:last].reshape(-1, 1 + inputs, WIDE)
        if layer == 0:
            multiply_listed(X[begin:end], W, 1 if rows <= FEW else TALL, Z)
        elif rows <= FEW:
            multiply_listed(A[:, :inputs], W, 1, Z)
        else:
            multiply(A, W, Z)
        for row in range(rows):
            activate(rules[layer], settings[layer], Z[row, :units])
        A, Z = Z, A
    for row in range(rows):
        Y[begin + row] = A[row, :classes]
        if probabilities:
            softmax(Y[begin + row])


@inline
def multiply_listed(X: Any, W: Any, tall: int, Z: Any) -> None:
    """Z ← b + X W, one row or `TALL` rows at a time, from the numbers that are not zero in all of them."""
    inputs, widest = X.shape[1], Z.shape[1]
    some, found = np.empty(inputs, np.bool_), np.empty(inputs + 1, np.int64)
    x, spare = np.empty(tall * inputs, np.float32), np.empty(TALL * WIDE, np.float32)
    for top in range(0, len(X), tall):
        height = min(tall, len(X) - top)
        some[:] = False
        for row in range(top, top + height):
            for i in range(inputs):
                some[i] |= X[row, i] != 0
        count = 0
        for i in range(inputs):  # no branch: whether a pixel is zero is hard to foresee
            found[count] = i
            count += some[i]
        count = max(count, 1)  # a tile has one at least
        for row in range(height):
            for k in range(count):
                x[row * inputs + k] = X[top + row, found[k]]
        place = 0, inputs, 1, height - 1
        for panel in range(len(W)):
            b, w, at = W[panel, 0], W[panel, 1:], (top * widest + panel * WIDE, widest, 0)
            if tall == 1:
                multiply_listed_row(x, place, found, w, count, b, Z.ravel(), at)
            elif height == TALL:
                multiply_listed_tile(x, place, found, w, count, b, Z.ravel(), at)
            else:
                multiply_listed_tile(x, place, found, w, count, b, spare, (0, WIDE, 0))
                Z[top:, panel * WIDE : (panel + 1) * WIDE] = spare.reshape(TALL, WIDE)[:height]


@inline
def multiply(A: Any, W: Any, Z: Any) -> None:
    """Z ← b + A W, panel by panel."""
    inputs, widest = W.shape[1] - 1, Z.shape[1]
    nowhere, spare = np.zeros(1, np.int64), np.empty(TALL * WIDE, np.float32)
    for panel in range(len(W)):
        w = W[panel]
        for top in range(0, len(A), TALL):
            height = min(TALL, len(A) - top)
            place = top * widest, widest, 1, height - 1
            if height == TALL:
                at = top * widest + panel * WIDE, widest, 0
                multiply_tile(A.ravel(), place, nowhere, w[1:], inputs, w[0], Z.ravel(), at)
            else:
                multiply_tile(A.ravel(), place, nowhere, w[1:], inputs, w[0], spare, (0, WIDE, 0))
                Z[top:, panel * WIDE : (panel + 1) * WIDE] = spare.reshape(TALL, WIDE)[:height]


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
