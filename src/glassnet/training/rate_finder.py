"""How large the learning rate may be, found in the seconds that a couple of hundred steps take.

The learning-rate range test (Smith, 2017): take steps while the rate grows by the same factor each time,

    η(s) = first · (last / first)^(s / (n − 1))        s = 0, 1, …, n − 1

and look at the loss. While the rate is far too small nothing happens, then the loss falls, and at last it rises again.
What is suggested is the rate with which 85 % of the fall is done. Where it falls fastest, which is often advised, is
several times too small: in `benchmarks/learning_rates.py`, 21 choices of settings each trained with nine rates, it was
2.0 points of validation accuracy below the best of the nine, 4.8 at most, and this one 0.9 and 2.9.

The loss of single batches is noisy, so it is read off its exponential mean, corrected for having begun at zero:

    m ← β m + (1 − β) L        m̂ = m / (1 − β^(s + 1))
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..engines import computing
from ..errors import TrainingError
from .launch import choose_config
from .run_loop import RunLoop

__all__ = ["LearningRateSearch", "find_learning_rate"]

FIRST, LAST = 1e-6, 10.0  # η
STEPS = 200
IMAGES = 6_400  # that small batches see together where there are as many: steps on single images are mostly noise
FEWEST = 100  # steps, however few an epoch has: fewer would leap over what there is to see
MEMORY = 0.05  # of all steps: how far the exponential mean reaches back
TOO_MUCH = 4.0  # times the least loss, and the test is over
FELL = 0.85  # of the first loss: where the least is above it, the fall may be noise
DONE = 0.85  # of the fall: with this rate there is little left to fall, and it is far from where it rises again
MARGIN = 0.5  # of the rate with which it has diverged
LOST = 0.5  # of the fall: where the loss has risen by as much again, it has diverged


@dataclass(frozen=True, eq=False)
class LearningRateSearch:
    """What came of the steps of a range test.

    Attributes:
        rates: η of each step, (n,), growing.
        losses: the mean loss of each step's images, before it, (n,), in nats.
        smoothed: their exponential mean m̂, (n,).
        ended_early: whether the smoothed loss rose over four times its least, or the next loss was not finite.
        guess: the loss of giving each of the k classes the same probability, ln k.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    ended_early: bool
    guess: float = math.inf

    @property
    def settled(self) -> int:
        """From which step on the exponential mean is one of many losses; the curve is read from here."""
        return min(int(np.searchsorted(self.rates, FIRST * (LAST / FIRST) ** MEMORY)), len(self.rates) - 1)

    @property
    def start(self) -> float:
        """The smoothed loss before the rates are large enough to change it."""
        return float(self.smoothed[self.settled])

    @property
    def least(self) -> int:
        """The step at which the smoothed loss is least."""
        return self.settled + int(self.smoothed[self.settled :].argmin())

    @property
    def fell(self) -> bool:
        """Whether the smoothed loss fell by 15 % or more: less may be noise."""
        return bool(self.smoothed[self.least] < FELL * self.start)

    @property
    def suggestion(self) -> float | None:
        """The first rate with which 85 % of the smoothed loss's fall is done; None where it never falls.

        What falls from far above the loss of a guess is no sign of learning, so the fall is counted from there on. A
        loss that never gets below it is suggested the rate from half to twice which it falls most.
        """
        if not self.fell:
            return None
        rates, smoothed = self.rates[self.settled :], self.smoothed[self.settled :]
        start, least = min(self.start, self.guess), self.smoothed[self.least]
        if least < start:
            return float(rates[np.argmax(smoothed <= start - DONE * (start - least))])
        rise = np.interp(2 * rates, rates, smoothed) - np.interp(rates / 2, rates, smoothed)
        return float(rates[rise[: smoothed.argmin()].argmin()])

    @property
    def diverged(self) -> float | None:
        """The rate with which the smoothed loss had lost half of its fall again; None where it was not to be lost."""
        bound = self.start - (1 - LOST) * (self.start - self.smoothed[self.least])
        lost = self.smoothed[self.least :] > bound
        if self.fell and lost.any():
            return float(self.rates[self.least + lost.argmax()])
        return float(self.rates[-1]) if self.ended_early else None

    @property
    def largest(self) -> float | None:
        """Half of `diverged`, which no rate that trained well in those runs was above; None where that is."""
        return None if self.diverged is None else self.diverged * MARGIN


def find_learning_rate(dataset: Dataset, recipe: str | Path | None = None, **settings: Any) -> LearningRateSearch:
    """Find out with a range test how large a run's learning rate may be. Nothing is written.

    It takes 200 steps, or more of very small batches, and goes through the training images twice at most, unless that
    makes less than 100 steps. Learning rate, schedule and epochs of the settings play no part.

    Args:
        dataset: as for `glassnet.train`.
        recipe: as for `glassnet.train`.
        **settings: as for `glassnet.train`.

    Raises:
        ConfigError: a setting that cannot be.
        DataError: data that cannot be trained on.
        TrainingError: a batch larger than the data, or a loss that is not finite before anything is learned.
    """
    loop = RunLoop(choose_config(dataset, recipe, settings), dataset)
    size, epoch = loop.batches.size, len(loop.batches)
    steps = max(min(max(STEPS, IMAGES // size), 2 * epoch), FEWEST)
    beta, mean, least, ended_early = math.exp(-1 / (MEMORY * steps)), 0.0, math.inf, False
    losses: list[float] = []
    smoothed: list[float] = []

    def rate(step: int) -> float:
        return FIRST * math.pow(LAST / FIRST, step / (steps - 1))

    with computing(loop.network.engine):
        for step in range(steps):
            loss = loop.steps.take(*divmod(step, epoch), rate(step)).loss
            if not math.isfinite(loss):
                ended_early = True
                break
            mean = beta * mean + (1 - beta) * loss
            losses.append(loss)
            smoothed.append(mean / (1 - beta ** (step + 1)))
            if step >= MEMORY * steps:  # before, the mean is of a few losses that say little
                least = min(least, smoothed[-1])
            if smoothed[-1] > TOO_MUCH * least:
                ended_early = True
                break
    if not losses:
        raise TrainingError(
            "the loss is not finite before the first step; try a smaller initializer_scale, or another "
            f"scaling than {loop.config.scaling!r}"
        )
    rates = np.array([rate(step) for step in range(len(losses))])
    guess = math.log(len(dataset.classes))
    return LearningRateSearch(rates, np.array(losses), np.array(smoothed), ended_early, guess)
