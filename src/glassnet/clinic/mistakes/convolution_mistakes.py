"""Mistakes in convolutions and pools, where indices and axes are easily mixed up."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...nn import Bias, Conv2D, Flatten, Layer, LayerPass, MaxPool2D
from ...nn.types import Array
from .gradient_mistakes import settings_of
from .mistake import Mistake

__all__ = ["BiasPerPixel", "ChannelsFoldedFirst", "PoolGradientToAllPlaces", "UnflippedFilters", "WrongPadding"]

# Two convolutions: nothing below the first one needs a gradient.
LAYERS: Mapping[str, Any] = {
    "layers": ["conv 8 3x3 same", "pool 2", "conv 16 3x3 same", "pool 2"],
    "learning_rate": 0.1,
}


class PoolGradientToAllPlaces(Mistake):
    """np.repeat, which undoes a pool's change of shape, and not its choice."""

    name = "pool-gradient-to-all-places"
    tutorial = "12-a-convolutional-network"
    summary = "A max pool hands its gradient to every number under the window, not to the largest alone."
    wrong = "dX = dY at each place under the window"
    right = "dX = dY where X is the largest under the window, else 0"
    effect = (
        "The filters are moved by places that had no part in the answer: four times as much gradient comes down, "
        "most of it in wrong directions."
    )
    symptom = "Little to see: the network learns, and ends about a point of accuracy below what it could."
    check = "gradient check of the layers below the pool"
    circumstances = LAYERS
    needs: ClassVar[Mapping[str, int]] = {"pool": 1, "conv": 1}

    def layer(self, layer: Layer) -> Layer:
        return _ToAllPlaces(**settings_of(layer)) if isinstance(layer, MaxPool2D) else layer


@dataclass(eq=False)
class _ToAllPlaces(MaxPool2D):
    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        dX = p.engine.average_pool_gradient(dY, self.window(), out=p.array("dX", *p.X.shape))
        dX *= self.size**2
        return dX


class UnflippedFilters(Mistake):
    """Backward by another convolution, with the filters as they are."""

    name = "unflipped-filters"
    tutorial = "11-convolution"
    summary = "The gradient of a convolution's input is computed with the filters as they are, not flipped."
    wrong = "dX[y, x] = Σ W[u, v] dZ[y + u, x + v]"
    right = "dX[y, x] = Σ W[u, v] dZ[y − u, x − v]"
    effect = "The layers below a convolution get the gradient of a mirrored network; those above it learn as always."
    symptom = "Little to see: the last layers fit what the first ones happen to find, about a point of accuracy lower."
    check = "gradient check of the layers below the convolution"
    circumstances = LAYERS
    needs: ClassVar[Mapping[str, int]] = {"conv": 2}

    def layer(self, layer: Layer) -> Layer:
        return _Unflipped(**settings_of(layer)) if isinstance(layer, Conv2D) else layer


@dataclass(eq=False)
class _Unflipped(Conv2D):
    def input_gradient(self, dZ: Array, p: LayerPass) -> Array:
        mirrored = copy(self)
        mirrored.W = np.ascontiguousarray(self.W[::-1, ::-1])
        return Conv2D.input_gradient(mirrored, dZ, p)


class ChannelsFoldedFirst(Mistake):
    """A reshape to a shape of as many numbers, in another order."""

    name = "channels-folded-first"
    tutorial = "12-a-convolutional-network"
    summary = "What was laid out as rows, columns, channels is folded back as channels, rows, columns."
    wrong = "dX = reshape(dY, (channels, rows, columns)), axes then put in order"
    right = "dX = reshape(dY, (rows, columns, channels))"
    effect = (
        "Each filter gets the gradients of other filters at other places, which is noise. Shapes fit and nothing "
        "fails; the layers above learn from filters that are no better than random ones."
    )
    symptom = "Little to see: random filters find strokes, too. It ends about a point of accuracy lower."
    check = "gradient check of the layers below"
    circumstances = LAYERS
    needs: ClassVar[Mapping[str, int]] = {"conv": 1}

    def layer(self, layer: Layer) -> Layer:
        return _FoldedChannelsFirst() if isinstance(layer, Flatten) else layer


@dataclass(eq=False)
class _FoldedChannelsFirst(Flatten):
    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        n, h, w, c = p.shape
        dX: Array = np.ascontiguousarray(dY.reshape(n, c, h, w).transpose(0, 2, 3, 1))
        return dX


class WrongPadding(Mistake):
    """A slice from zero, where the image begins inside of its padding."""

    name = "wrong-padding"
    tutorial = "11-convolution"
    summary = "The gradient of a padded image is cut down to the image from its corner, not from inside the padding."
    wrong = "dX = dP[0 : h, 0 : w]        P is X with zeros around it"
    right = "dX = dP[top : top + h, left : left + w]"
    effect = (
        "The layers below a padded convolution get its gradient moved down and to the right by the width of the "
        "padding: each place learns from what its neighbour did wrong."
    )
    symptom = "Little to see: neighbours are alike, so the gradient is not far off. It ends some points lower."
    check = "gradient check of the layers below the convolution"
    circumstances = LAYERS
    needs: ClassVar[Mapping[str, int]] = {"padded conv": 2}

    def layer(self, layer: Layer) -> Layer:
        return _CutFromTheCorner(**settings_of(layer)) if isinstance(layer, Conv2D) else layer


@dataclass(eq=False)
class _CutFromTheCorner(Conv2D):
    def input_gradient(self, dZ: Array, p: LayerPass) -> Array:
        (n, h, w, c), window = p.X.shape, p.window
        padded = p.array("dP", n, h + window.top + window.bottom, w + window.left + window.right, c)
        p.engine.convolution_input_gradient(dZ, self.W, window._replace(top=0, bottom=0, left=0, right=0), out=padded)
        dX = p.array("dX", n, h, w, c)
        dX[...] = padded[:, :h, :w]
        return dX


class BiasPerPixel(Mistake):
    """np.sum over the examples alone, and b = b − η db, which by broadcasting takes the shape of db."""

    name = "bias-per-pixel"
    tutorial = "11-convolution"
    summary = "A convolution has a bias for each place of the image, not one for each filter."
    wrong = "db = Σ over examples of dZ                  one number for each place of each filter"
    right = "db = Σ over examples and places of dZ       one number for each filter"
    effect = (
        "A filter is no longer the same everywhere: what it learns at one place is not known at another, and there "
        "are as many biases to learn as a feature map has numbers."
    )
    symptom = "Little to see on digits in the middle of their images; biases have three axes, and files grow."
    check = "shapes: b and db have one number for each filter"
    circumstances = LAYERS
    from_the_start = True
    needs: ClassVar[Mapping[str, int]] = {"conv": 1}

    def layers(self, layers: Sequence[Layer]) -> list[Layer]:
        found: list[Layer] = []
        for layer in layers:
            found += [_WithoutBias(**settings_of(layer)), Bias()] if isinstance(layer, Conv2D) else [layer]
        return found


@dataclass(eq=False)
class _WithoutBias(Conv2D):
    def parameter_gradients(self, dZ: Array, p: LayerPass) -> None:
        super().parameter_gradients(dZ, p)
        p.db[...] = 0
