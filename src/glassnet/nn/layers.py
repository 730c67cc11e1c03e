"""The layers of a network: each a function with a forward and a backward half.

Rows are examples. A layer is told the shape of one example when its network is built; the network then gives it views
into one flat vector of parameters. It computes with the operations of an engine, ``p.engine``, and what ``forward``
keeps for ``backward`` lies in ``p``, which is this batch's `LayerPass`.

With Y = f(X; θ) and dY = ∂L/∂Y, backward is two products of the chain rule:

    parameter_gradients(dY, p)    dθ = ∂L/∂θ    written into the views of the gradients, p.dθ
    input_gradient(dY, p)         dX = ∂L/∂X    handed to the layer below

They are two methods because the lowest layer needs only the first. ``input_gradient`` may reuse the memory of dY, so
the parameters come first.
"""

from dataclasses import dataclass, field
from math import inf, prod
from typing import ClassVar

import numpy as np

from . import formulas
from .initializers import INITIALIZERS, initialize
from .passes import LayerPass
from .products import SomeColumns
from .types import Array, Shape

__all__ = ["Bias", "Dense", "Dropout", "Flatten", "Layer", "Reshape", "SpatialDropout2D"]


@dataclass(eq=False)
class Layer:
    """What a network asks of each of its layers.

    A layer is a dataclass: what its constructor takes are its settings, and its other fields are views that the network
    sets. ``X`` has one example a row, of any shape.
    """

    needs_parameter_gradients: ClassVar[bool] = False
    """Whether, in training, ``input_gradient`` computes with what ``parameter_gradients`` has written."""

    weights: ClassVar[tuple[str, ...]] = ()
    """The parameters that weight decay and L2 apply to: those that multiply, not those that shift."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one example's output; raise ValueError where the input does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shape of each parameter; the network sets the attribute ``name`` to a view."""
        return {}

    def statistic_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Return the shape of each number that is measured during training rather than learned."""
        return {}

    def initialize(self, rng: np.random.Generator) -> None:
        """Set the first values of parameters and statistics, which are zero until then."""

    def forward(self, X: Array, p: LayerPass) -> Array:
        """Return f(X); the array belongs to ``p`` and is overwritten by its next batch."""
        raise NotImplementedError

    def parameter_gradients(self, dY: Array, p: LayerPass) -> None:
        """Write ∂L/∂θ for each parameter θ, given dY = ∂L/∂Y of the forward that ``p`` has seen last."""

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        """Return ∂L/∂X, given dY = ∂L/∂Y of the forward that ``p`` has seen last; dY may be overwritten."""
        raise NotImplementedError

    def backward(self, dY: Array, p: LayerPass) -> Array:
        """Both halves of the chain rule: write the parameters' gradients and return the input's."""
        self.parameter_gradients(dY, p)
        return self.input_gradient(dY, p)


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

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.X = X  # (n, d_in)
        return p.engine.affine(X, self.W, self.b, out=p.array("Z", len(X), self.units))  # (n, d_out)

    def parameter_gradients(self, dZ: Array, p: LayerPass) -> None:
        p.engine.affine_gradients(p.X, dZ, p.dW, p.db)

    def input_gradient(self, dZ: Array, p: LayerPass) -> Array:
        return p.engine.affine_input_gradient(dZ, self.W, out=p.array("dX", *p.X.shape))  # (n, d_in)


@dataclass(eq=False)
class Bias(Layer):
    """A bias for each number of an example, which for images (n, h, w, c) is one for each place of each channel.

        Y = X + b            X (n, …)      b (…)      Y (n, …)

        db = Σₙ dY           dX = dY

    After a `Conv2D` these are untied biases: then it no longer does the same at each place.
    """

    b: Array = field(init=False, repr=False)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"b": input_shape}

    def forward(self, X: Array, p: LayerPass) -> Array:
        Y = p.array("Y", *X.shape)
        p.engine.centred(X.reshape(len(X), -1), -self.b.reshape(-1), out=Y.reshape(len(X), -1))
        return Y

    def parameter_gradients(self, dY: Array, p: LayerPass) -> None:
        p.engine.column_sums(dY.reshape(len(dY), -1), p.db.reshape(-1))

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        return dY


@dataclass(eq=False)
class Flatten(Layer):
    """Lay each example out as one row: (n, h, w) becomes (n, h·w). The gradient is folded back the same way."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.shape = X.shape
        return X.reshape(len(X), prod(X.shape[1:]))

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        dX: Array = dY.reshape(p.shape)
        return dX


