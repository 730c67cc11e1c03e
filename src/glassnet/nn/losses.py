"""What training makes small: one number that says how wrong a batch of outputs is, and its gradient."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .types import Array

__all__ = ["Loss", "MeanSquaredError", "SoftmaxCrossEntropy", "softmax"]


class Loss(Protocol):
    """A loss as the gradient check and the trainer use it."""

    def forward(self, outputs: Array, targets: NDArray[Any]) -> float:
        """Return the mean loss of a batch."""

    def backward(self) -> Array:
        """Return ∂L/∂outputs of the last forward, of its shape."""


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
    """

    def __init__(
        self, classes: int, label_smoothing: float = 0.0, class_weights: Sequence[float] | Array | None = None
    ):
        if classes < 2:
            raise ValueError(f"cross-entropy needs at least 2 classes, not {classes}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label smoothing is at least 0 and less than 1, not {label_smoothing}")
        self.classes, self.label_smoothing = classes, label_smoothing
        self.class_weights = None if class_weights is None else _weights(class_weights, classes, "class")

    def forward(
        self,
        logits: Array,
        labels: NDArray[Any],
        sample_weights: ArrayLike | None = None,
        total: float | None = None,
    ) -> float:
        """Return the mean loss of logits (n, k) for labels (n,), in nats.

        Args:
            logits: Z.
            labels: y.
            sample_weights: (n,), one weight an example, at least 0; none means 1 for each.
            total: Σₙ w of the batch of which these examples are a part; by default their own.

        Raises:
            ValueError: shapes that do not fit, or a label outside 0 … k − 1.
        """
        self.check(logits, labels)
        # Classes along the first axis: NumPy reduces n columns of k many times quicker than n rows of k.
        Z = np.array(logits.T, order="C")  # (k, n)
        own = labels.astype(np.intp) * len(labels) + np.arange(len(labels))  # where in Z, laid out flat, z_y stands
        P, losses = self.probabilities_and_losses(Z, own)
        self.keep(P, own, labels, sample_weights, total)
        return float(losses.sum() * self.share if self.w is None else losses @ self.w)

    def probabilities_and_losses(self, Z: Array, own: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return P (k, n) and each example's loss (n,), given the logits Z (k, n), which are overwritten."""
        Z -= Z.max(axis=0)
        losses = -(1 - self.label_smoothing) * Z.take(own)
        if self.label_smoothing:
            losses -= self.label_smoothing / self.classes * Z.sum(axis=0)
        P = np.exp(Z, out=Z)
        sums = P.sum(axis=0)  # (n,)
        P /= sums
        losses += np.log(sums)
        return P, losses

    def weight(self, labels: NDArray[Any]) -> float:
        """Return Σₙ w of examples with these labels (n,), each of sample weight 1."""
        return float(len(labels) if self.class_weights is None else self.class_weights[labels].sum())

    def backward(self) -> Array:
        """Return dZ (n, k) of the last forward."""
        share = self.share if self.w is None else self.w.astype(self.P.dtype)
        dZ = self.P * share  # (k, n)
        if self.label_smoothing:
            dZ -= self.label_smoothing / self.classes * share
        dZ.reshape(-1)[self.own] -= (1 - self.label_smoothing) * share  # at each example's true class
        return dZ.T

    def keep(
        self,
        P: Array,
        own: NDArray[np.intp],
        labels: NDArray[Any],
        sample_weights: ArrayLike | None = None,
        total: float | None = None,
    ) -> None:
        """Keep what backward needs: P (k, n), where in it the true classes are, each example's share in the loss."""
        self.P, self.own = P, own
        self.share = 1 / (total or len(labels) or 1)  # of each example, where all count alike
        self.w = self._example_weights(labels, sample_weights, total)

    def check(self, logits: Array, labels: NDArray[Any]) -> None:
        """Raise ValueError where logits and labels are not what `forward` takes."""
        if logits.ndim != 2 or logits.shape[1] != self.classes or labels.shape != logits.shape[:1]:
            raise ValueError(
                f"expected logits (n, {self.classes}) and labels (n,), got {logits.shape} and {labels.shape}"
            )
        # Seen as unsigned, what is negative is large.
        if labels.dtype.kind not in "iu" or labels.astype(np.intp).view(np.uintp).max(initial=0) >= self.classes:
            raise ValueError(f"labels must be whole numbers from 0 to {self.classes - 1}")

    def _example_weights(
        self, labels: NDArray[Any], sample_weights: ArrayLike | None, total: float | None
    ) -> Array | None:
        """Return the share of each example in the batch's loss (n,), or None where all count alike."""
        if self.class_weights is None and sample_weights is None:
            return None
        w = np.ones(len(labels)) if sample_weights is None else _weights(sample_weights, len(labels), "sample").copy()
        if self.class_weights is not None:
            w *= self.class_weights[labels]
        return w / (total or w.sum() or 1.0)  # a batch of weight 0 teaches nothing


class MeanSquaredError:
    """Mean of the squared differences between outputs and targets.

    L = Σ (Y − T)² / (n k)        dY = 2 (Y − T) / (n k)        Y, T (n, k)
    """

    def forward(self, outputs: Array, targets: NDArray[Any]) -> float:
        """Return the mean squared error of outputs (n, k) for targets (n, k); raise ValueError where shapes differ."""
        if outputs.shape != targets.shape:
            raise ValueError(f"outputs {outputs.shape} and targets {targets.shape} must have one shape")
        self.difference = outputs - targets
        return float(np.mean(self.difference * self.difference))

    def backward(self) -> Array:
        """Return dY (n, k) of the last forward."""
        gradient: Array = self.difference * (2 / self.difference.size)
        return gradient


def _weights(values: ArrayLike, length: int, kind: str) -> Array:
    weights = np.asarray(values, np.float64)
    if weights.shape != (length,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"{kind} weights must be {length} finite numbers of at least 0")
    return weights
