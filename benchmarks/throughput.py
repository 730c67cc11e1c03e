"""Training throughput: images a second, glassnet beside PyTorch and scikit-learn (`contenders.py`).

Five nets, four batch sizes, two rules; all contenders at one cell take turns before the next cell begins. All may use
all threads; glassnet may choose to use one, and PyTorch with its fused optimizer is measured with one as well. Then
some of the cells again, where all have one thread.

    python benchmarks/throughput.py [TRIALS SECONDS]        some 40 minutes on two cores
    python benchmarks/throughput.py TRIALS SECONDS intel    a quarter of an hour, on an Intel processor

On the second processor only float32 is measured, without scikit-learn; the result is throughput-intel.json.
"""

import sys
from itertools import product
from statistics import median

from contenders import FLOAT32, NUMPY, THREADS, TRAINING
from machine import describe_machine, save_result
from workers import Contest

NETS = ((10,), (128, 64), (512, 256), (800,), (1024, 1024))
BATCHES = (32, 128, 512, 2048)
OPTIMIZERS = ("adam", "momentum")
CELLS = [
    *product(OPTIMIZERS, NETS, BATCHES, (None,)),
    *product(("adam",), NETS, (128, 2048), (1,)),
]


def main(trials: int = 5, trial: float = 0.5, second: str = "") -> None:
    if second not in ("", "intel"):
        raise SystemExit(f"throughput.py: the third argument is intel or nothing, not {second}")
    contenders = {key: TRAINING[key] for key in ("glassnet", NUMPY, *FLOAT32)} if second else TRAINING
    contest, cells = Contest(contenders), []
    for optimizer, hidden, batch, threads in CELLS:
        timed = contest.run((hidden, batch, optimizer, threads), trials, trial)
        rates = {name: [batch / seconds for seconds in values] for name, values in timed["seconds"].items()}
        cell = {"hidden": hidden, "batch": batch, "optimizer": optimizer, "threads": threads or THREADS}
        cells.append(cell | {"rates": rates, "missing": timed["missing"]})
        shown = (f"{name} {median(values):,.0f}" for name, values in rates.items())
        print(
            "784-" + "-".join(map(str, hidden)) + f"-10, {optimizer}, batch {batch}, threads {threads or THREADS}:",
            "; ".join(shown),
            flush=True,
        )
    contest.close()
    machine = describe_machine("numpy", "torch", "scikit-learn", "glassnet")
    result = {"machine": machine, "threads": THREADS, "trials": trials, "cells": cells}
    save_result(f"throughput-{second}" if second else "throughput", result)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*map(int, arguments[:1]), *map(float, arguments[1:2]), *arguments[2:])
