"""Layers that look at a small part of an image at a time, in the same way everywhere.

Images are (n, h, w, c): rows, columns and channels of n examples. `Conv2D` is the affine map of `Dense`, applied to
what lies under a small window at each of its places; a pool keeps one number of what lies under it.
"""

from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

from .initializers import INITIALIZERS, initialize
from .layers import Layer
from .passes import LayerPass
from .types import Array, Shape
from .windows import Window

__all__ = ["AveragePool2D", "Conv2D", "GlobalAveragePool2D", "MaxPool2D"]


@dataclass(eq=False)
class Conv2D(Layer):
    """Convolution: each filter is a weighted sum of what lies under a window, plus a bias, at each place of an image.

        P = patches(X)       X (n, h, w, c)          P (n·oh·ow, kh·kw·c)     what lies under the window, a place a row
        Z = P W + b          W (kh·kw·c, filters)    b (filters,)             Z (n·oh·ow, filters)

    Z is returned as (n, oh, ow, filters), and W is kept as (kh, kw, c, filters). Strictly this is a cross-correlation,
    since the window is not flipped; the field calls it convolution all the same. The same W and b serve every place, so
    given dZ = ∂L/∂Z the chain rule adds up over places as over examples:

        dW = Pᵀ dZ           (kh·kw·c, filters)
        db = Σ dZ            (filters,)              over examples and places
        dX = add_patches(dZ Wᵀ)                      a number of an image gets what all its patches hand down

    LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998.

    Args:
        filters: how many.
        size: (kh, kw) of the window, or one number for both.
        stride: how far the window moves from one place to the next.
        padding: "valid" for none, so that the window stays inside of the image; "same" for as many zeros around it that
            oh = ⌈h / stride⌉ and ow = ⌈w / stride⌉, where one that is left over goes below or to the right, as in
            Keras; or a number of rows and columns on each side, as in PyTorch.
        initializer: how W begins, one of `glassnet.nn.INITIALIZERS`; b begins at zero.
        scale: multiplies the initializer's spread.
    """

    filters: int
    size: int | tuple[int, int] = 3
    stride: int = 1
    padding: str | int = "valid"
    initializer: str = "he_normal"
    scale: float = 1.0

    W: Array = field(init=False, repr=False)
    b: Array = field(init=False, repr=False)

    weights = ("W",)

    def __post_init__(self) -> None:
        self.size = _pair(self.size)
        if not _is_whole(self.filters) or not _is_whole(self.stride) or not all(map(_is_whole, self.size)):
            raise ValueError(
                "filters, size and stride of a Conv2D are whole numbers of at least 1, not "
                f"{self.filters!r}, {self.size!r} and {self.stride!r}"
            )
        inside = isinstance(self.padding, int) and not isinstance(self.padding, bool)
        if self.padding not in ("valid", "same") and not (inside and 0 <= int(self.padding) < max(self.size)):
            raise ValueError(
                "the padding of a Conv2D is valid, same or a whole number less than its size, not "
                f"{self.padding!r} with {self.size[0]}×{self.size[1]}"
            )
        if self.initializer not in INITIALIZERS:
            raise ValueError(f"unknown initializer {self.initializer!r}; known: {', '.join(INITIALIZERS)}")
        if not 0 < self.scale < inf:
            raise ValueError(f"an initializer's scale is a positive number, not {self.scale}")

    def window(self, height: int, width: int) -> Window:
        """Return the window for images of this size."""
        kh, kw = _pair(self.size)
        top, bottom = _padding(self.padding, height, kh, self.stride)
        left, right = _padding(self.padding, width, kw, self.stride)
        return Window(kh, kw, self.stride, top, bottom, left, right)

    def output_shape(self, input_shape: Shape) -> Shape:
        h, w, _ = _image_shape(input_shape, "Conv2D")
        places, (kh, kw) = self.window(h, w).places(h, w), _pair(self.size)
        if 0 in places:
            raise ValueError(f"filters of {kh}×{kw} are larger than images of {h}×{w}")
        return (*places, self.filters)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        *_, c = _image_shape(input_shape, "Conv2D")
        return {"W": (*_pair(self.size), c, self.filters), "b": (self.filters,)}

    def initialize(self, rng: np.random.Generator) -> None:
        initialize(self.W, self.initializer, rng, self.scale)

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.X, p.window = X, self.window(*X.shape[1:3])
        Z = p.array("Z", len(X), *p.window.places(*X.shape[1:3]), self.filters)
        return p.engine.convolve(X, self.W, self.b, p.window, out=Z)

    def parameter_gradients(self, dZ: Array, p: LayerPass) -> None:
        p.engine.convolution_gradients(p.X, dZ, p.window, p.dW, p.db)

    def input_gradient(self, dZ: Array, p: LayerPass) -> Array:
        return p.engine.convolution_input_gradient(dZ, self.W, p.window, out=p.array("dX", *p.X.shape))


