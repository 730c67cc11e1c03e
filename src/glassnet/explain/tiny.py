"""A network of 23 numbers whose whole training step fits on a page and can be followed with a pocket calculator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data import Preprocessing, as_pixels
from ..errors import ConfigError
from ..model import Model
from ..nn import Dense, Network, ReLU
from ..nn.types import Array
from .explanation import Explanation
from .stages import explain

__all__ = ["explain_tiny"]

LEARNING_RATE = 0.5
IMAGE = np.array([[255, 51], [0, 102]], np.uint8)  # 255 times 1, 0.2, 0 and 0.4
# Found by a search: the second hidden unit is silent, and every sum, done by hand with the four decimals that are
# printed, gives the printed result to the last digit, before the step and after it.
PARAMETERS: dict[str, list[Any]] = {
    "W1": [[0.3, -0.2, 0.8], [-0.3, -0.4, 0.4], [0.7, 0.6, -0.3], [0.6, 0.8, 0.6]],
    "b1": [0.2, -0.1, -0.2],
    "W2": [[0.6, 0.3], [-0.2, 0.7], [-0.1, 0.3]],
    "b2": [-0.1, 0.1],
}


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
    if set(parameters) != set(PARAMETERS):
        given = ", ".join(map(str, parameters)) or "none"
        raise ConfigError(f"parameters: give {', '.join(PARAMETERS)}, not {given:.80}")
    for name, array in zip(PARAMETERS, network.named_parameters.values(), strict=True):
        array[...] = _numbers(name, parameters[name], array.shape)
    form = Preprocessing(height=2, width=2, scale=1 / 255, shift=0.0, box=2, dark_on_light=False)
    return explain(Model(network, form, ("top", "bottom")), as_pixels(image, (2, 2), "image"), label, learning_rate)


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
