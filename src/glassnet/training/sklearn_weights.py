"""How much each example of an estimator counts, by scikit-learn's ``sample_weight`` and ``class_weight``."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight

from ..errors import ConfigError, DataError
from ..nn.types import Array
from .batches import Table

__all__ = ["weighted_table"]


def weighted_table(
    X: Array,
    y: NDArray[Any],
    classes: NDArray[Any],
    sample_weight: ArrayLike | None,
    class_weight: str | Mapping[Any, float] | None,
    *,
    name: str = "y",
) -> Table:
    """Return the examples that count, their classes as indices, and how much each counts.

    Args:
        X: (n, d).
        y: (n,), classes by name.
        classes: all that there are, sorted.
        sample_weight: (n,), or None where all count alike.
        class_weight: None, "balanced", or weights by class, 1 for classes not in it.
        name: what errors call the classes ``y``.

    Raises:
        DataError: a class that is not one of ``classes``, or sample weights that cannot be.
        ConfigError: class weights that cannot be.
        ValueError: sample weights of another shape, or which are not finite.
    """
    labels = np.searchsorted(classes, y).clip(max=len(classes) - 1).astype(np.int64)
    if strangers := np.unique(y[classes[labels] != y]).tolist():
        raise DataError(f"{name}: {strangers[0]!r} is not one of the classes: {', '.join(map(str, classes))}")
    w = np.ones(len(y)) if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (w < 0).any() or not w.any():
        raise DataError("sample_weight: weights must be at least 0, and not all of them zero")
    sums = np.bincount(labels, w, len(classes)).astype(np.float64)
    w = w * _class_weights(class_weight, sums, classes)[labels]
    counts = w > 0
    if not counts.any():
        raise ConfigError(f"class_weight: no class of {name} has a weight above 0")
    if not counts.all():
        X, labels, w = X[counts], labels[counts], w[counts]
    return Table(X, labels, None if (w == 1).all() else w)


def _class_weights(
    given: str | Mapping[Any, float] | None, sums: NDArray[np.float64], classes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the weight (k,) of each class, given the ``sums`` of the sample weights of its examples."""
    if given is None:
        return np.ones(len(classes))
    if isinstance(given, str) and given == "balanced":
        return np.asarray(sums.sum() / np.count_nonzero(sums) / np.where(sums > 0, sums, np.inf), np.float64)
    if not isinstance(given, Mapping):
        raise ConfigError(
            f'class_weight: must be None, "balanced" or weights by the names of classes, not {given!r:.40}'
        )
    unknown = dict(given)
    weights = [unknown.pop(name, 1.0) for name in classes.tolist()]
    if unknown:
        names = ", ".join(map(str, classes))
        raise ConfigError(f"class_weight: {next(iter(unknown))!r} is not one of the classes: {names}")
    for name, weight in zip(classes, weights, strict=True):
        if not isinstance(weight, int | float | np.number) or not 0 <= weight < np.inf:
            raise ConfigError(f"class_weight: must be finite and at least 0, not {weight!r} for {str(name)!r}")
    return np.array(weights, np.float64)
