"""Start-up: what `import glassnet` takes beyond NumPy, and `glassnet --help` from the shell to its end.

Each start is a process of its own, and they take turns. "Everything" is the package with all that it exports, which
`import glassnet` loads only when it is asked for.

    python benchmarks/startup.py [TRIALS]     half a minute
"""

import subprocess
import sys
from random import Random
from statistics import median
from time import perf_counter

from machine import describe_machine, save_result

STARTS = {
    "numpy": ["-c", "import numpy"],
    "import": ["-c", "import numpy, glassnet"],
    "everything": ["-c", "from glassnet import *"],
    "help": ["-m", "glassnet", "--help"],
}


def seconds(arguments: list[str]) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main(trials: int = 15) -> None:
    measured: dict[str, list[float]] = {name: [] for name in STARTS}
    for arguments in STARTS.values():
        seconds(arguments)  # the files are in memory from here on
    for trial in range(trials):
        for name in Random(trial).sample(list(STARTS), len(STARTS)):
            measured[name].append(seconds(STARTS[name]))
    print(*(f"{name} {median(values):.3f} s" for name, values in measured.items()))
    save_result("startup", {"machine": describe_machine("numpy", "glassnet"), "trials": trials, "seconds": measured})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
