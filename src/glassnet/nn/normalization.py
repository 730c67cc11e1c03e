"""Keeping the numbers between the layers at one scale while the layers below them change."""

from dataclasses import dataclass, field
from math import inf

import numpy as np

from .layers import Layer
from .passes import LayerPass
from .types import Array, Shape

__all__ = ["BatchNorm"]


@dataclass(eq=False)
class BatchNorm(Layer):
    """Shift and scale each unit to mean 0 and variance 1 over the batch, then let the network choose both anew.

    Of images (n, h, w, c) a unit is a channel, and each place is an example of it: X is then (n·h·w, c), and n below is
    n·h·w.

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

    needs_parameter_gradients = True

    momentum: float = 0.9
    epsilon: float = 1e-5

    gamma: Array = field(init=False, repr=False)
    beta: Array = field(init=False, repr=False)
    running_mean: Array = field(init=False, repr=False)
    running_variance: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1 or not 0 < self.epsilon < inf:
            raise ValueError(
                f"BatchNorm needs 0 ≤ momentum < 1 and epsilon > 0, not {self.momentum} and {self.epsilon}"
            )

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 3):
            raise ValueError(f"BatchNorm takes rows or images (h, w, c), not {input_shape}; use Flatten()")
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"gamma": input_shape[-1:], "beta": input_shape[-1:]}

    def statistic_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"running_mean": input_shape[-1:], "running_variance": input_shape[-1:]}

    def initialize(self, rng: np.random.Generator) -> None:
        self.gamma[...] = 1
        self.running_variance[...] = 1

    def forward(self, X: Array, p: LayerPass) -> Array:
        shape, X = X.shape, X.reshape(-1, X.shape[-1])
        n, d = X.shape
        p.C = p.array("C", n, d)  # X − μ
        if p.batch.training:
            sums = p.engine.empty((d + 1,), p.dtype)
            p.engine.column_sums(X, sums[:d])
            sums[d] = n
            _over_the_batch(sums, p)
            p.count = int(sums[d])
            mean = sums[:d] / p.count  # (d,)
            p.engine.centred(X, mean, out=p.C)
            squares = p.engine.column_products(p.C, p.C, out=p.engine.empty((d,), p.dtype))
            variance = _over_the_batch(squares, p) / p.count
            if p.count > 1:  # one row has no variance
                self._update_running_averages(mean, variance, p.count)
        else:
            variance = self.running_variance
            p.engine.centred(X, self.running_mean, out=p.C)
        p.inverse_std = 1 / np.sqrt(variance + self.epsilon)
        # X̂ = C / √(v + ε) is never there by itself: what multiplies it is brought together first, column by column.
        Y = p.engine.scale_shift(p.C, p.inverse_std * self.gamma, self.beta, out=p.array("Y", n, d))
        return Y.reshape(shape)

    def _update_running_averages(self, mean: Array, variance: Array, n: int) -> None:
        unbiased = variance * (n / (n - 1))
        for running, batch in ((self.running_mean, mean), (self.running_variance, unbiased)):
            running *= self.momentum
            running += (1 - self.momentum) * batch

    def parameter_gradients(self, dY: Array, p: LayerPass) -> None:
        dY = dY.reshape(p.C.shape)
        p.engine.column_sums(dY, p.dbeta)
        p.engine.column_products(dY, p.C, out=p.dgamma)
        p.dgamma *= p.inverse_std

    def input_gradient(self, dY: Array, p: LayerPass) -> Array:
        scale = self.gamma * p.inverse_std
        if not p.batch.training:  # when predicting, μ and v are constants
            dY *= scale
            return dY
        dbeta, dgamma = _over_the_batch(np.stack([p.dbeta, p.dgamma]), p) / p.count
        rows = dY.reshape(p.C.shape)
        return p.engine.normalisation_gradient(rows, p.C, dbeta, p.inverse_std * dgamma, scale).reshape(dY.shape)


def _over_the_batch(sums: Array, p: LayerPass) -> Array:
    """Return sums over the given rows as sums over the whole batch."""
    if p.batch.add_up:
        p.batch.add_up(sums)
    return sums
