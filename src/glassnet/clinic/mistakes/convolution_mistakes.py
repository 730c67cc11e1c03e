"""Mistakes on the way back through convolutions and pools, where indices are easily mixed up."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...nn import Conv2D, Flatten, Layer, LayerPass, MaxPool2D
from ...nn.types import Array
from .gradient_mistakes import settings_of
from .mistake import Mistake

__all__ = ["ChannelsFoldedFirst", "PoolGradientToAllPlaces", "UnflippedFilters"]

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
