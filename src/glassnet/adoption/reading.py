"""What is read of another framework's network: its layers with their numbers, and how it answers."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..nn import BatchNorm, Conv2D, Dense, Layer

__all__ = ["Numbers", "Part", "Reading"]

Numbers: TypeAlias = NDArray[Any]
Ending: TypeAlias = Literal["logits", "softmax", "log-softmax"]


class Part(NamedTuple):
    """A layer, and its parameters and statistics by name."""

    layer: Layer
    arrays: dict[str, Numbers]


class Reading:
    """The layers of a network from its inputs to its logits, in order of being added.

    Args:
        name: what errors call the network.
        run: its own outputs (n, k) for inputs (n, d), or None where it is not run.

    Attributes:
        ending: what its outputs are.
        classes: the names of its classes, where it knows them.
        channels_first: whether it has images as (c, h, w), and rows of them in that order.
        takes_pixels: whether its inputs are whole numbers, which can only be the pixels as they are.
        scale, shift: of what it does to its inputs before the first layer, X · scale + shift.
    """

    def __init__(self, name: str, run: Callable[[Numbers], Numbers] | None = None) -> None:
        self.name, self.run = name, run
        self.parts: list[Part] = []
        self.ending: Ending = "logits"
        self.classes: tuple[str, ...] | None = None
        self.channels_first = False
        self.takes_pixels = False
        self.scale, self.shift = 1.0, 0.0

    def add(self, layer: Layer, **arrays: Numbers) -> None:
        """Add a layer above those that are there."""
        if self.ending != "logits":
            raise ConfigError(f"{self.name}: {type(layer).__name__} after {self.ending}, which must be the last layer")
        self.parts.append(Part(layer, arrays))

    def add_dense(self, W: Numbers, b: Numbers | None) -> None:
        """Add an affine map of W (d_in, d_out) and b (d_out,); without b it is zero."""
        if W.ndim != 2 or (b is not None and b.shape != (W.shape[1],)):
            raise ConfigError(f"{self.name}: weights of shape {W.shape} and a bias that does not fit")
        self.add(Dense(W.shape[1]), W=W, b=np.zeros(W.shape[1], W.dtype) if b is None else b)

    def add_convolution(self, W: Numbers, b: Numbers | None, stride: int, padding: str | int) -> None:
        """Add a convolution of W (kh, kw, c, filters) and b (filters,)."""
        layer = Conv2D(W.shape[3], W.shape[:2], stride, padding)
        self.add(layer, W=W, b=np.zeros(W.shape[3], W.dtype) if b is None else b)

    def add_batch_norm(
        self, epsilon: float, gamma: Numbers | None, beta: Numbers | None, mean: Numbers, variance: Numbers
    ) -> None:
        """Add a batch normalisation by its running averages (d,); without γ and β they are 1 and 0."""
        self.add(
            BatchNorm(epsilon=epsilon),
            gamma=np.ones_like(mean) if gamma is None else gamma,
            beta=np.zeros_like(mean) if beta is None else beta,
            running_mean=mean,
            running_variance=variance,
        )

    def end(self, ending: Ending) -> None:
        """Note that the outputs are probabilities, or their logarithms; no layer may follow."""
        if self.ending != "logits":
            raise ConfigError(f"{self.name}: {ending} after {self.ending}: give the network with only one of them")
        self.ending = ending

    def unknown(self, layer: str, why: str = "is not a layer of glassnet") -> ConfigError:
        """Return the error that a layer cannot be adopted."""
        return ConfigError(
            f"{self.name}: {layer} {why}; known are dense layers, convolutions, pools, batch normalisation, dropout, "
            "ReLU, leaky ReLU, GELU (tanh approximation), sigmoid, tanh, and softmax at the end"
        )
