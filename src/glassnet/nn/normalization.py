"""Keeping the numbers between the layers at one scale while the layers below them change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import numpy as np

from .layers import Layer
from .products import sum_of_rows
from .types import Array, Shape

__all__ = ["BatchNorm"]


@dataclass(eq=False)
class BatchNorm(Layer):
    """Shift and scale each unit to mean 0 and variance 1 over the batch, then let the network choose both anew.

        μ = mean of X over the batch        v = mean of (X − μ)²           (d,)
        X̂ = (X − μ) / √(v + ε)              Y = γ X̂ + β                    (n, d)

    μ and v depend on every row, so the chain rule goes through them as well (Ioffe & Szegedy, 2015):

        dβ = Σₙ dY          dγ = Σₙ dY X̂
        dX = γ / √(v + ε) · (dY − dβ/n − X̂ dγ/n)

    Predicting one image must not depend on its neighbours: there the running averages of μ and v from training stand
    in, of which each batch replaces a part ``1 - momentum``. The running variance is the unbiased one (÷ n − 1).

    Args:
        momentum: how much of the running averages stays at each batch.
        epsilon: ε, which keeps a constant unit from being divided by zero.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    gamma: Array = field(init=False, repr=False)
    beta: Array = field(init=False, repr=False)
    dgamma: Array = field(init=False, repr=False)
    dbeta: Array = field(init=False, repr=False)
    running_mean: Array = field(init=False, repr=False)
    running_variance: Array = field(init=False, repr=False)

    add_up: Callable[[Array], None] | None = field(default=None, init=False, repr=False)
    """Adds to sums over the rows given those over the rest of the batch, where that is elsewhere."""

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1 or not 0 < self.epsilon < inf:
            raise ValueError(
                f"BatchNorm needs 0 ≤ momentum < 1 and epsilon > 0, not {self.momentum} and {self.epsilon}"
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(f"BatchNorm takes rows of numbers, not examples of shape {input_shape}; use Flatten()")
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"gamma": input_shape, "beta": input_shape}

    def statistic_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"running_mean": input_shape, "running_variance": input_shape}

    def initialize(self, rng: np.random.Generator) -> None:
        self.gamma[...] = 1
        self.running_variance[...] = 1

    def forward(self, X: Array, training: bool = False) -> Array:
        n, d = X.shape
        self.training = training
        C = self.C = self.workspace("C", n, d)  # X − μ
        if training:
            sums = np.empty(d + 1, self.dtype)
            sum_of_rows(X, sums[:d])
            sums[d] = n
            self._over_the_batch(sums)
            self.count = int(sums[d])
            mean = sums[:d] / self.count  # (d,)
            np.subtract(X, mean, out=C)
            variance: Array = self._over_the_batch(np.einsum("nd,nd->d", C, C)) / self.count
            if self.count > 1:  # one row has no variance
                self._update_running_averages(mean, variance, self.count)
        else:
            variance = self.running_variance
            np.subtract(X, self.running_mean, out=C)
        self.inverse_std = 1 / np.sqrt(variance + self.epsilon)
        # X̂ = C / √(v + ε) is never there by itself: what multiplies it is brought together first, column by column.
        Y: Array = np.multiply(C, self.inverse_std * self.gamma, out=self.workspace("Y", n, d))
        Y += self.beta
        return Y

    def _over_the_batch(self, sums: Array) -> Array:
        if self.add_up:
            self.add_up(sums)
        return sums

    def _update_running_averages(self, mean: Array, variance: Array, n: int) -> None:
        unbiased = variance * (n / (n - 1))
        for running, batch in ((self.running_mean, mean), (self.running_variance, unbiased)):
            running *= self.momentum
            running += (1 - self.momentum) * batch

    def parameter_gradients(self, dY: Array) -> None:
        sum_of_rows(dY, self.dbeta)
        np.einsum("nd,nd->d", dY, self.C, out=self.dgamma)
        self.dgamma *= self.inverse_std

    def input_gradient(self, dY: Array) -> Array:
        if self.training:  # when predicting, μ and v are constants
            n = self.count
            dbeta, dgamma = self.dbeta, self.dgamma
            if self.add_up:
                dbeta, dgamma = self._over_the_batch(np.stack([dbeta, dgamma]))
            dY -= dbeta / n
            factors = self.inverse_std * dgamma / n  # (d,)
            dY -= np.multiply(self.C, factors, out=self.workspace("correction", *dY.shape))
        dY *= self.gamma * self.inverse_std
        return dY
