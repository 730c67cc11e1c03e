"""Steps on single examples through a chain, compiled: one call a step, or one each way where the loss is not compiled.

For one example a layer computes so little that nearly all the time of its operations goes into calling them.
"""

from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import Any

import numpy as np
from numba import njit

from ..nn.chain import Chain
from ..nn.elementwise import Formula
from ..nn.types import Array
from .kept import keep
from .kernels import losses_of_rows
from .loops import compiled_rule

__all__ = ["CompiledChain"]

FORWARD, STEP, BACKWARD = range(3)


class CompiledChain:
    """`glassnet.nn.chain.ChainSteps` in compiled code; arguments are those of `Engine.chain_steps`."""

    def __init__(self, chain: Chain, parameters: Array, gradients: Array) -> None:
        dtype, units = parameters.dtype, chain.units
        self._codes = _compiled(chain.rule, chain.gradient, dtype)
        work = np.zeros((3, sum(units)), dtype)
        self._given = parameters, gradients, np.array(units), work, tuple(map(dtype.type, chain.constants))
        self._logits, self._delta = work[:1, -units[-1] :], work[2:, -units[-1] :]
        self.delta = work[2:, : units[0]]

    def forward(self, Z: Array, likeness: Array, moves: Array, t: int) -> Array:
        self._codes[FORWARD](Z, likeness, moves, t, *self._given)
        return self._logits

    def backward(self, dY: Array, moves: Array, t: int, rate: float) -> None:
        self._delta[...] = dY
        self._codes[BACKWARD](moves, t, rate, *self._given)

    def step(
        self, Z: Array, likeness: Array, moves: Array, t: int, label: int, smoothing: float, weight: float, rate: float
    ) -> tuple[float, bool]:
        found: tuple[float, bool] = self._codes[STEP](
            Z, likeness, moves, t, label, smoothing, weight, rate, *self._given
        )
        return found


@cache
def _compiled(rule: Formula, gradient: Formula, dtype: np.dtype[Any]) -> tuple[Callable[..., Any], ...]:
    """Return `forward`, `step` and `backward` of chains with an activation.

    In ``work`` are z, a = f(z) and dz of all units, layer after layer; in θ and its gradients are W (d, k) and b (k,)
    of each layer but the first. What a step takes off W x + b of the first layer is in ``moves``.
    """
    f, slope = compiled_rule(rule, dtype), compiled_rule(gradient, dtype)

    @njit(error_model="numpy", fastmath={"reassoc", "contract"})
    def go_forward(Z: Any, likeness: Any, moves: Any, t: int, theta: Any, units: Any, work: Any, c: Any) -> None:
        z, a, first = work[0], work[1], work[0, : units[0]]
        first[:] = Z[t]
        for i in range(t):
            much, move = likeness[t, i], moves[i]
            for j in range(len(first)):
                first[j] -= much * move[j]
        unit, place = 0, 0
        for level in range(1, len(units)):
            d, k = units[level - 1], units[level]
            x, above = a[unit : unit + d], z[unit + d : unit + d + k]
            below = z[unit : unit + d]
            for i in range(d):
                x[i] = f(below[i], *c)
            W = theta[place : place + d * k].reshape(d, k)
            above[:] = theta[place + d * k : place + d * k + k]
            for i in range(d):
                w = W[i]
                for j in range(k):
                    above[j] += x[i] * w[j]
            unit, place = unit + d, place + d * k + k

    @njit(error_model="numpy", fastmath={"reassoc", "contract"})  # so that sums take many numbers at a time
    def go_back(moves: Any, t: int, eta: Any, theta: Any, gradients: Any, units: Any, work: Any, c: Any) -> None:
        z, a, delta, zero = work[0], work[1], work[2], theta.dtype.type(0)
        unit, place = len(z) - units[-1], len(theta)
        for level in range(len(units) - 1, 0, -1):
            d, k = units[level - 1], units[level]
            dz = delta[unit : unit + k]
            unit, place = unit - d, place - d * k - k
            W, dW = theta[place : place + d * k].reshape(d, k), gradients[place : place + d * k].reshape(d, k)
            b, db = theta[place + d * k : place + d * k + k], gradients[place + d * k : place + d * k + k]
            for i in range(d):
                w, g, x, da = W[i], dW[i], a[unit + i], zero
                for j in range(k):
                    da += w[j] * dz[j]
                    g[j] = x * dz[j]
                    w[j] -= eta * g[j]
                delta[unit + i] = slope(da, z[unit + i], x, *c)
            for j in range(k):
                db[j] = dz[j]
                b[j] -= eta * dz[j]
        for j in range(units[0]):
            moves[t, j] = eta * delta[j]

    def forward(
        Z: Any, likeness: Any, moves: Any, t: int, theta: Any, gradients: Any, units: Any, work: Any, c: Any
    ) -> None:
        go_forward(Z, likeness, moves, t, theta, units, work, c)

    def step(
        Z: Any,
        likeness: Any,
        moves: Any,
        t: int,
        label: int,
        smoothing: float,
        weight: float,
        rate: float,
        theta: Any,
        gradients: Any,
        units: Any,
        work: Any,
        c: Any,
    ) -> Any:
        go_forward(Z, likeness, moves, t, theta, units, work, c)
        kind, last = theta.dtype.type, work.shape[1] - units[-1]
        y, w, losses, right = np.full(1, label), np.full(1, kind(weight)), np.empty(1, kind), np.empty(1, np.bool_)
        losses_of_rows(0, 1, work[:1, last:], y, kind(smoothing), w, losses, right, work[2:, last:])
        loss = losses[0] * w[0]
        if isfinite(loss):
            go_back(moves, t, kind(rate), theta, gradients, units, work, c)
        return loss, right[0]

    def backward(moves: Any, t: int, rate: float, theta: Any, gradients: Any, units: Any, work: Any, c: Any) -> None:
        go_back(moves, t, theta.dtype.type(rate), theta, gradients, units, work, c)

    for code in (forward, step, backward):
        code.__name__ = code.__qualname__ = f"{rule.__name__}_{gradient.__name__}_{code.__name__}"
    return keep(forward), keep(step), keep(backward)
