"""Mistakes on the way back: gradients that are not the derivative of the loss."""

from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from ...data import Examples
from ...nn import Conv2D, Dense, Layer, LayerPass, ReLU, SoftmaxCrossEntropy
from ...nn.types import Array
from .mistake import Mistake, PlantedLoss

__all__ = ["OneBiasGradient", "ReLUDerivativeOfWrongArray", "TimesPOneMinusP", "WrongRowCount"]


class OneBiasGradient(Mistake):
    """np.sum without its axis."""

    name = "one-bias-gradient"
    tutorial = "04-the-chain-rule"
    summary = "The gradients of a layer's biases are summed over all of its units, so each bias gets the same number."
    wrong = "db = Σ over examples and units of dZ        a single number"
    right = "db = Σ over examples of dZ                  one number for each unit"
    effect = (
        "The biases of a layer only move together. In the softmax layer they do not move at all, since each row of p − "
        "t sums to zero. The weights compensate: accuracy drops little, and only where units are few."
    )
    symptom = (
        "After training, all biases of a layer differ from their first values by the same amount, the last by none."
    )
    check = "gradient check of b; movement of the biases"

    def layer(self, layer: Layer) -> Layer:
        kind = {Dense: _OneBiasGradient, Conv2D: _OneBiasGradientOfFilters}.get(type(layer))
        return kind(**settings_of(layer)) if kind else layer


@dataclass(eq=False)
class _OneBiasGradient(Dense):
    def parameter_gradients(self, dZ: Array, p: LayerPass) -> None:
        super().parameter_gradients(dZ, p)
        p.db[...] = p.db.sum()


@dataclass(eq=False)
class _OneBiasGradientOfFilters(Conv2D):
    def parameter_gradients(self, dZ: Array, p: LayerPass) -> None:
        super().parameter_gradients(dZ, p)
        p.db[...] = p.db.sum()


def settings_of(layer: Layer) -> dict[str, Any]:
    """Return what a layer's constructor takes."""
    return {each.name: getattr(layer, each.name) for each in fields(layer) if each.init}


class WrongRowCount(Mistake):
    """A global m that was set elsewhere."""

    name = "wrong-row-count"
    tutorial = "08-batches"
    summary = "The sum over the batch is divided by the number of rows of the whole table."
    wrong = "dW = Xᵀ dZ / m        m = rows of the table, held-out ones too"
    right = "dW = Xᵀ dZ / n        n = rows of X"
    effect = (
        "Each gradient is too small by n / m, as with a smaller learning rate: with small batches, hundreds of times."
    )
    symptom = (
        "Another batch size or split needs another learning rate; with small batches the network learns next to "
        "nothing."
    )
    check = "gradient check: all gradients are off by one factor"

    def see(self, training: Examples, held_out: Examples) -> None:
        self.rows = len(training) + len(held_out)

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return type("DividedByRows", (_DividedByRows,), {"rows": self.rows})


class _DividedByRows(PlantedLoss):
    rows: int

    def spoil(self, dZ: Array, logits: Array, labels: NDArray[Any], total: float | None) -> Array:
        right = total or len(labels)
        return super().spoil(dZ, logits, labels, total) * (right / self.rows)


class TimesPOneMinusP(Mistake):
    """The derivative of the sigmoid, where it has no business."""

    name = "times-p-one-minus-p"
    tutorial = "03-softmax-and-cross-entropy"
    summary = (
        "The gradient of the softmax layer is multiplied by p(1 − p), as if there were a sigmoid to go back through."
    )
    wrong = "dZ = (p − t) ⊙ p ⊙ (1 − p)"
    right = "dZ = p − t        softmax and cross-entropy in one"
    effect = (
        "The gradient vanishes where the network is confident, right or wrong. At the start p(1 − p) is 0.09, so "
        "learning is ten times slower; and its most confident mistakes are never corrected."
    )
    symptom = "Learning crawls from the first step on; a larger learning rate helps, up to a point."
    check = "gradient check; Σ over classes of dZ, which must be 0"

    def loss(self) -> type[SoftmaxCrossEntropy]:
        return _TimesPOneMinusP


class _TimesPOneMinusP(PlantedLoss):
    def spoil(self, dZ: Array, logits: Array, labels: NDArray[Any], total: float | None) -> Array:
        P = self.probabilities(logits)
        return super().spoil(dZ, logits, labels, total) * (P * (1 - P))


class ReLUDerivativeOfWrongArray(Mistake):
    """A mask of the right shape, and of another array."""

    name = "relu-derivative-of-wrong-array"
    tutorial = "04-the-chain-rule"
    summary = "The ReLU's derivative is evaluated at the incoming gradient instead of at the sum Z."
    wrong = "dZ = dA ⊙ (dA > 0)"
    right = "dZ = dA ⊙ (Z > 0)"
    effect = "Inactive units are updated, and active ones are only ever pushed down: most of a hidden layer dies."
    symptom = "Accuracy rises at first, then stalls or falls; more and more hidden units are zero for every image."
    check = "gradient check of the layers below; share of dead units"

    def layer(self, layer: Layer) -> Layer:
        return _MaskOfGradient() if isinstance(layer, ReLU) else layer


def _mask_of_gradient(da: Array, z: Array, a: Array) -> Array:
    return da * (da > 0)


@dataclass(eq=False)
class _MaskOfGradient(ReLU):
    gradient = _mask_of_gradient
