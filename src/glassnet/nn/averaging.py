"""The mean of the weights along the way of a run, which is a better network than the one at the way's end.

Steps on batches never settle: each pulls the weights a little towards its own images. The mean of recent weights has
less of that noise (Polyak & Juditsky, 1992). Recent ones count most if the mean moves a little towards the weights
after each step (an exponential moving average, EMA; for networks Tarvainen & Valpola, 2017):

    θ̄ ← dₜ θ̄ + (1 − dₜ) θ = θ̄ + (1 − dₜ) (θ − θ̄)        dₜ = min(d, (1 + t) / (10 + t))        t = 0, 1, 2, …

With d alone, the first weights, which know nothing, would count for some 1 / (1 − d) steps. With dₜ the mean reaches
back over the last ninth of the steps until that is long enough for d.
"""

from copy import deepcopy

from . import formulas
from .network import Network

__all__ = ["WeightAverage"]


class WeightAverage:
    """A second network that follows the first one, more calmly.

    Args:
        network: whose parameters to average, and the running averages of `BatchNorm` with them.
        decay: d, at least 0 and less than 1; the mean reaches back over some 1 / (1 − d) steps.

    Attributes:
        network: the averaged network θ̄, with memory of its own; at first a copy of ``network``.
        steps: t, how many steps have been averaged. With the parameters and statistics of the averaged network it is
            all that must be kept to go on.

    Raises:
        ValueError: another decay.
    """

    def __init__(self, network: Network, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"WeightAverage needs 0 ≤ decay < 1, not {decay}")
        self.decay, self.steps = decay, 0
        self.network, self._followed = deepcopy(network), network

    def update(self) -> None:
        """Move the averages towards the network as it is now; call it after each step."""
        part = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for mean, current in (
            (self.network.parameters, self._followed.parameters),
            (self.network.statistics, self._followed.statistics),
        ):
            self.network.engine.update(formulas.moving_average, (mean,), (current,), (part,))