@dataclass(eq=False)
class Reshape(Layer):
    """Give each example another shape of as many numbers: (n, h·w) becomes (n, h, w, 1). The gradient goes back alike.

    Args:
        shape: of an example.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        self.shape = tuple(self.shape)  # a file has it as a list
        if not self.shape or not all(isinstance(length, int) and length >= 1 for length in self.shape):
            raise ValueError(f"a shape is one or more whole numbers of at least 1, not {self.shape}")

    def output_shape(self, input_shape: Shape) -> Shape:
        if prod(input_shape) != prod(self.shape):
            raise ValueError(f"examples of shape {input_shape} cannot be given the shape {self.shape}")
        return self.shape

    def forward(self, X: Array | SomeColumns, p: LayerPass) -> Array:
        p.shape = X.shape
        if isinstance(X, SomeColumns):
            X = X.whole(out=p.array("X", *X.shape))
        return X.reshape(len(X), *self.shape)

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        dX: Array = dY.reshape(p.shape)
        return dX


@dataclass(eq=False)
class Dropout(Layer):
    """While training, silence each input with probability p, so that no unit can rely on any other one.

        Y = X ⊙ M / (1 − p)      M is 0 with probability p, else 1, drawn anew for each number of each batch

    Dividing by 1 − p keeps the expected value, so predicting needs no factor: there Y = X.

        dX = dY ⊙ M / (1 − p)

    Srivastava et al., 2014. M is a function of the run's seed, the step and the layer, so that a step can be repeated.

    Args:
        rate: p, at least 0 and less than 1.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"a dropout rate is at least 0 and less than 1, not {self.rate}")

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.mask = None
        if not p.batch.training:
            return X
        p.mask = self.mask(X, p)
        return p.engine.apply(formulas.product, (X, p.mask), (), out=p.array("Y", *X.shape))

    def mask(self, X: Array, p: LayerPass) -> Array:
        """Return M / (1 − p) for a batch X."""
        return self.draw(X.shape[1:], len(X), p)

    def draw(self, shape: Shape, n: int, p: LayerPass) -> Array:
        """Draw M / (1 − p) of this shape for each of n examples."""
        batch = p.batch
        key = (batch.seed, batch.step, batch.block, p.number)
        whole = p.array("M", batch.count or n, *shape)
        drawn: Array = p.engine.dropout_mask(self.rate, key, batch.rows, out=whole)
        return drawn

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        if p.mask is not None:
            p.engine.update(formulas.product, (dY,), (p.mask,))
        return dY


@dataclass(eq=False)
class SpatialDropout2D(Dropout):
    """Dropout of whole channels: of images (n, h, w, c), M is drawn for each channel and is the same at all places.

        Y = X ⊙ M / (1 − p)      M (n, 1, 1, c) is 0 with probability p, else 1
        dX = dY ⊙ M / (1 − p)

    Neighbouring places of a feature map are so alike that silencing single numbers takes little away. Tompson et al.,
    Efficient Object Localization Using Convolutional Networks, 2015; SpatialDropout2D in Keras, Dropout2d in PyTorch.
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ValueError(f"SpatialDropout2D takes images (h, w, c), not examples of shape {input_shape}")
        return input_shape

    def mask(self, X: Array, p: LayerPass) -> Array:
        whole = p.array("M at all places", *X.shape)
        whole[...] = self.draw(X.shape[3:], len(X), p)[:, None, None]
        return whole
