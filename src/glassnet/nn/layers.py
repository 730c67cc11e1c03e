"""The layers of a network: each a function with a forward and a backward half.

Rows are examples. A layer is told the shape of one example when its network is built; the network then gives it views
into one flat vector of parameters and one of gradients. ``forward`` keeps what ``backward`` will need.

With Y = f(X; θ) and dY = ∂L/∂Y, backward is two products of the chain rule:

    parameter_gradients(dY)    dθ = ∂L/∂θ    written into the views of the gradient vector
    input_gradient(dY)         dX = ∂L/∂X    handed to the layer below

They are two methods because the lowest layer needs only the first. ``input_gradient`` may reuse the memory of dY, so
the parameters come first.
"""

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, prod
from typing import Any, ClassVar, Self

import numpy as np

from .initializers import INITIALIZERS, initialize
from .products import product, sum_of_rows, transposed_product
from .types import Array, Shape

__all__ = ["Dense", "Dropout", "Flatten", "Layer"]


@dataclass(eq=False)
class Layer:
    """What a network asks of each of its layers.

    A layer is a dataclass: what its constructor takes are its settings, and its other fields are views that the network
    sets. ``X`` has one example a row, of any shape.
    """

    weights: ClassVar[tuple[str, ...]] = ()
    """The parameters that weight decay and L2 apply to: those that multiply, not those that shift."""

    dtype: np.dtype[Any] = field(init=False, repr=False)
    rng: np.random.Generator = field(init=False, repr=False)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one example's output; raise ValueError where the input does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shape of each parameter; the network sets the attributes ``name`` and ``dname`` to views."""
        return {}

    def statistic_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shape of each number that is measured during training rather than learned."""
        return {}

    def initialize(self, rng: np.random.Generator) -> None:
        """Set the first values of parameters and statistics, which are zero until then."""

    def forward(self, X: Array, training: bool = False) -> Array:
        """Return f(X); the array is the layer's own and is overwritten by the next call."""
        raise NotImplementedError

    def parameter_gradients(self, dY: Array) -> None:
        """Write ∂L/∂θ for each parameter θ, given dY = ∂L/∂Y of the last forward."""

    def input_gradient(self, dY: Array) -> Array:
        """Return ∂L/∂X, given dY = ∂L/∂Y of the last forward; dY may be overwritten."""
        raise NotImplementedError

    def backward(self, dY: Array) -> Array:
        """Both halves of the chain rule: write the parameters' gradients and return the input's."""
        self.parameter_gradients(dY)
        return self.input_gradient(dY)

    def replica(self) -> Self:
        """Return a layer with the same settings and generator, and without any memory of this one's."""
        twin = copy(self)
        twin.__dict__.pop("_buffers", None)
        return twin

    def workspace(self, name: str, *shape: int) -> Array:
        """Return an array for intermediate results, the same memory at every step.

        Memory for the largest so far is kept; a smaller one gets its beginning.
        """
        buffer = self._buffers.get(name)
        if buffer is not None and buffer.shape == shape:
            return buffer
        size = prod(shape)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(shape, self.dtype)
            return buffer
        return buffer.reshape(-1)[:size].reshape(shape)

    @cached_property
    def _buffers(self) -> dict[str, Array]:
        return {}


@dataclass(eq=False)
class Dense(Layer):
    """Affine map: each output unit is a weighted sum of the inputs plus a bias.

        Z = X W + b          X (n, d_in)   W (d_in, d_out)   b (d_out,)   Z (n, d_out)

    Given dZ = ∂L/∂Z, the chain rule gives

        dW = Xᵀ dZ           (d_in, d_out)
        db = Σₙ dZ           (d_out,)      one sum for each unit
        dX = dZ Wᵀ           (n, d_in)

    Args:
        units: d_out.
        initializer: how W begins, one of `glassnet.nn.INITIALIZERS`; b begins at zero.
        scale: multiplies the initializer's spread.
    """

    units: int
    initializer: str = "he_normal"
    scale: float = 1.0

    W: Array = field(init=False, repr=False)
    b: Array = field(init=False, repr=False)
    dW: Array = field(init=False, repr=False)
    db: Array = field(init=False, repr=False)

    weights = ("W",)

    def __post_init__(self) -> None:
        if not isinstance(self.units, int) or self.units < 1:
            raise ValueError(f"a Dense layer has a whole number of units, at least 1, not {self.units!r}")
        if self.initializer not in INITIALIZERS:
            raise ValueError(f"unknown initializer {self.initializer!r}; known: {', '.join(INITIALIZERS)}")
        if not 0 < self.scale < inf:
            raise ValueError(f"an initializer's scale is a positive number, not {self.scale}")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(
                f"Dense takes rows of numbers, not examples of shape {input_shape}; put Flatten() before it"
            )
        return (self.units,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"W": (*input_shape, self.units), "b": (self.units,)}

    def initialize(self, rng: np.random.Generator) -> None:
        initialize(self.W, self.initializer, rng, self.scale)

    def forward(self, X: Array, training: bool = False) -> Array:
        self.X = X  # (n, d_in)
        Z = self.workspace("Z", len(X), self.units)  # (n, d_out)
        product(X, self.W, out=Z)
        Z += self.b
        return Z

    def parameter_gradients(self, dZ: Array) -> None:
        transposed_product(self.X, dZ, self.dW, self.workspace)  # (d_in, n) (n, d_out)
        sum_of_rows(dZ, self.db)

    def input_gradient(self, dZ: Array) -> Array:
        dX = self.workspace("dX", *self.X.shape)  # (n, d_in)
        return np.matmul(dZ, self.W.T, out=dX)  # (n, d_out) (d_out, d_in)


@dataclass(eq=False)
class Flatten(Layer):
    """Lay each example out as one row: (n, h, w) becomes (n, h·w). The gradient is folded back the same way."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, X: Array, training: bool = False) -> Array:
        self.shape = X.shape
        return X.reshape(len(X), -1)

    def input_gradient(self, dY: Array) -> Array:
        return dY.reshape(self.shape)


@dataclass(eq=False)
class Dropout(Layer):
    """While training, silence each input with probability p, so that no unit can rely on any other one.

        Y = X ⊙ M / (1 − p)      M is 0 with probability p, else 1, drawn anew for each number of each batch

    Dividing by 1 − p keeps the expected value, so predicting needs no factor: there Y = X.

        dX = dY ⊙ M / (1 − p)

    Srivastava et al., 2014.

    Args:
        rate: p, at least 0 and less than 1.
    """

    rate: float

    part: tuple[slice, int] | None = field(default=None, init=False, repr=False)
    """Which rows of a batch of how many are given, where others go through the network elsewhere."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"a dropout rate is at least 0 and less than 1, not {self.rate}")

    def forward(self, X: Array, training: bool = False) -> Array:
        self.mask = None
        if not training:
            return X
        rows, count = self.part or (slice(None), len(X))
        whole = self.workspace("M", count, *X.shape[1:])
        self.rng.random(out=whole, dtype=self.dtype)  # uniform in [0, 1)
        self.mask = whole[rows]
        np.greater_equal(self.mask, self.rate, out=self.mask)  # 1 with probability 1 − p
        self.mask *= 1 / (1 - self.rate)
        return np.multiply(X, self.mask, out=self.workspace("Y", *X.shape))

    def input_gradient(self, dY: Array) -> Array:
        if self.mask is not None:
            dY *= self.mask
        return dY
