"""A network of 23 numbers whose whole training step fits on a page and can be followed with a pocket calculator."""

from collections.abc import Mapping
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data import Preprocessing, as_pixels
from ..errors import ConfigError
from ..model import Model
from ..nn import Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU, Reshape
from ..nn.types import Array
from .explanation import Explanation
from .stages import explain

__all__ = ["explain_tiny", "explain_tiny_convolution"]

LEARNING_RATE = 0.5
IMAGE = np.array([[255, 51], [0, 102]], np.uint8)  # 255 times 1, 0.2, 0 and 0.4
# Found by a search: the second hidden unit is inactive, and every sum, done by hand with the four decimals that are
# printed, gives the printed result to the last digit, before the step and after it.
PARAMETERS: dict[str, list[Any]] = {
    "W1": [[0.3, -0.2, 0.8], [-0.3, -0.4, 0.4], [0.7, 0.6, -0.3], [0.6, 0.8, 0.6]],
    "b1": [0.2, -0.1, -0.2],
    "W2": [[0.6, 0.3], [-0.2, 0.7], [-0.1, 0.3]],
    "b2": [-0.1, 0.1],
}


CONVOLUTION_IMAGE = np.array([[255, 255, 255, 51], [0, 0, 255, 0], [0, 102, 204, 0], [0, 255, 0, 0]], np.uint8)
CONVOLUTION: dict[str, list[Any]] = {
    "W1": [[[[0.6]], [[0.4]]], [[[-0.5]], [[0.7]]]],
    "b1": [-0.2],
    "W2": [[0.5, -0.3], [-0.4, 0.6], [0.3, 0.2], [0.2, 0.8]],
    "b2": [0.1, -0.1],
}


def explain_tiny_convolution(
    learning_rate: float = LEARNING_RATE,
    parameters: Mapping[str, ArrayLike] = CONVOLUTION,
    image: ArrayLike = CONVOLUTION_IMAGE,
    label: int = 0,
) -> Explanation:
    """Explain a step of a convolution with one filter of 2×2 on an image of 4×4 pixels, which looks like a 7.

    The filter stands at 3×3 places; of each 2×2 of them the largest number stays; and two units say whether it is a 7
    or a 1. Its 15 numbers learn from the image by sums that are all written out.

    Args:
        learning_rate: η, more than 0.
        parameters: ``W1`` (2, 2, 1, 1), ``b1`` (1,), ``W2`` (4, 2) and ``b2`` (2,).
        image: (4, 4) pixels, from 0 to 255.
        label: 0 for a 7, 1 for a 1.

    Raises:
        ConfigError: parameters of other names or shapes, or that are not numbers; and as `explain`.
        DataError: as `explain`.
    """
    layers = [Reshape((4, 4, 1)), Conv2D(1, 2), MaxPool2D(2, 1), ReLU(), Flatten(), Dense(2)]
    return _explain(
        Network(layers, 16, dtype=np.float64, seed=None), parameters, image, label, ("7", "1"), learning_rate
    )


def explain_tiny(
    learning_rate: float = LEARNING_RATE,
    parameters: Mapping[str, ArrayLike] = PARAMETERS,
    image: ArrayLike = IMAGE,
    label: int = 0,
) -> Explanation:
    """Explain a step of a 4-3-2 network that tells of an image of 2×2 pixels which half has more ink.

    Every stage has its sums. With nothing given they come out to the last printed digit.

    Args:
        learning_rate: η, more than 0.
        parameters: ``W1`` (4, 3), ``b1`` (3,), ``W2`` (3, 2) and ``b2`` (2,).
        image: (2, 2) pixels, from 0 to 255.
        label: 0 where the top half has more ink, 1 where the bottom half has.

    Raises:
        ConfigError: parameters of other names or shapes, or that are not numbers; and as `explain`.
        DataError: as `explain`.
    """
    network = Network([Dense(3), ReLU(), Dense(2)], 4, dtype=np.float64, seed=None)
    return _explain(network, parameters, image, label, ("top", "bottom"), learning_rate)


def _explain(
    network: Network,
    parameters: Mapping[str, ArrayLike],
    image: ArrayLike,
    label: int,
    classes: tuple[str, str],
    learning_rate: float,
) -> Explanation:
    """Give a network its parameters, and explain a step of it on a square image."""
    if set(parameters) != set(PARAMETERS):
        given = ", ".join(map(str, parameters)) or "none"
        raise ConfigError(f"parameters: give {', '.join(PARAMETERS)}, not {given:.80}")
    for name, array in zip(PARAMETERS, network.named_parameters.values(), strict=True):
        array[...] = _numbers(name, parameters[name], array.shape)
    side = isqrt(network.input_shape[0])
    form = Preprocessing(height=side, width=side, scale=1 / 255, shift=0.0, box=side, dark_on_light=False)
    model = Model(network, form, classes)
    return explain(model, as_pixels(image, (side, side), "image"), label, learning_rate)


def _numbers(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the values as an array; raise ConfigError unless they are finite numbers of this shape."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{name}: give numbers of shape {shape}") from error
    if array.shape != shape:
        raise ConfigError(f"{name}: give numbers of shape {shape}, not of {array.shape}")
    if not np.isfinite(array).all():
        raise ConfigError(f"{name}: every number must be finite")
    return array
