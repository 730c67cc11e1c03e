"""The equations of the five notebooks as they stand in them, mistakes and all: what their recipes are held against.

Examples are columns here, as there. Nothing is made quicker or safer than it was: whole-number pixels stay whole
numbers, exp is computed twice, arrays are made anew at each step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Layers = list[tuple[Array, Array]]  # (W, b) of each layer, W (units, inputs), b (units, 1)


def stable_softmax(Z: Array) -> Array:
    """Notebook 000: each column's maximum is taken off."""
    E = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    return E / np.sum(E, axis=0, keepdims=True)


def plain_softmax(Z: Array) -> Array:
    """Notebooks 001 and 003."""
    return np.exp(Z) / sum(np.exp(Z))


def shallow_step(layers: Layers, X: Array, y: Array, alpha: float, softmax: Callable[[Array], Array], m: int) -> Layers:
    """Notebooks 000, 001 and 003: one step on all of X (784, n), with gradients divided by ``m``."""
    (W1, b1), (W2, b2) = layers
    Z1 = W1.dot(X) + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2.dot(A1) + b2
    A2 = softmax(Z2)
    T = np.zeros((y.max() + 1, y.size))
    T[y, np.arange(y.size)] = 1
    d2 = A2 - T
    d1 = W2.T.dot(d2) * (Z1 > 0)
    moved: Layers = []
    for (W, b), d, A in ((layers[0], d1, X), (layers[1], d2, A1)):
        moved.append((W - alpha * (1 / m * d.dot(A.T)), b - alpha * (1 / m * np.sum(d))))
    return moved


def deep_step(layers: Layers, X: Array, T: Array, alpha: float) -> Layers:
    """Notebook 002: one step on all of X (784, n), one-hot T (10, n), through any number of layers."""
    A = [X]
    for i, (W, b) in enumerate(layers):
        Z = np.dot(W, A[-1]) + b
        if i + 1 < len(layers):
            A.append(np.maximum(Z, 0))
        else:
            shifted = Z - np.max(Z, axis=0, keepdims=True)
            A.append(np.exp(shifted) / np.sum(np.exp(shifted), axis=0, keepdims=True))
    n = T.shape[1]
    dZ = A[-1] - T
    moved: Layers = []
    for i in reversed(range(len(layers))):
        W, b = layers[i]
        dW, db = 1 / n * np.dot(dZ, A[i].T), 1 / n * np.sum(dZ, axis=1, keepdims=True)
        if i:
            dZ = np.dot(W.T, dZ) * (A[i] > 0)
        moved.insert(0, (W - alpha * dW, b - alpha * db))
    return moved


def sigmoid(Z: Array) -> Array:
    return 1 / (1 + np.exp(-Z))


def softmax_of_one(Z: Array) -> Array:
    """Notebook 004: the maximum of the whole array is taken off, which is right for one column."""
    E = np.exp(Z - Z.max())
    return E / np.sum(E)


def example_step(layers: Layers, x: Array, t: Array, alpha: float) -> None:
    """Notebook 004: one step on one example x (784, 1), one-hot t (10, 1); the arrays are changed in place."""
    (W1, b1), (W2, b2), (W3, b3) = layers
    z1 = np.dot(W1, x) + b1
    a1 = sigmoid(z1)
    z2 = np.dot(W2, a1) + b2
    a2 = sigmoid(z2)
    z3 = np.dot(W3, a2) + b3
    p, again = softmax_of_one(z3), softmax_of_one(z3)
    d3 = (p - t) * (again * (1 - again))
    s2, s1 = sigmoid(z2), sigmoid(z1)
    d2 = np.dot(W3.T, d3) * (s2 * (1 - s2))
    d1 = np.dot(W2.T, d2) * (s1 * (1 - s1))
    g3, g2, g1 = np.dot(d3, a2.T), np.dot(d2, a1.T), np.dot(d1, x.T)
    W3 -= alpha * g3
    W2 -= alpha * g2
    W1 -= alpha * g1
    b3 -= alpha * d3
    b2 -= alpha * d2
    b1 -= alpha * d1
