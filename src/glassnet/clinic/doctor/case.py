"""Somebody else's arrays and functions, brought into one form, and ours brought into theirs.

Inside, rows are examples, weights are (d_in, d_out), biases (d_out,), labels whole numbers and everything float64. What
is handed to their functions has the shapes, types and orientation of what they gave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ConfigError, DataError
from ...nn.types import Array
from .equations import Layer

__all__ = ["Case", "Labels", "numbers", "open_case", "read_labels"]

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One network with its batch.

    Attributes:
        columns: whether their examples are columns, and so their weights (d_out, d_in).
        parameters: theirs, as given.
        X: theirs, as given.
        y: theirs, as given.
        layers: W (d_in, d_out) and b (d_out,), float64.
        images: (n, d), float64.
        labels: (n,), whole numbers.
        one_hot_width: of their labels, or 0 where these are whole numbers.
    """

    columns: bool
    parameters: list[NDArray[Any]]
    X: NDArray[Any]
    y: NDArray[Any]
    layers: list[Layer]
    images: Array
    labels: Labels
    one_hot_width: int

    @property
    def classes(self) -> int:
        """The number of classes, which is the width of the last layer."""
        return len(self.layers[-1].b)

    def unit(self, *results: NDArray[Any]) -> float:
        """Return the spacing at 1 of the coarsest floating-point numbers that take part."""
        arrays = [*self.parameters, self.X, *results]
        units = (float(np.finfo(a.dtype).eps) for a in arrays if np.issubdtype(a.dtype, np.floating))
        return max(units, default=float(np.finfo(np.float64).eps))

    def theirs(self, array: Array, like: NDArray[Any]) -> NDArray[Any]:
        """Return ``array`` in their orientation, and in the shape and type of ``like``."""
        turned = array.T if self.columns else array
        kind = like.dtype if np.issubdtype(like.dtype, np.floating) else np.float64
        return np.array(turned.reshape(like.shape), kind)  # a copy: their code may write into it

    def their_labels(self, labels: Labels) -> NDArray[Any]:
        """Return labels in the form of theirs."""
        if not self.one_hot_width:
            return labels.reshape(self.y.shape).astype(self.y.dtype)
        one_hot = np.eye(self.classes)[labels]
        return np.array(one_hot.T if self.columns else one_hot, self.y.dtype, order="C")

    def probabilities_of(
        self, forward: Callable[..., Any], layers: Sequence[Layer], X: Array
    ) -> tuple[NDArray[Any], float]:
        """Call their forward; return the probabilities (n, k) and the unit of their rounding."""
        P = call(forward, "forward(parameters, X)", self._give(layers), self.theirs(X, self.X))
        return self.read_probabilities(P, "forward returned")

    def gradients_of(
        self, backward: Callable[..., Any], layers: Sequence[Layer], X: Array, labels: Labels
    ) -> tuple[list[Layer], float]:
        """Call their backward; return its gradients, those of biases being one number or (d_out,), and their unit."""
        given = self._give(layers), self.theirs(X, self.X), self.their_labels(labels)
        return self.read_gradients(call(backward, "backward(parameters, X, y)", *given), "backward returned")

    def _give(self, layers: Sequence[Layer]) -> list[NDArray[Any]]:
        flat = [array for layer in layers for array in layer]
        return [self.theirs(array, like) for array, like in zip(flat, self.parameters, strict=True)]

    def read_probabilities(self, P: Any, whence: str) -> tuple[NDArray[Any], float]:
        """Bring probabilities into rows; the type stays, since it tells where exp overflows."""
        if isinstance(P, tuple | list) and all(np.ndim(part) for part in P) and len(P) != len(self.labels):
            raise DataError(f"{whence} {len(P)} arrays; the probabilities alone are wanted, such as forward(…)[-1]")
        P = numbers(P, "the array of probabilities")
        wanted = (self.classes, len(self.labels)) if self.columns else (len(self.labels), self.classes)
        if P.shape != wanted:
            raise DataError(f"{whence} probabilities of shape {P.shape}; with these X and parameters it is {wanted}")
        return P.T if self.columns else P, self.unit(P)

    def read_gradients(self, gradients: Any, whence: str) -> tuple[list[Layer], float]:
        """Bring gradients into the shapes of the layers' parameters."""
        if not isinstance(gradients, tuple | list) or len(gradients) != len(self.parameters):
            count = len(gradients) if isinstance(gradients, tuple | list) else 1
            raise DataError(f"{whence} {count} arrays; one for each of the {len(self.parameters)} parameters is wanted")
        arrays = [numbers(g, f"gradient {i + 1}") for i, g in enumerate(gradients)]
        read = []
        for i, (dW, db) in enumerate(zip(arrays[::2], arrays[1::2], strict=True)):
            W, b = self.parameters[2 * i : 2 * i + 2]
            if dW.shape != W.shape or db.size not in (1, b.size):
                name, g, p = (f"W{i + 1}", dW, W) if dW.shape != W.shape else (f"b{i + 1}", db, b)
                raise DataError(f"{whence} a gradient of shape {g.shape} for {name}, which has shape {p.shape}")
            read.append(Layer((dW.T if self.columns else dW).astype(float), db.ravel().astype(float)))
        return read, self.unit(*arrays)


def call(function: Callable[..., Any], wording: str, *arguments: Any) -> Any:
    """Call one of their functions, without the warnings that their overflows would print.

    Raises:
        DataError: it raised an exception.
    """
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except Exception as error:
        text = " ".join(str(error).split())
        raise DataError(f"{wording} raised {type(error).__name__}: {text}") from error


