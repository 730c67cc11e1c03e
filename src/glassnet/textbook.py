"""A multilayer perceptron in plain equations. Read this first.

No classes, no reused memory, no cleverness, float64. The fast engine in `glassnet.nn` computes the same thing, and the
tests hold it against this page, step by step.

A network with L layers has weights W₁ … W_L and biases b₁ … b_L. Rows are examples: X is (n, d₀), one image a row, and
layer l maps d₍ₗ₋₁₎ numbers to dₗ. (Many texts, and the notebooks this project began with, put examples in columns; then
every matrix here is transposed and Z = W X + b.) f is the activation of the hidden layers.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "Activation", "backward", "cross_entropy", "forward", "gradient_descent_step", "softmax"]

Array = NDArray[np.float64]
Parameters = list[tuple[Array, Array]]  # (Wₗ, bₗ) for l = 1 … L


class Activation(NamedTuple):
    """A function of one number, and its derivative."""

    f: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


def sigmoid(Z: Array) -> Array:
    """σ(z) = 1 / (1 + e⁻ᶻ), between 0 and 1."""
    return 1 / (1 + np.exp(-Z))


ACTIVATIONS = {
    "relu": Activation(lambda Z: np.where(Z > 0, Z, 0.0), lambda Z: np.where(Z > 0, 1.0, 0.0)),
    "sigmoid": Activation(sigmoid, lambda Z: sigmoid(Z) * (1 - sigmoid(Z))),
}


def softmax(Z: Array) -> Array:
    """Turn each row of scores into probabilities that sum to 1: exp(z) / Σ exp(z).

    Taking the row's largest score off first changes nothing, since e⁻ᵐ cancels, and keeps exp from overflowing.
    """
    E: Array = np.exp(Z - Z.max(axis=1, keepdims=True))
    P: Array = E / E.sum(axis=1, keepdims=True)
    return P


def forward(parameters: Parameters, X: Array, f: Activation) -> tuple[list[Array], list[Array], Array]:
    """Go up through the layers.

        A₀ = X        Zₗ = Aₗ₋₁ Wₗ + bₗ        Aₗ = f(Zₗ) for l < L        P = softmax(Z_L)

    Returns:
        A₀ … A₍L₋₁₎, then Z₁ … Z_L, then the probabilities P (n, d_L).
    """
    A, Z = [X], []
    for W, b in parameters:
        Z.append(A[-1] @ W + b)
        A.append(f.f(Z[-1]))
    return A[:-1], Z, softmax(Z[-1])


def cross_entropy(P: Array, y: NDArray[np.integer]) -> float:
    """The mean over the batch of −log p of the true class: 0 when sure and right, ln k for a guess among k classes."""
    return float(np.mean(-np.log(P[np.arange(len(y)), y])))


def backward(
    parameters: Parameters, A: list[Array], Z: list[Array], P: Array, y: NDArray[np.integer], f: Activation
) -> Parameters:
    """Come back down by the chain rule. T holds the truth, one 1 a row; n is the number of rows.

        dZ_L = (P − T) / n
        dWₗ = Aₗ₋₁ᵀ dZₗ        dbₗ = Σₙ dZₗ        dAₗ₋₁ = dZₗ Wₗᵀ        dZₗ₋₁ = dAₗ₋₁ ⊙ f′(Zₗ₋₁)

    Returns:
        (dWₗ, dbₗ) for l = 1 … L.
    """
    n, k = P.shape
    T = np.eye(k)[y]
    dZ = (P - T) / n
    gradients: Parameters = []
    for layer in reversed(range(len(parameters))):
        gradients.insert(0, (A[layer].T @ dZ, dZ.sum(axis=0)))
        if layer > 0:
            dA = dZ @ parameters[layer][0].T
            dZ = dA * f.derivative(Z[layer - 1])
    return gradients


def gradient_descent_step(
    parameters: Parameters, X: Array, y: NDArray[np.integer], f: Activation, learning_rate: float
) -> tuple[Parameters, float]:
    """Move every parameter a little against its gradient: W ← W − η dW, b ← b − η db.

    Returns:
        The new parameters, and the loss before the step.
    """
    A, Z, P = forward(parameters, X, f)
    gradients = backward(parameters, A, Z, P, y, f)
    moved = [
        (W - learning_rate * dW, b - learning_rate * db) for (W, b), (dW, db) in zip(parameters, gradients, strict=True)
    ]
    return moved, cross_entropy(P, y)
