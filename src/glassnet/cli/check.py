"""``glassnet check-gradients``: is backward the derivative of forward?"""

import numpy as np

from ..errors import TrainingError
from ..nn import L2
from ..nn import check_gradients as check
from ..training import Config, build_loss, build_network
from .output import print_json

__all__ = ["check_gradients"]

IMAGES, SIDE, CLASSES = 24, 28, 10


def check_gradients(*, recipe: str = "default", json: bool = False) -> None:
    """Check the gradients of a recipe against finite differences of its loss, in float64.

    All layers, the loss and the regularization of the recipe are included. Small parameters are checked coordinate by
    coordinate, large ones along random directions. If gradients differ, both are printed and the exit status is 2.

    Parameters
    ----------
    recipe
        Name of a recipe, or a TOML file of settings.
    json
        Print the largest error of each parameter as JSON.
    """
    config = Config.resolve(recipe, precision="float64")
    rng = np.random.default_rng(0)
    X, y = rng.random((IMAGES, SIDE * SIDE)), rng.integers(0, CLASSES, IMAGES)
    network = build_network(config, (SIDE, SIDE), CLASSES)
    result = check(network, build_loss(config, y, CLASSES), X, y, regularizer=L2(config.l2), coordinates=300)
    if json:
        print_json({"passed": result.passed, "errors": {p.name: float(p.errors.max()) for p in result.parameters}})
    elif result.passed:
        print(result)
        print(f"\nAnalytic and numerical gradients agree to {result.largest_error:.0e}.")
    if not result.passed:
        raise TrainingError(f"recipe {recipe!r}: analytic and numerical gradients differ, see above")