def open_case(parameters: Sequence[ArrayLike], X: ArrayLike, y: ArrayLike, examples_in: str | None) -> Case:
    """Bring somebody's parameters, images and labels into one form.

    Raises:
        ConfigError: ``examples_in`` is another word, or is needed.
        DataError: the arrays do not fit together, or hold what cannot be used.
    """
    arrays = [numbers(array, f"parameter {i + 1}", finite=True) for i, array in enumerate(parameters)]
    if not arrays or len(arrays) % 2:
        raise DataError(f"parameters are W1, b1, W2, b2, … in one list, an even number of arrays, not {len(arrays)}")
    for i, W in enumerate(arrays[::2]):
        if W.ndim == 4:
            raise DataError(
                f"W{i + 1} (parameter {2 * i + 1}) of shape {W.shape} are filters of a convolution, which is for "
                "examine_convolution; give the dense layers behind it here, and what goes into them as X"
            )
        if W.ndim != 2:
            raise DataError(f"W{i + 1} (parameter {2 * i + 1}) is a matrix, not of shape {W.shape}; order: W1, b1, …")
    if len(arrays[-1].ravel()) < 2:
        raise DataError("the last layer has one unit; softmax needs one for each class, two at least")
    images, labels = numbers(X, "X", finite=True), numbers(y, "y", finite=True)
    if images.ndim != 2 or images.size == 0:
        advice = "it holds no examples" if images.size == 0 else "lay each image out as one row (or column) of numbers"
        raise DataError(f"X has shape {images.shape}: {advice}")
    columns = _orientation(arrays, images, labels, examples_in)
    layers = [
        Layer((W.T if columns else W).astype(float), b.ravel().astype(float))
        for W, b in zip(arrays[::2], arrays[1::2], strict=True)
    ]
    rows = (images.T if columns else images).astype(float)
    indices, width = read_labels(labels, len(rows), len(layers[-1].b), columns, "y")
    return Case(columns, arrays, images, labels, layers, rows, indices, width)


def _orientation(arrays: list[NDArray[Any]], X: NDArray[Any], y: NDArray[Any], examples_in: str | None) -> bool:
    """Return whether examples are columns: as said, or else as the shapes allow."""
    if examples_in not in (None, "rows", "columns"):
        raise ConfigError(f"examples_in is 'rows' or 'columns', not {examples_in!r}")
    problems = {name: _misfit(arrays, X, y, name == "columns") for name in ("rows", "columns")}
    fitting = [name for name, problem in problems.items() if not problem and examples_in in (None, name)]
    if len(fitting) == 2:
        raise ConfigError(f"X {X.shape} can be read both ways; say examples_in='rows' or examples_in='columns'")
    if not fitting:
        shown = [name for name in problems if examples_in in (None, name)]
        raise DataError("the arrays do not fit together: " + "; ".join(f"as {n}, {problems[n]}" for n in shown))
    return fitting[0] == "columns"


def _misfit(arrays: list[NDArray[Any]], X: NDArray[Any], y: NDArray[Any], columns: bool) -> str:
    """Return the first thing that does not fit, or nothing."""
    n, width = X.shape[::-1] if columns else X.shape
    source = f"X {X.shape}"
    for i, (W, b) in enumerate(zip(arrays[::2], arrays[1::2], strict=True)):
        fan_in, fan_out = W.shape[::-1] if columns else W.shape
        if fan_in != width:
            return f"W{i + 1} {W.shape} takes {fan_in} numbers, but {source} gives {width}"
        if b.size != fan_out:
            return f"b{i + 1} {b.shape} does not have one number for each of the {fan_out} units of W{i + 1}"
        width, source = fan_out, f"W{i + 1} {W.shape}"
    one_hot = y.ndim == 2 and 2 <= y.shape[0 if columns else 1] <= width and y.shape[1 if columns else 0] == n
    if y.size != n and not one_hot:
        return f"y {y.shape} does not have one label for each of the {n} examples of X {X.shape}"
    return ""


def read_labels(y: NDArray[Any], n: int, classes: int, columns: bool, name: str) -> tuple[Labels, int]:
    """Return ``n`` labels as whole numbers (n,), and the width of the one-hot form they came in, or 0.

    Raises:
        DataError: they are neither whole numbers below ``classes`` nor one-hot.
    """
    if y.size != n:
        one_hot = y.T if columns else y
        if not (np.isin(one_hot, (0, 1)).all() and (one_hot.sum(axis=1) == 1).all()):
            raise DataError(f"{name} {y.shape} is not one-hot: each example has a single 1, and zeros")
        return one_hot.argmax(axis=1).astype(np.int64), one_hot.shape[1]
    labels = y.ravel()
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= classes))
    if len(wrong):
        value = labels[wrong[0]]
        raise DataError(f"{name}[{wrong[0]}] is {value}; labels are whole numbers from 0 to {classes - 1}")
    return labels.astype(np.int64), 0


def numbers(array: Any, name: str, finite: bool = False) -> NDArray[Any]:
    """Return an array of numbers.

    Raises:
        DataError: it is none, or holds NaN or infinity where it has to be ``finite``.
    """
    try:
        found = np.asarray(array)
    except ValueError as error:
        raise DataError(f"{name} is not one array of numbers: {error}") from error
    if found.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {found.dtype}, not numbers")
    if finite and not np.isfinite(found).all():
        raise DataError(f"{name} holds {np.count_nonzero(~np.isfinite(found))} numbers that are NaN or infinite")
    return found
