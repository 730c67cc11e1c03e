"""A chain: affine maps with one activation between any two, and steps on single examples through all of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .activations import ACTIVATIONS, Activation, ReLU
from .elementwise import Formula
from .layers import Dense, Layer
from .types import Array

__all__ = ["Chain", "ChainSteps", "chain_of"]


class Chain(NamedTuple):
    """What a chain consists of."""

    units: tuple[int, ...]  # outputs of each affine map, from the first to the last
    rule: Formula  # the activation
    gradient: Formula  # of the activation
    constants: tuple[float, ...]  # which both take besides


def chain_of(layers: Sequence[Layer]) -> Chain | None:
    """Return the chain that layers are, or None where they are something else."""
    affine = [layer for layer in layers[::2] if type(layer) is Dense]
    between = [layer for layer in layers[1::2] if isinstance(layer, Activation) and type(layer) in ACTIVATIONS.values()]
    kinds = {(type(layer), layer.settings()) for layer in between}
    if len(affine) != len(between) + 1 or len(affine) + len(between) < len(layers) or len(kinds) > 1:
        return None
    kind, constants = kinds.pop() if kinds else (ReLU, ())
    return Chain(tuple(layer.units for layer in affine), kind.rule, kind.gradient, constants)


class ChainSteps(Protocol):
    """Steps of plain gradient descent on single examples, of which the first affine map is prepared for a block.

    It moves all maps but the first. What it is given of the first, with u outputs, for a block of n examples:

        Z (n, u)           x W + b of each example, as W and b were before the block
        likeness (n, n)    x · x′ + 1 of any two
        moves (n, u)       η dz of the block's steps; each step writes its own row, and takes the rows before it off Z
        t                  which example a step is on

    Attributes:
        delta: dz (1, u) of the last step, where z are the outputs of the first map.
    """

    delta: Array

    def forward(self, Z: Array, likeness: Array, moves: Array, t: int) -> Array:
        """Return the logits (1, k) of example ``t``."""

    def backward(self, dY: Array, moves: Array, t: int, rate: float) -> None:
        """Go back from dY (1, k), the gradient of the logits that `forward` has returned last, and move."""

    def step(
        self, Z: Array, likeness: Array, moves: Array, t: int, label: int, smoothing: float, weight: float, rate: float
    ) -> tuple[float, bool]:
        """Take the step with softmax and cross-entropy; return the loss before it, and whether the label is right.

        Where the loss is not finite, nothing is moved.

        Args:
            Z: see above.
            likeness: see above.
            moves: see above.
            t: see above.
            label: the true class, from 0 to k − 1, which is not checked.
            smoothing: of the label, ε.
            weight: of the example.
            rate: η.
        """
