"""Somebody else's images and filters, brought into one form, and ours brought into theirs.

Inside, channels come last: images (n, h, w, c), filters (kh, kw, c, filters), everything float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ConfigError, DataError
from ...nn import Conv2D, Layer, Network, Pass, Window
from ...nn.types import Array, Shape
from ..mistakes.gradient_mistakes import settings_of
from .case import call, numbers

__all__ = ["ConvolutionCase", "Ran", "open_convolution", "through"]

IMAGES = 4  # that are enough to tell
FILTERS_LAST = (2, 3, 1, 0)  # from (filters, c, kh, kw)
FILTERS_FIRST = (3, 2, 0, 1)


@dataclass(frozen=True)
class ConvolutionCase:
    """One convolution and the numbers that it is asked on.

    Attributes:
        first: whether their channels come first.
        layer: ours of the same settings.
        unit: the spacing at 1 of the floating-point numbers that they compute in.
        dtype: theirs.
        X: images (n, h, w, c).
        W: filters (kh, kw, c, filters).
        b: biases (filters,).
        dZ: a gradient of the outputs (n, oh, ow, filters).
        their_b: the shape of their biases.
    """

    first: bool
    layer: Conv2D
    unit: float
    dtype: np.dtype[Any]
    X: Array
    W: Array
    b: Array
    dZ: Array
    their_b: Shape

    @property
    def window(self) -> Window:
        """The window over these images."""
        return self.layer.window(*self.X.shape[1:3])

    def images(self, array: Array) -> NDArray[Any]:
        """Return images, or feature maps, in their form."""
        return np.array(array.transpose(0, 3, 1, 2) if self.first else array, self.dtype, order="C")

    def parameters(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return filters and biases in their form."""
        W = self.W.transpose(FILTERS_FIRST) if self.first else self.W
        return np.array(W, self.dtype, order="C"), np.array(self.b.reshape(self.their_b), self.dtype)

    def read(self, array: Any, name: str, shape: Shape) -> Array:
        """Bring images or feature maps (n, h, w, c) of theirs into our form.

        Raises:
            DataError: they are no numbers, or have another shape.
        """
        found = numbers(array, name)
        ours = found.transpose(0, 2, 3, 1) if self.first and found.ndim == 4 else found
        if ours.shape != shape:
            raise DataError(f"{name} has shape {found.shape}, and {self.shape_words(shape)} is right")
        return ours.astype(float)

    def read_filters(self, array: Any, name: str) -> Array:
        """Bring the gradient of filters into our form; raise DataError where it has another shape."""
        found = numbers(array, name)
        W = self.W.transpose(FILTERS_FIRST) if self.first else self.W
        if found.shape != W.shape:
            raise DataError(f"{name} has shape {found.shape}, and W has {W.shape}")
        return (found.transpose(FILTERS_LAST) if self.first else found).astype(float)

    def shape_words(self, shape: Shape) -> str:
        """Write a shape (n, h, w, c) as they have it."""
        n, h, w, c = shape
        return str((n, c, h, w) if self.first else shape)

    def ask(self, function: Callable[..., Any], wording: str, *arguments: Any) -> Any:
        """Call one of their functions; raise DataError where it fails."""
        return call(function, wording, *arguments)


@dataclass(frozen=True)
class Ran:
    """What a layer of ours makes of a case: its outputs, the gradient of its inputs, and its pass."""

    Y: Array
    dX: Array
    p: Any


def through(layer: Layer, X: Array, dY: Array | None = None, W: Array | None = None, b: Array | None = None) -> Ran:
    """Send images forward and a gradient back through a layer by itself, in float64."""
    network = Network([type(layer)(**settings_of(layer))], X.shape[1:], dtype=np.float64, seed=None)
    if W is not None and b is not None:
        network.named_parameters["0.W"][...], network.named_parameters["0.b"][...] = W, b
    p = Pass(network, training=True, gradients=network.gradients)
    Y = network.forward(X, p).copy()
    dX = network.layers[0].backward((Y if dY is None else dY).copy(), p.layers[0]).copy()
    return Ran(Y, dX, p.layers[0])


def open_convolution(
    X: ArrayLike, W: ArrayLike, b: ArrayLike, stride: int, padding: str | int, channels: str | None
) -> ConvolutionCase:
    """Bring somebody's images, filters and biases into one form, and draw the numbers that are asked about.

    Raises:
        ConfigError: an argument that cannot be used, or shapes that can be read both ways.
        DataError: the arrays do not fit together.
    """
    images, filters, biases = (numbers(a, name, finite=True) for a, name in ((X, "X"), (W, "W"), (b, "b")))
    if images.ndim != 4 or filters.ndim != 4 or not images.size:
        raise DataError(
            f"X has shape {images.shape} and W {filters.shape}: give images (n, h, w, c) with filters (kh, kw, c, "
            "filters), or (n, c, h, w) with (filters, c, kh, kw); gray images have c = 1"
        )
    first = _channels_first(images.shape, filters.shape, channels)
    shape = filters.transpose(FILTERS_LAST).shape if first else filters.shape
    n, h, w, c = images.transpose(0, 2, 3, 1).shape if first else images.shape
    try:
        layer = Conv2D(shape[3], (shape[0], shape[1]), stride, padding)
        oh, ow, _ = layer.output_shape((h, w, c))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if biases.size not in (shape[3], shape[3] * oh * ow):
        raise DataError(f"b has shape {biases.shape}; it has one number for each of the {shape[3]} filters")
    kinds = [a.dtype for a in (images, filters, biases) if a.dtype.kind == "f"] or [np.dtype(np.float64)]
    coarsest = max(kinds, key=lambda kind: float(np.finfo(kind).eps))
    rng, n = np.random.default_rng(0), min(n, IMAGES)
    return ConvolutionCase(
        first=first,
        layer=layer,
        unit=float(np.finfo(coarsest).eps),
        dtype=coarsest,
        X=rng.standard_normal((n, h, w, c)),
        W=rng.standard_normal(shape) / np.sqrt(np.prod(shape[:3])),
        b=rng.standard_normal((shape[3],)) if biases.size == shape[3] else np.zeros(biases.size),
        dZ=rng.standard_normal((n, oh, ow, shape[3])),
        their_b=biases.shape,
    )


def _channels_first(X: Shape, W: Shape, channels: str | None) -> bool:
    """Return whether channels come first: as said, or else as the shapes allow."""
    if channels not in (None, "first", "last"):
        raise ConfigError(f"channels is 'first' or 'last', not {channels!r}")
    fitting = [name for name, fits in (("first", X[1] == W[1]), ("last", X[3] == W[2])) if fits]
    if channels is not None:
        fitting = [name for name in fitting if name == channels]
    if len(fitting) == 2:
        raise ConfigError(f"X {X} and W {W} can be read both ways; say channels='first' or channels='last'")
    if not fitting:
        raise DataError(
            f"X {X} and W {W} do not have the same number of channels: with channels last X[3] is W[2], with channels "
            "first X[1] is W[1]"
        )
    return fitting[0] == "first"
