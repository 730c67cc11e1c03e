"""Mistakes between the last sums and the loss."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data import Examples
from ...errors import TrainingError
from ...nn import LossAndGradient, SoftmaxCrossEntropy
from ...nn.types import Array
from .mistake import Mistake, PlantedLoss

__all__ = ["NarrowOneHot", "SoftmaxGlobalMaximum", "SoftmaxWithoutMaximum", "SoftmaxWrongAxis"]


class _ProbabilitiesFirst(PlantedLoss):
    """Cross-entropy as most notebooks have it: probabilities, then their logarithm."""

    def softmax(self, Z: Array) -> Array:
        """Return what is taken for probabilities (k, n), given the logits Z (k, n): here classes come first."""
        raise NotImplementedError

    def probabilities(self, logits: Array) -> Array:
        return self.softmax(np.array(logits.T, order="C")).T

    def measure(
        self, logits: Array, labels: NDArray[Any], sample_weights: ArrayLike | None, total: float | None
    ) -> LossAndGradient:
        self.check(logits, labels)
        n, k = logits.shape
        own = labels.astype(np.intp) * n + np.arange(n)  # where in P, laid out flat, the true classes are
        P = self.softmax(np.array(logits.T, order="C"))
        tiny = np.finfo(P.dtype).tiny  # in place of 0, so that only NaN gives NaN
        losses: Array = -(1 - self.label_smoothing) * np.log(np.maximum(P.take(own), tiny))
        if self.label_smoothing:
            losses -= self.label_smoothing / k * np.log(np.maximum(P, tiny)).sum(axis=0)
        w = self.shares(labels, sample_weights, total)
        value = np.add.reduce(losses) * w if isinstance(w, float) else losses @ w
        share = w if isinstance(w, float) else w.astype(P.dtype)
        dZ = (P - self.label_smoothing / k if self.label_smoothing else P) * share
        dZ.reshape(-1)[own] -= (1 - self.label_smoothing) * share
        return LossAndGradient(float(value), dZ.T, logits.argmax(axis=1) == labels)


class SoftmaxWithoutMaximum(Mistake):
    """exp of a large number is infinite."""

    name = "softmax-without-maximum"
    tutorial = "03-softmax-and-cross-entropy"
    summary = "The softmax takes exp of the logits as they are."
    wrong = "p = exp(z) / Σ exp(z)"
    right = "p = exp(z − max z) / Σ exp(z − max z)"
    effect = (
        "None, until a logit exceeds 88 in float32 or 709 in float64: then exp is ∞, p is ∞/∞, and everything is NaN "
        "from then on. An example whose logits are all below −104 or −745 gets 0/0, which is NaN as well."
    )
    symptom = "Overflow warnings, a loss of NaN, and class 0 predicted for every image: argmax of NaN is 0."
    check = "softmax of (1000, 0): is it (1, 0)?"
    circumstances = {"hidden": [], "scaling": "none", "initializer_scale": 0.01, "learning_rate": 0.001}
    replaces = "the softmax"

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return _WithoutMaximum


class _WithoutMaximum(_ProbabilitiesFirst):
    def softmax(self, Z: Array) -> Array:
        E: Array = np.exp(Z)
        E /= E.sum(axis=0)
        return E


class SoftmaxGlobalMaximum(Mistake):
    """Right for one example, wrong for two."""

    name = "softmax-global-maximum"
    tutorial = "03-softmax-and-cross-entropy"
    summary = "The maximum of the whole matrix is subtracted instead of each example's own."
    wrong = "p = exp(z − max Z) / Σ exp(z − max Z)        max over all examples"
    right = "p = exp(z − max z) / Σ exp(z − max z)        max over the classes of each example"
    effect = (
        "None for one example at a time, nor while all logits are near each other. An example whose logits lie more "
        "than 104 (float32) or 745 (float64) below the batch's largest gets 0/0, and its NaN spreads to all weights."
    )
    symptom = "It works with one example and fails with NaN on a batch, once in a while, late in training."
    check = "softmax of two rows far apart: do both sum to 1?"
    circumstances = {"hidden": [], "scaling": "none", "initializer_scale": 0.01, "learning_rate": 0.001}
    whole_batch = True
    replaces = "the softmax"

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return _GlobalMaximum


class _GlobalMaximum(_ProbabilitiesFirst):
    def softmax(self, Z: Array) -> Array:
        E: Array = np.exp(Z - np.maximum.reduce(Z, axis=None))
        E /= np.add.reduce(E)
        return E


class SoftmaxWrongAxis(Mistake):
    """Rows are examples here, and columns there."""

    name = "softmax-wrong-axis"
    tutorial = "03-softmax-and-cross-entropy"
    summary = "The softmax sums over the examples of the batch instead of over the classes."
    wrong = "p = exp(z) / Σ over examples of exp(z)"
    right = "p = exp(z) / Σ over classes of exp(z)"
    effect = (
        "Examples compete for a class instead of classes for an example, and each p is about 1/n. The gradient of an "
        "example no longer sums to 0, so its logits are pushed one way until they diverge."
    )
    symptom = (
        "The loss at step 0 is ln n instead of ln k, hardly falls, and then jumps; an example's probabilities do not "
        "sum to 1."
    )
    check = "sums of the rows of p; loss at step 0 against ln k"
    whole_batch = True
    replaces = "the softmax"

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return _WrongAxis


class _WrongAxis(_ProbabilitiesFirst):
    def softmax(self, Z: Array) -> Array:
        E: Array = np.exp(Z - Z.max(axis=1, keepdims=True))
        E /= E.sum(axis=1, keepdims=True)
        return E


class NarrowOneHot(Mistake):
    """How many classes there are is not for a batch to say."""

    name = "narrow-one-hot"
    tutorial = "03-softmax-and-cross-entropy"
    summary = "The width of the one-hot matrix is taken from the largest label in the batch."
    wrong = "T = zeros(n, max(y) + 1)"
    right = "T = zeros(n, k)        k classes, whichever of them this batch has"
    effect = (
        "None, until a batch has no example of the last class; then the shapes in p − T differ, and the program stops. "
        "Unless all labels are 0: NumPy broadcasts T's one column to each class, and the gradient is silently wrong."
    )
    symptom = "It runs on all images and fails on a small batch: shapes (8, 10) and (8, 9) do not match."
    check = "a batch without the last class"
    circumstances = {"batch_size": 16}

    def see(self, training: Examples, held_out: Examples) -> None:
        self.width = int(training.labels.max()) + 1

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return type("NarrowOneHot", (_NarrowOneHot,), {"width": self.width})


class _NarrowOneHot(PlantedLoss):
    width: int  # with all training images as one batch

    def spoil(self, dZ: Array, logits: Array, labels: NDArray[Any], total: float | None) -> Array:
        width = int(labels.max()) + 1 if total is None else self.width
        if width != self.classes:
            raise TrainingError(
                f"p − T: the probabilities have {self.classes} columns and the one-hot labels {width}, since the "
                f"largest label of this batch is {width - 1}"
            )
        return super().spoil(dZ, logits, labels, total)