@dataclass(eq=False)
class _Pool(Layer):
    """One number for each channel of what lies under a window; what does not fill a window at the edge is left out.

    Args:
        size: of the square window.
        stride: how far it moves; None is its size, so that windows lie side by side.
    """

    size: int = 2
    stride: int | None = None

    def __post_init__(self) -> None:
        if not _is_whole(self.size) or not (self.stride is None or _is_whole(self.stride)):
            raise ValueError(
                f"size and stride of a pool are whole numbers of at least 1, not {self.size!r} and {self.stride!r}"
            )

    def window(self) -> Window:
        """Return the window."""
        return Window(self.size, self.size, self.stride or self.size)

    def output_shape(self, input_shape: Shape) -> Shape:
        h, w, c = _image_shape(input_shape, type(self).__name__)
        places = self.window().places(h, w)
        if 0 in places:
            raise ValueError(f"a pool of {self.size}×{self.size} leaves nothing of images of {h}×{w}")
        return (*places, c)

    def _output(self, X: Array, p: LayerPass) -> Array:
        return p.array("Y", len(X), *self.window().places(*X.shape[1:3]), X.shape[3])


@dataclass(eq=False)
class MaxPool2D(_Pool):
    """The largest number under the window, by channel.

        Y = max over the window of X         X (n, h, w, c)         Y (n, oh, ow, c)

    A small change of X moves Y only through the largest number, so dY goes there alone, to the first where several are
    equally large; where windows overlap, what comes from each is added up.

        dX = Σ over windows of dY where X is the largest, else 0
    """

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.X, p.Y = X, self._output(X, p)
        return p.engine.max_pool(X, self.window(), out=p.Y)

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        return p.engine.max_pool_gradient(p.X, p.Y, dY, self.window(), out=p.array("dX", *p.X.shape))


@dataclass(eq=False)
class AveragePool2D(_Pool):
    """The mean of the k² numbers under the window, by channel.

    Y = Σ over the window of X / k²         X (n, h, w, c)         Y (n, oh, ow, c)

    dX = Σ over the windows that hold it of dY / k²
    """

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.shape = X.shape
        return p.engine.average_pool(X, self.window(), out=self._output(X, p))

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        return p.engine.average_pool_gradient(dY, self.window(), out=p.array("dX", *p.shape))


@dataclass(eq=False)
class GlobalAveragePool2D(Layer):
    """The mean of each channel over all places of an image: as many features as there are channels, wherever they are.

        Y = Σ over places of X / (h w)         X (n, h, w, c)         Y (n, c)
        dX = dY / (h w) at each place

    Lin, Chen & Yan, Network in Network, 2014.
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return (_image_shape(input_shape, "GlobalAveragePool2D")[2],)

    def forward(self, X: Array, p: LayerPass) -> Array:
        p.shape, (n, h, w, c) = X.shape, X.shape
        Y: Array = p.engine.average_pool(X, Window(h, w), out=p.array("Y", n, 1, 1, c))
        return Y.reshape(n, c)

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        n, h, w, c = p.shape
        return p.engine.average_pool_gradient(dY.reshape(n, 1, 1, c), Window(h, w), out=p.array("dX", *p.shape))


def _padding(padding: str | int, length: int, size: int, stride: int) -> tuple[int, int]:
    """Return how many zeros go before and after an image's rows, or columns."""
    if isinstance(padding, int):
        return padding, padding
    total = max((ceil(length / stride) - 1) * stride + size - length, 0) if padding == "same" else 0
    return total // 2, total - total // 2


def _image_shape(shape: Shape, layer: str) -> tuple[int, int, int]:
    """Return height, width and channels; raise ValueError for what are no images."""
    if len(shape) != 3:
        raise ValueError(f"{layer} takes images (h, w, c), not examples of shape {shape}; put Reshape() before it")
    h, w, c = shape
    return h, w, c


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return a window's height and width; a file has them as a list."""
    if isinstance(size, int):
        return size, size
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise ValueError(f"the size of a window is a whole number or two, not {size!r}")
    return size[0], size[1]


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1
