"""What training makes small: one number that says how wrong a batch of outputs is, and its gradient."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .engine import NUMPY, Engine
from .types import Array

__all__ = ["Loss", "LossAndGradient", "MeanSquaredError", "SoftmaxCrossEntropy", "softmax"]


class LossAndGradient(NamedTuple):
    """What a loss says of a batch.

    Attributes:
        value: the mean loss.
        gradient: ∂L/∂outputs, of the outputs' shape.
        right: of a loss on classes, whether the true class of each example has the largest output, (n,).
    """

    value: float
    gradient: Array
    right: NDArray[np.bool_] = np.zeros(0, np.bool_)


class Loss(Protocol):
    """A loss as the gradient check and training use it."""

    def __call__(self, outputs: Array, targets: NDArray[Any], /) -> LossAndGradient:
        """Return the mean loss of a batch, and its gradient."""


def softmax(Z: Array) -> Array:
    """Turn logits Z (n, k) into probabilities (n, k): exp(Z) divided by its sum over each row.

    The row's maximum is taken off first: it cancels in the quotient, and without it exp overflows.
    """
    E: Array = np.exp(Z - Z.max(axis=1, keepdims=True))
    E /= E.sum(axis=1, keepdims=True)
    return E


class SoftmaxCrossEntropy:
    """Softmax and cross-entropy as one loss on logits, with integer labels.

    For one example with logits z (k,), the target distribution t puts 1 − ε on the true class y and spreads the label
    smoothing ε evenly over all k classes (Szegedy et al., 2016):

        p = softmax(z)        t = (1 − ε) onehot(y) + ε/k
        ℓ = −Σ t log p = logΣexp(z) − (1 − ε) z_y − ε/k Σ z

    The batch's loss is the mean, weighted where weights are given, and its gradient is as simple as can be:

        L = Σₙ w ℓ / Σₙ w        dZ = w (p − t) / Σₙ w        w = class weight of y × sample weight

    A batch too large to compute at once is given block by block, each with Σₙ w of the whole batch as its ``total``;
    then the losses and the gradients of the blocks add up to those of the batch.

    Args:
        classes: k. Labels are 0 … k − 1; k is never guessed from the labels.
        label_smoothing: ε, at least 0 and less than 1.
        class_weights: one weight a class, at least 0; none means 1 for each.
        engine: what to compute with.
    """

    def __init__(
        self,
        classes: int,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Array | None = None,
        engine: Engine = NUMPY,
    ):
        if classes < 2:
            raise ValueError(f"cross-entropy needs at least 2 classes, not {classes}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label smoothing is at least 0 and less than 1, not {label_smoothing}")
        self.classes, self.label_smoothing, self.engine = classes, label_smoothing, engine
        self.class_weights = None if class_weights is None else _weights(class_weights, classes, "class")

    def __call__(
        self,
        logits: Array,
        labels: NDArray[Any],
        sample_weights: ArrayLike | None = None,
        total: float | None = None,
    ) -> LossAndGradient:
        """Return the mean loss of logits (n, k) for labels (n,), in nats, and its gradient (n, k).

        Args:
            logits: Z.
            labels: y.
            sample_weights: (n,), one weight an example, at least 0; none means 1 for each.
            total: Σₙ w of the batch of which these examples are a part; by default their own.

        Raises:
            ValueError: shapes that do not fit, or a label outside 0 … k − 1.
        """
        self.check(logits, labels)
        w = self.shares(labels, sample_weights, total)
        losses, right, gradient = self.engine.cross_entropy(logits, labels, self.label_smoothing, w)
        value = np.add.reduce(losses) * w if isinstance(w, float) else losses @ w
        return LossAndGradient(float(value), gradient, right)

    def probabilities(self, logits: Array) -> Array:
        """Return P (n, k) of logits (n, k)."""
        return softmax(logits)

    def weight(self, labels: NDArray[Any]) -> float:
        """Return Σₙ w of examples with these labels (n,), each of sample weight 1."""
        return float(len(labels) if self.class_weights is None else self.class_weights[labels].sum())

    def check(self, logits: Array, labels: NDArray[Any]) -> None:
        """Raise ValueError where logits and labels are not what a call takes."""
        if logits.ndim != 2 or logits.shape[1] != self.classes or labels.shape != logits.shape[:1]:
            raise ValueError(
                f"expected logits (n, {self.classes}) and labels (n,), got {logits.shape} and {labels.shape}"
            )
        if logits.dtype not in (np.float32, np.float64):
            raise ValueError(f"logits must be float32 or float64, not {logits.dtype}")
        whole = labels.dtype.kind in "iu"
        # Seen as unsigned, what is negative is large.
        if not whole or np.maximum.reduce(labels.astype(np.intp, copy=False).view(np.uintp), initial=0) >= self.classes:
            raise ValueError(f"labels must be whole numbers from 0 to {self.classes - 1}")

    def shares(self, labels: NDArray[Any], sample_weights: ArrayLike | None, total: float | None) -> Array | float:
        """Return the share of each example in the batch's loss (n,), or one number where all count alike."""
        if self.class_weights is None and sample_weights is None:
            return 1 / (total or len(labels) or 1)
        w = np.ones(len(labels)) if sample_weights is None else _weights(sample_weights, len(labels), "sample").copy()
        if self.class_weights is not None:
            w *= self.class_weights[labels]
        return w / (total or w.sum() or 1.0)  # a batch of weight 0 teaches nothing


class MeanSquaredError:
    """Mean of the squared differences between outputs and targets.

    L = Σ (Y − T)² / (n k)        dY = 2 (Y − T) / (n k)        Y, T (n, k)
    """

    def __call__(self, outputs: Array, targets: NDArray[Any]) -> LossAndGradient:
        """Return the mean squared error of outputs (n, k) for targets (n, k), and its gradient (n, k).

        Raises:
            ValueError: the shapes differ.
        """
        if outputs.shape != targets.shape:
            raise ValueError(f"outputs {outputs.shape} and targets {targets.shape} must have one shape")
        difference = outputs - targets
        return LossAndGradient(float(np.mean(difference * difference)), difference * (2 / difference.size))


def _weights(values: ArrayLike, length: int, kind: str) -> Array:
    weights = np.asarray(values, np.float64)
    if weights.shape != (length,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"{kind} weights must be {length} finite numbers of at least 0")
    return weights
