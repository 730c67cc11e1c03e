"""Start-up: what `import glassnet` takes beyond NumPy, and commands from the shell to their end.

Each start is a process of its own, and they take turns. "Everything" is the package with all that it exports, which
`import glassnet` loads only when it is asked for. One epoch on the embedded digits shows what it takes to load the
compiled engine, and, twice with an empty cache, to compile it.

    python benchmarks/startup.py [TRIALS]     two minutes
"""

import os
import subprocess
import sys
import tempfile
from random import Random
from statistics import median
from time import perf_counter

from machine import describe_machine, save_result

TRAIN = ["-m", "glassnet", "train", "digits", "--epochs", "1", "--out", "RUN", "--engine"]
STARTS = {
    "numpy": ["-c", "import numpy"],
    "import": ["-c", "import numpy, glassnet"],
    "everything": ["-c", "from glassnet import *"],
    "help": ["-m", "glassnet", "--help"],
    "train, NumPy": [*TRAIN, "numpy"],
    "train, compiled": [*TRAIN, "compiled"],
}
NO_CACHE = "train, compiled, no cache"
TIMES = 2  # for what takes half a minute


def seconds(arguments: list[str], *, cached: bool = True) -> float:
    with tempfile.TemporaryDirectory() as folder:
        given = [argument.replace("RUN", f"{folder}/run") for argument in arguments]
        environment = os.environ | ({} if cached else {"NUMBA_CACHE_DIR": f"{folder}/cache"})
        start = perf_counter()
        subprocess.run([sys.executable, *given], check=True, capture_output=True, env=environment)
        return perf_counter() - start


def main(trials: int = 15) -> None:
    measured: dict[str, list[float]] = {name: [] for name in STARTS}
    for arguments in STARTS.values():
        seconds(arguments)  # the files are in memory from here on
    for trial in range(trials):
        for name in Random(trial).sample(list(STARTS), len(STARTS)):
            measured[name].append(seconds(STARTS[name]))
    measured[NO_CACHE] = [seconds(STARTS["train, compiled"], cached=False) for _ in range(TIMES)]
    print(*(f"{name} {median(values):.3f} s" for name, values in measured.items()))
    save_result("startup", {"machine": describe_machine("numpy", "glassnet"), "trials": trials, "seconds": measured})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
