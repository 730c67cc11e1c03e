"""One run in two processes: a step beside one process, what an all-reduce costs, and what 64 machines would do.

    python benchmarks/parallel.py [TRIALS SECONDS]     under two minutes; needs the extra mpi and MNIST

One and two ranks, each with one thread, take turns at a global batch of 512 on 784-1024-1024-10 with Adam. Two ranks
also time the all-reduce for messages of many lengths, which gives its latency α and its rate 1/β, and one rank times
the optimizer by itself and steps on smaller and smaller batches, which are the shares of many machines. From these the
projection follows.
"""

import json
import subprocess
import sys
from math import log2
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from contenders import RATES, batches, glassnet_loop
from glassnet.engines import computing
from glassnet.training import Loop, open_ranks
from machine import describe_machine, save_result

HIDDEN, BATCH, OPTIMIZER = (1024, 1024), 512, "adam"
BYTES = [2**power for power in range(6, 25, 2)]  # 64 bytes to 16 MiB
SHARES = [BATCH // 2**power for power in range(7)]  # of 1 to 64 machines
NETWORKS = {"10 Gbit/s": (30e-6, 10e9 / 8), "100 Gbit/s": (3e-6, 100e9 / 8)}  # latency in s, bytes a second
ASSUMPTIONS = (
    "each machine is as quick as one rank here, has one thread, and none is slower than the others",
    "an all-reduce of n bytes on m machines takes 2 log₂ m α + 2 (m − 1)/m n β (Rabenseifner's algorithm; Thakur, "
    "Rabenseifner and Gropp, 2005), to gather n bytes half of that, to add up two numbers 2 log₂ m α, and to tell "
    "whether to go on log₂ m α; nothing of it goes on while a step is computed",
    "α and β are those measured here between two ranks ('as here'), or the ones assumed for a network: "
    + ", ".join(f"{name} with {a * 1e6:.0f} µs" for name, (a, _) in NETWORKS.items()),
    "a machine moves its own share of the parameters, in that share of the optimizer's time",
    "rank 0 alone validates and saves, which is left out",
)


def step_seconds(loop: Loop, seconds: float) -> float:
    """Return the median time of a step."""
    times: list[float] = []
    end = perf_counter() + seconds
    for epoch, i in batches(loop):
        start = perf_counter()
        loop.steps.take(epoch, i, RATES[OPTIMIZER])
        loop.ranks.agree(lambda: None)
        times.append(perf_counter() - start)
        if loop.ranks.agree(lambda: perf_counter() > end and len(times) > 4):
            return median(times[2:])
    raise AssertionError("batches never end")


def optimizer_seconds(loop: Loop) -> float:
    """Return the median time in which the optimizer moves all parameters."""
    gradients = loop.network.gradients
    gradients[...] = np.random.default_rng(0).normal(size=gradients.size)
    times = []
    for _ in range(50):
        start = perf_counter()
        loop.optimizer.step(RATES[OPTIMIZER])
        times.append(perf_counter() - start)
    return median(times)


def allreduce_seconds() -> dict[int, float]:
    """Return the time of an all-reduce by its bytes; every rank calls this."""
    ranks, result = open_ranks("mpi"), {}
    for size in BYTES:
        numbers, times = np.zeros(size // 4, np.float32), []
        for _ in range(50 if size < 2**20 else 10):
            start = perf_counter()
            ranks.sum(numbers)
            times.append(perf_counter() - start)
        result[size] = median(times)
    return result


def as_rank(what: str, seconds: float) -> None:
    """Measure as one of the processes that mpiexec began; rank 0 prints what came out."""
    ranks = open_ranks("mpi")
    result: dict[Any, float] = {}
    if what == "reduce":
        result = allreduce_seconds()
    if what == "optimizer":
        result[BATCH] = optimizer_seconds(glassnet_loop(HIDDEN, BATCH, OPTIMIZER, threads=1))
    for share in {"steps": [BATCH], "shares": SHARES}.get(what, []):
        loop = glassnet_loop(HIDDEN, share, OPTIMIZER, threads=1, ranks=ranks)
        with computing(loop.network.engine):
            result[share] = step_seconds(loop, seconds)
    if ranks.rank == 0:
        print(json.dumps(result))


def measure(ranks: int, what: str, seconds: float) -> dict[int, float]:
    """Return what so many ranks measured."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    command = [mpiexec, "-n", str(ranks), sys.executable, __file__, what, str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {int(key): value for key, value in json.loads(output).items()}


def latency_and_cost(seconds: dict[int, float]) -> tuple[float, float]:
    """Return α in s and β in s a byte: 2 α + n β for two ranks, from the shortest and the longest messages."""
    sizes = sorted(seconds)
    alpha = seconds[sizes[0]] / 2
    return alpha, max(seconds[sizes[-1]] - 2 * alpha, 0.0) / sizes[-1]


def projection(
    shares: dict[int, float], optimizer: float, size: int, alpha: float, beta: float
) -> dict[str, list[float]]:
    """Return how many times quicker 1, 2, 4, … 64 machines are than one, for ``size`` bytes of gradient.

    Either all share a batch of 512, or each has 512 of its own and the batch grows. Of the time of a step,
    ``optimizer`` is shared out among the machines in either case.
    """
    result: dict[str, list[float]] = {"one batch of 512": [], "512 for each machine": []}
    for power in range(len(SHARES)):
        m = 2**power
        more = 6 * log2(m) * alpha + 3 * (m - 1) / m * size * beta - (m - 1) / m * optimizer
        result["one batch of 512"].append(shares[BATCH] / (shares[SHARES[power]] + more))
        result["512 for each machine"].append(m * shares[BATCH] / (shares[BATCH] + more))
    return result


def main(trials: int, seconds: float) -> None:
    pairs = [[measure(n, "steps", seconds)[BATCH] for n in order] for order in [(1, 2)] * trials]
    reduce, shares = measure(2, "reduce", seconds), measure(1, "shares", seconds / 3)
    optimizer = measure(1, "optimizer", seconds)[BATCH]
    parameters = sum((a + 1) * b for a, b in zip((784, *HIDDEN), (*HIDDEN, 10), strict=True))
    alpha, beta = latency_and_cost(reduce)
    ratios = sorted(one / two for one, two in pairs)
    ways = {"as here": (alpha, beta)} | {name: (a, 1 / rate) for name, (a, rate) in NETWORKS.items()}
    projected = {name: projection(shares, optimizer, 4 * parameters, *way) for name, way in ways.items()}
    one, two = (median(pair[i] for pair in pairs) * 1e3 for i in (0, 1))
    print(f"784-1024-1024-10, batch {BATCH}, a thread a rank: {one:.1f} ms a step with 1 rank, {two:.1f} with 2:")
    print(f"{median(ratios):.2f} × ({ratios[0]:.2f} to {ratios[-1]:.2f}, {trials} pairs)\n")
    print("all-reduce between two ranks\n" + f"{'bytes':>12}  {'µs':>10}  {'MB/s':>8}")
    for size, took in reduce.items():
        print(f"{size:>12,}  {took * 1e6:>10,.1f}  {size / took / 1e6:>8,.0f}")
    print(f"α = {alpha * 1e6:.1f} µs, 1/β = {1 / beta / 1e9 if beta else float('inf'):.2f} GB/s")
    print("\nstep by images: " + ", ".join(f"{share}: {took * 1e3:.1f} ms" for share, took in shares.items()))
    print(f"the optimizer's part of it: {optimizer * 1e3:.1f} ms")
    print(
        "\nprojected: times quicker than one machine\n" + " " * 34 + "".join(f"{2**p:>6}" for p in range(len(SHARES)))
    )
    for name, kinds in projected.items():
        for kind, times in kinds.items():
            print(f"{name:<11} {kind:<22}" + "".join(f"{value:>6.1f}" for value in times))
    print("assuming that")
    for number, text in enumerate(ASSUMPTIONS, 1):
        print(f"  {number}. {text}")
    result = {
        "machine": describe_machine("numpy", "mpi4py", "mpich"),
        "net": "784-1024-1024-10",
        "batch": BATCH,
        "seconds_of_a_step": {"1": [pair[0] for pair in pairs], "2": [pair[1] for pair in pairs]},
        "ratios": ratios,
        "allreduce_seconds": reduce,
        "latency": alpha,
        "seconds_a_byte": beta,
        "step_seconds_by_images": shares,
        "optimizer_seconds": optimizer,
        "gradient_bytes": 4 * parameters,
        "machines": [2**power for power in range(len(SHARES))],
        "projected": projected,
        "assumptions": ASSUMPTIONS,
    }
    save_result("parallel", result)


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].isdigit():
        as_rank(sys.argv[1], float(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 5, float(sys.argv[2]) if sys.argv[2:] else 3.0)
