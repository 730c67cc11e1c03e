"""A convolution as people write it: im2col and col2im, channels first or last, with a place for each mistake."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Convolution:
    """Somebody's own: images (n, c, h, w) if ``first``, else (n, h, w, c)."""

    first: bool
    stride: int = 1
    padding: int = 0
    mistakes: frozenset[str] = field(default_factory=frozenset)

    def _first(self, X: Array) -> Array:
        return X if self.first else X.transpose(0, 3, 1, 2)

    def _theirs(self, X: Array) -> Array:
        return X if self.first else X.transpose(0, 2, 3, 1)

    def patches(self, X: Array, size: int = 3) -> Array:
        """(c·k·k, n·oh·ow): a place a column."""
        s, p = self.stride, self.padding
        padded = np.pad(self._first(X), ((0, 0), (0, 0), (p, p), (p, p)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::s, ::s]
        columns = seen if "patches" in self.mistakes else seen.transpose(1, 4, 5, 0, 2, 3)  # (c, k, k, n, oh, ow)
        n, c, oh, ow = seen.shape[:4]
        return columns.reshape(c * size * size, n * oh * ow)

    def _matrix(self, W: Array) -> Array:
        return (W if self.first else W.transpose(3, 2, 0, 1)).reshape(W.shape[0 if self.first else 3], -1)

    def _places(self, X: Array, size: int) -> tuple[int, int]:
        h, w = self._first(X).shape[2:]
        return ((h + 2 * self.padding - size) // self.stride + 1, (w + 2 * self.padding - size) // self.stride + 1)

    def forward(self, X: Array, W: Array, b: Array) -> Array:
        size = W.shape[2] if self.first else W.shape[0]
        if "turned" in self.mistakes:
            W = W[:, :, ::-1, ::-1] if self.first else W[::-1, ::-1]
        right = Convolution(self.first, self.stride, self.padding)
        if "shifted" in self.mistakes:  # all zeros above and left
            p = self.padding
            room = np.pad(self._first(X), ((0, 0), (0, 0), (2 * p, 0), (2 * p, 0)))
            return Convolution(self.first, self.stride, 0).forward(self._theirs(room), W, b)
        Z = self._matrix(W) @ right.patches(X, size) + b.reshape(-1, 1)
        return self._theirs(Z.reshape(len(Z), len(X), *self._places(X, size)).transpose(1, 0, 2, 3))

    def backward(self, X: Array, W: Array, b: Array, dZ: Array) -> tuple[Array, Array, Array]:
        size = W.shape[2] if self.first else W.shape[0]
        rows = self._first(dZ).transpose(1, 0, 2, 3).reshape(self._first(dZ).shape[1], -1)  # (filters, n·oh·ow)
        dW = rows @ Convolution(self.first, self.stride, self.padding).patches(X, size).T
        dW = dW.reshape(self._filters(W).shape)
        db = {
            "one-bias-gradient": lambda: np.array(rows.sum()),
            "bias-per-pixel": lambda: dZ.sum(axis=0),
            "mean": lambda: rows.mean(axis=1),
        }
        chosen = next((make for name, make in db.items() if name in self.mistakes), lambda: rows.sum(axis=1))
        dX = self._input_gradient(X, self._filters(W), self._first(dZ))
        if "thirds" in self.mistakes:
            dW = dW / 3
        return self._theirs(dX), dW if self.first else dW.transpose(2, 3, 1, 0), chosen()

    def _filters(self, W: Array) -> Array:
        return W if self.first else W.transpose(3, 2, 0, 1)

    def _input_gradient(self, X: Array, W: Array, dZ: Array) -> Array:
        n, c, h, w = self._first(X).shape
        s, p, size = self.stride, self.padding, W.shape[2]
        padded = np.zeros((n, c, h + 2 * p, w + 2 * p), X.dtype)
        (oh, ow) = dZ.shape[2:]
        for u, v in np.ndindex(size, size):
            at = (size - 1 - u, size - 1 - v) if "unflipped-filters" in self.mistakes else (u, v)
            share = np.einsum("nfij,fc->ncij", dZ, W[:, :, at[0], at[1]])
            padded[:, :, u : u + s * oh : s, v : v + s * ow : s] += share
        start = 0 if "wrong-padding" in self.mistakes else p
        if "uncut" in self.mistakes:
            return padded
        dX = padded[:, :, start : start + h, start : start + w]
        if "channels-folded-first" in self.mistakes:
            laid = np.ascontiguousarray(dX.transpose(0, 2, 3, 1))
            if self.first:
                return laid.reshape(n, c, h, w)
            return np.ascontiguousarray(dX).reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return dX

    def pool(self, X: Array) -> Array:
        return self._theirs(self._blocks(self._first(X)).max(axis=(3, 5)))

    def pool_backward(self, X: Array, dY: Array) -> Array:
        first = self._first(X)
        h, w = first.shape[2:]
        up = self._first(dY).repeat(2, axis=2).repeat(2, axis=3)
        whole = np.zeros_like(first)
        if "pool-gradient-to-all-places" in self.mistakes:
            whole[:, :, : h // 2 * 2, : w // 2 * 2] = up
        else:
            largest = self._first(self.pool(X)).repeat(2, axis=2).repeat(2, axis=3)
            here = first[:, :, : h // 2 * 2, : w // 2 * 2]
            whole[:, :, : h // 2 * 2, : w // 2 * 2] = np.where(here == largest, up, 0)
        return self._theirs(whole / 4 if "shared" in self.mistakes else whole)

    @staticmethod
    def _blocks(X: Array) -> Array:
        n, c, h, w = X.shape
        return X[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)

    def flatten(self, X: Array) -> Array:
        return self._first(X).reshape(len(X), -1)

    def flatten_backward(self, X: Array, dY: Array) -> Array:
        if "folded rows" in self.mistakes:
            return dY.reshape(X.shape) if not self.first else self._folded(X, dY)
        return self._theirs(dY.reshape(self._first(X).shape))

    @staticmethod
    def _folded(X: Array, dY: Array) -> Array:
        n, c, h, w = X.shape
        return dY.reshape(n, h, w, c).transpose(0, 3, 1, 2)

    def functions(self) -> dict[str, Callable[..., Any]]:
        names = ("forward", "backward", "patches", "pool", "pool_backward", "flatten", "flatten_backward")
        return {name: getattr(self, name) for name in names}
