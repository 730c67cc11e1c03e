"""Convolution and pooling in plain loops. Read this after `glassnet.textbook`.

One image at a time, float64, and every sum written out as a loop over its indices. The fast layers in
`glassnet.nn.convolution` compute the same thing, and the tests hold them against this page.

An image X is (h, w, c): rows, columns, channels. A filter looks at a window of (kh, kw) pixels, all channels of it, and
moves s pixels (the stride) from one place to the next. Place (i, j) of the output is what it sees with its upper left
corner at pixel (i s, j s). Padding is done before: zeros around the image.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "average_pool",
    "average_pool_backward",
    "convolve",
    "convolve_backward",
    "max_pool",
    "max_pool_backward",
    "pad",
]

Array = NDArray[np.float64]


def pad(X: Array, top: int, bottom: int, left: int, right: int) -> Array:
    """Put so many rows and columns of zeros around an image."""
    h, w, c = X.shape
    padded = np.zeros((h + top + bottom, w + left + right, c))
    padded[top : top + h, left : left + w] = X
    return padded


def places(length: int, size: int, stride: int) -> int:
    """Return at how many places a window of this size stands along a side: the last one still fits."""
    return (length - size) // stride + 1


def convolve(X: Array, W: Array, b: Array, stride: int) -> Array:
    """Each filter's weighted sum of what it sees, plus its bias, at each place.

        Z[i, j, f] = b[f] + Σ over u, v, c of X[i s + u, j s + v, c] · W[u, v, c, f]

    The same W and b serve all places; that is what a convolution is.

    Args:
        X: (h, w, c).
        W: (kh, kw, c, filters).
        b: (filters,).
        stride: s.

    Returns:
        Z (oh, ow, filters).
    """
    (h, w, channels), (kh, kw, _, filters) = X.shape, W.shape
    Z = np.zeros((places(h, kh, stride), places(w, kw, stride), filters))
    for i, j, f in np.ndindex(*Z.shape):
        Z[i, j, f] = b[f]
        for u, v, c in product(range(kh), range(kw), range(channels)):
            Z[i, j, f] += X[i * stride + u, j * stride + v, c] * W[u, v, c, f]
    return Z


def convolve_backward(X: Array, W: Array, dZ: Array, stride: int) -> tuple[Array, Array, Array]:
    """The chain rule for `convolve`: each product of the sum hands dZ to both of its factors.

        dW[u, v, c, f] = Σ over i, j of X[i s + u, j s + v, c] · dZ[i, j, f]
        db[f]          = Σ over i, j of dZ[i, j, f]
        dX[y, x, c]    = Σ over i, j, u, v with i s + u = y and j s + v = x, and over f, of W[u, v, c, f] · dZ[i, j, f]

    Returns:
        dX (h, w, c), dW (kh, kw, c, filters), db (filters,).
    """
    dX, dW, db = np.zeros(X.shape), np.zeros(W.shape), np.zeros(W.shape[3])
    kh, kw, channels, _ = W.shape
    for i, j, f in np.ndindex(*dZ.shape):
        db[f] += dZ[i, j, f]
        for u, v, c in product(range(kh), range(kw), range(channels)):
            dW[u, v, c, f] += X[i * stride + u, j * stride + v, c] * dZ[i, j, f]
            dX[i * stride + u, j * stride + v, c] += W[u, v, c, f] * dZ[i, j, f]
    return dX, dW, db


def max_pool(X: Array, size: int, stride: int) -> Array:
    """Y[i, j, c], the largest of the X[i s + u, j s + v, c] for u and v from 0 to size − 1."""
    h, w, channels = X.shape
    Y = np.zeros((places(h, size, stride), places(w, size, stride), channels))
    for i, j, c in np.ndindex(*Y.shape):
        Y[i, j, c] = max(X[i * stride + u, j * stride + v, c] for u, v in product(range(size), repeat=2))
    return Y


def max_pool_backward(X: Array, dY: Array, size: int, stride: int) -> Array:
    """Hand each dY[i, j, c] to the largest number under the window, to the first where several are."""
    dX = np.zeros(X.shape)
    for i, j, c in np.ndindex(*dY.shape):
        seen = [(i * stride + u, j * stride + v) for u, v in product(range(size), repeat=2)]
        largest = max(seen, key=lambda place: X[place[0], place[1], c])  # the first one, of equals
        dX[largest[0], largest[1], c] += dY[i, j, c]
    return dX


def average_pool(X: Array, size: int, stride: int) -> Array:
    """Y[i, j, c], the mean of the X[i s + u, j s + v, c] for u and v from 0 to size − 1."""
    h, w, channels = X.shape
    Y = np.zeros((places(h, size, stride), places(w, size, stride), channels))
    for i, j, c in np.ndindex(*Y.shape):
        Y[i, j, c] = sum(X[i * stride + u, j * stride + v, c] for u, v in product(range(size), repeat=2)) / size**2
    return Y


def average_pool_backward(X: Array, dY: Array, size: int, stride: int) -> Array:
    """Hand dY[i, j, c] / size² to each number that its mean was taken of."""
    dX = np.zeros(X.shape)
    for i, j, c in np.ndindex(*dY.shape):
        for u, v in product(range(size), repeat=2):
            dX[i * stride + u, j * stride + v, c] += dY[i, j, c] / size**2
    return dX
