"""The distance to the machine: how much of a training step is its matrix products, and where the rest goes.

The products of a step on n images, for layers of a inputs and b units, are X W, Xᵀ dZ and, but for the first layer,
dZ Wᵀ: 2 n a b operations each. They are timed by themselves, with np.matmul on arrays of these shapes and with the
threads that the step has. Their time over the step's is the share of the machine's own sgemm rate that training
reaches. It can pass 1 where glassnet computes a product in a quicker way than np.matmul does (`nn/products.py`).

    python benchmarks/distance.py [TRIALS SECONDS]     some three minutes
"""

import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from contenders import RATES, Steps, batches, glassnet_loop, glassnet_steps
from glassnet.engines import choose_threads, computing
from glassnet.nn import Pass
from glassnet.training import RunLoop
from machine import describe_machine, save_result
from throughput import BATCHES, NETS
from workers import Contest

STAGES = ("gather", "forward", "loss", "backward", "optimizer")
OPTIMIZER = "adam"


def operations(hidden: tuple[int, ...], batch: int) -> int:
    """Multiplications and additions of a step's products."""
    pairs = list(pairwise((784, *hidden, 10)))
    return 2 * batch * (3 * sum(a * b for a, b in pairs) - pairs[0][0] * pairs[0][1])


def product_steps(hidden: tuple[int, ...], batch: int) -> Steps:
    """Nothing but the products, each on arrays of its own."""
    sizes, rng = [784, *hidden, 10], np.random.default_rng(0)
    jobs = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        X, W, dZ = (rng.standard_normal(shape, np.float32) for shape in ((batch, a), (a, b), (batch, b)))
        jobs += [(X, W, np.empty_like(dZ)), (X.T, dZ, np.empty_like(W))] + [(dZ, W.T, np.empty_like(X))] * bool(i)
    threads = choose_threads(batch * max(a * b for a, b in pairwise(sizes)))

    def take(steps: int) -> None:
        with threadpool_limits(threads, "blas"):
            for _ in range(steps):
                for A, B, out in jobs:
                    np.matmul(A, B, out=out)

    return take


def stages(loop: RunLoop) -> Iterator[dict[str, float]]:
    """Take steps as `glassnet.training.Steps` does; yield each one's seconds by stage."""
    network, loss = loop.network, loop.loss
    p = Pass(network, training=True)
    for epoch, i in batches(loop):
        clock = [perf_counter()]
        X, y, _ = loop.batches.batch(epoch, i)
        clock.append(perf_counter())
        Z = network.forward(X, p)
        clock.append(perf_counter())
        found = loss(Z, y)
        np.count_nonzero(found.right)
        clock.append(perf_counter())
        network.backward(found.gradient, p)
        clock.append(perf_counter())
        loop.optimizer.step(RATES[OPTIMIZER])
        clock.append(perf_counter())
        yield dict(zip(STAGES, (b - a for a, b in pairwise(clock)), strict=True))


def profile(hidden: tuple[int, ...], batch: int, seconds: float) -> dict[str, float]:
    """The share of each stage in the steps of so many seconds; the first steps warm up."""
    loop, sums = glassnet_loop(hidden, batch, OPTIMIZER, engine="compiled"), dict.fromkeys(STAGES, 0.0)
    with computing(loop.network.engine):
        for taken, step in enumerate(stages(loop)):
            if taken >= 3:
                sums = {name: sums[name] + step[name] for name in STAGES}
            if sum(sums.values()) > seconds:
                break
    return {name: value / sum(sums.values()) for name, value in sums.items()}


def main(trials: int = 5, trial: float = 0.5) -> None:
    contest = Contest(
        {"step": partial(glassnet_steps, optimizer=OPTIMIZER, engine="compiled"), "products": product_steps}
    )
    cells: list[dict[str, Any]] = []
    for hidden, batch in product(NETS, BATCHES):
        seconds = contest.run((hidden, batch), trials, trial)["seconds"]
        shares = [a / b for a, b in zip(seconds["products"], seconds["step"], strict=True)]
        rates = [operations(hidden, batch) / value / 1e9 for value in seconds["products"]]
        spent = profile(hidden, batch, trial)
        cells.append({"hidden": hidden, "batch": batch, "shares": shares, "sgemm_gflops": rates, "profile": spent})
        print(hidden, batch, *(f"{share:.2f}" for share in shares), spent, flush=True)
    contest.close()
    machine = describe_machine("numpy", "glassnet")
    save_result("distance", {"machine": machine, "trials": trials, "optimizer": OPTIMIZER, "cells": cells})


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*map(int, arguments[:1]), *map(float, arguments[1:]))
