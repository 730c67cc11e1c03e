"""A preference for small weights, added to the loss."""

from dataclasses import dataclass
from math import inf

import numpy as np

from . import formulas
from .network import Network

__all__ = ["L2"]


@dataclass(frozen=True)
class L2:
    """Half the sum of the squared weights, times λ; biases and normalisation parameters are left alone.

        R = λ/2 Σ W²        dW += λ W

    It is added to a mean loss, so λ means the same at every batch size.

    Args:
        strength: λ, at least 0.
    """

    strength: float

    def __post_init__(self) -> None:
        if not 0 <= self.strength < inf:
            raise ValueError(f"the strength of L2 is a number of at least 0, not {self.strength}")

    def penalty(self, network: Network) -> float:
        """Return R."""
        return 0.5 * self.strength * sum(float(np.vdot(W, W)) for W, _ in network.weights())

    def add_gradient(self, network: Network) -> None:
        """Add λ W to the gradient of each weight matrix, in place."""
        for W, dW in network.weights():
            network.engine.update(formulas.add_multiple, (dW,), (W,), (self.strength,))
