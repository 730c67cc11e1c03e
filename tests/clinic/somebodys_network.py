"""Somebody's two-layer network in plain NumPy, in the style of notebooks, with mistakes that can be put in.

Nothing here comes from glassnet: it is what the doctor is given to examine.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CLASSES = 10


@cache
def digits() -> tuple[Array, Array]:
    """1,797 images of 64 pixels from 0 to 255, shuffled, and their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(5).permutation(len(data.target))
    return np.round(data.data[order] * 255 / 16), data.target[order]


class SomebodysNetwork:
    def __init__(
        self,
        mistakes: Iterable[str] = (),
        columns: bool = True,
        hidden: int = 16,
        n: int = 300,
        mask: str = "arriving",
        dtype: Any = np.float64,
        one_hot: bool = False,
        seed: int = 0,
    ) -> None:
        self.mistakes, self.columns, self.mask, self.one_hot = set(mistakes), columns, mask, one_hot
        self.rng = np.random.default_rng(seed)
        self.make_data(n, dtype)
        self.make_parameters(64, hidden, dtype)

    # data

    def make_data(self, n: int, dtype: Any) -> None:
        X, y = digits()
        if "unscaled-pixels" not in self.mistakes:
            X = X / 255
        X_train, y_train, X_val, y_val = X[:n], y[:n], X[n : n + 200], y[n : n + 200]
        if "training-accuracy-reported" in self.mistakes:
            X_val, y_val = X_train, y_train
        if "test-images-in-training" in self.mistakes:
            X_train, y_train = np.concatenate([X_train, X_val[:40]]), np.concatenate([y_train, y_val[:40]])
        if "no-shuffling" in self.mistakes:
            order = np.argsort(y_train, kind="stable")
            X_train, y_train = X_train[order], y_train[order]
        if "labels-left-behind" in self.mistakes:
            X_train = X_train[self.rng.permutation(len(X_train))]
        self.X, self.X_val = (np.array(A.T if self.columns else A, dtype) for A in (X_train, X_val))
        self.y, self.y_val = y_train, y_val
        if self.one_hot:
            T = np.eye(CLASSES)[self.y]
            self.y = T.T if self.columns else T

    def make_parameters(self, d: int, h: int, dtype: Any) -> None:
        shapes = [(d, h), (h, CLASSES)]
        weights = [self.rng.standard_normal(shape) * np.sqrt(2 / shape[0]) for shape in shapes]
        # Each pair of mistakes in the weights gets a layer for each: one and the same layer holds one of them.
        kinds = [m for m in ("uniform-weights", "equal-weights", "ignored-fan-in") if m in self.mistakes]
        if "equal-weights" in kinds and len(kinds) == 2:
            kinds.sort(key=lambda kind: kind != "equal-weights")
        for layer in range(2) if kinds else ():
            kind = kinds[layer % len(kinds)]
            if kind == "uniform-weights":
                weights[layer] = self.rng.random(shapes[layer])
            elif kind == "equal-weights":
                weights[layer] = np.full(shapes[layer], 0.1)
            else:
                weights[layer] = self.rng.standard_normal(shapes[layer])
        biases = [np.zeros((h, 1)), np.zeros((CLASSES, 1))]
        if not self.columns:
            biases = [b.ravel() for b in biases]
        oriented = [W.T if self.columns else W for W in weights]
        self.parameters = [a.astype(dtype) for W, b in zip(oriented, biases, strict=True) for a in (W, b)]

    # forward

    def dot(self, W: Array, A: Array) -> Array:
        return W.dot(A) if self.columns else A.dot(W)

    def softmax(self, Z: Array) -> Array:
        axis = 0 if self.columns else 1
        if "softmax-wrong-axis" in self.mistakes:
            axis = 1 - axis
        if "softmax-global-maximum" in self.mistakes:
            Z = Z - Z.max()
        elif "softmax-without-maximum" not in self.mistakes:
            Z = Z - Z.max(axis=axis, keepdims=True)
        return np.exp(Z) / np.exp(Z).sum(axis=axis, keepdims=True)

    def forward_prop(self, W1: Array, b1: Array, W2: Array, b2: Array, X: Array) -> tuple[Array, ...]:
        Z1 = self.dot(W1, X) + b1
        A1 = np.maximum(Z1, 0)
        Z2 = self.dot(W2, A1) + b2
        return Z1, A1, Z2, self.softmax(Z2)

    # backward

    def one_hot_of(self, y: Array) -> Array:
        if self.one_hot and "narrow-one-hot" not in self.mistakes:
            return y
        if self.one_hot:
            y = y.argmax(axis=0 if self.columns else 1)
        width = y.max() + 1 if "narrow-one-hot" in self.mistakes else CLASSES
        T = np.zeros((y.size, width))
        T[np.arange(y.size), y] = 1
        return T.T if self.columns else T

    def back_prop(self, Z1: Array, A1: Array, Z2: Array, A2: Array, W2: Array, X: Array, y: Array) -> list[Array]:
        examples = 1 if self.columns else 0
        m = A2.shape[examples]
        if "wrong-row-count" in self.mistakes:
            m = 2 * m + 7
        dZ2 = (A2 - self.one_hot_of(y)).astype(A2.dtype)
        if "times-p-one-minus-p" in self.mistakes:
            dZ2 = dZ2 * A2 * (1 - A2)
        dA1 = W2.T.dot(dZ2) if self.columns else dZ2.dot(W2.T)
        M = Z1
        if "relu-derivative-of-wrong-array" in self.mistakes:
            M = {"arriving": dA1, "nothing": np.ones_like(Z1), "above": Z2, "above-gradient": dZ2}[self.mask]
        dZ1 = dA1 * (M > 0)
        dW2, dW1 = (dZ2.dot(A1.T), dZ1.dot(X.T)) if self.columns else (A1.T.dot(dZ2), X.T.dot(dZ1))
        if "one-bias-gradient" in self.mistakes:
            db2, db1 = np.sum(dZ2), np.sum(dZ1)
        else:
            db2, db1 = (np.sum(dZ, axis=examples, keepdims=self.columns) for dZ in (dZ2, dZ1))
        return [g / m for g in (dW1, db1, dW2, db2)]

    # what the doctor is given

    def forward(self, p: list[Array], X: Array) -> Array:
        return self.forward_prop(*p, X)[-1]

    def backward(self, p: list[Array], X: Array, y: Array) -> list[Array]:
        return self.back_prop(*self.forward_prop(*p, X), p[2], X, y)

    def data(self) -> dict[str, Any]:
        return {"parameters": self.parameters, "X": self.X, "y": self.y, "held_out": (self.X_val, self.y_val)}

    def functions(self) -> dict[str, Any]:
        return self.data() | {"forward": self.forward, "backward": self.backward}

    def arrays(self) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            P, G = self.forward(self.parameters, self.X), self.backward(self.parameters, self.X, self.y)
        return self.data() | {"probabilities": P, "gradients": G}
