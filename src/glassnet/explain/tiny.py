"""A network of 23 numbers whose whole training step fits on a page and can be followed with a pocket calculator."""

from typing import Any

import numpy as np

from ..data import Preprocessing
from ..model import Model
from ..nn import Dense, Network, ReLU
from .explanation import Explanation
from .stages import explain

__all__ = ["explain_tiny"]

LEARNING_RATE = 0.5
IMAGE = np.array([[255, 51], [0, 102]], np.uint8)  # 255 times 1, 0.2, 0 and 0.4
# Found by a search: the second hidden unit is silent, and every sum, done by hand with the four decimals that are
# printed, gives the printed result to the last digit, before the step and after it.
PARAMETERS: dict[str, list[Any]] = {
    "0.W": [[0.3, -0.2, 0.8], [-0.3, -0.4, 0.4], [0.7, 0.6, -0.3], [0.6, 0.8, 0.6]],
    "0.b": [0.2, -0.1, -0.2],
    "2.W": [[0.6, 0.3], [-0.2, 0.7], [-0.1, 0.3]],
    "2.b": [-0.1, 0.1],
}


def explain_tiny(learning_rate: float = LEARNING_RATE) -> Explanation:
    """Explain a step of a 4-3-2 network that tells of an image of 2×2 pixels which half has more ink.

    Every stage has its sums. At the default learning rate they come out to the last printed digit.

    Raises:
        ConfigError: as `explain`.
    """
    network = Network([Dense(3), ReLU(), Dense(2)], 4, dtype=np.float64, seed=None)
    for name, values in PARAMETERS.items():
        network.named_parameters[name][...] = values
    form = Preprocessing(height=2, width=2, scale=1 / 255, shift=0.0, box=2, dark_on_light=False)
    return explain(Model(network, form, ("top", "bottom")), IMAGE, 0, learning_rate)
