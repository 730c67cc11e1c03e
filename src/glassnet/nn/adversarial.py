"""Adversarial examples: inputs that were moved a little, to where a network does worse."""

from math import prod

import numpy as np

from .types import Array

__all__ = ["fast_gradient"]


def fast_gradient(X: Array, dX: Array, distance: float) -> None:
    """Move each example by the same distance uphill on its loss, in place.

        X ← X + ε g / ‖g‖        g = ∂ℓ/∂x, of each example by itself

    To first order no other step of this length raises the loss as much. A network that learns such examples, found
    anew at each step, must give the same answer all around each image (adversarial training): Goodfellow, Shlens and
    Szegedy, Explaining and Harnessing Adversarial Examples, 2015. There each number moves by ±ε; here the Euclidean
    length is given, as in Miyato, Dai and Goodfellow, 2017.

    Args:
        X: (n, …).
        dX: ∂L/∂X (n, …); what the examples weigh in L cancels. An example without a gradient stays where it is.
        distance: ε, at least 0.
    """
    G = dX.reshape(len(dX), prod(dX.shape[1:]))  # (n, d)
    largest = np.abs(G).max(axis=1, initial=0, keepdims=True)
    largest[largest == 0] = 1
    G = G / largest  # whose squares are neither too small nor too large for their type
    lengths = np.sqrt(np.einsum("nd,nd->n", G, G))  # (n,), at least 1 where there is a gradient
    X += (G * (X.dtype.type(distance) / np.maximum(lengths, 1))[:, None]).reshape(X.shape)
