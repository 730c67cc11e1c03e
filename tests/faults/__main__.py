"""Kills, errors, power cuts, damaged files, hostile submissions and requests: ``make faults``; ``--help`` has parts."""

import argparse
import gc
import os
import sys
import time
from pathlib import Path
from random import Random

from counts import Counts
from glassnet.training import folder
from host import Machine, begin_again
from kills import interrupt
from mutations import fuzz
from processes import kill_processes
from scenarios import warm_up
from submissions import hand_in

WHOLE = {"kills": 3_000, "errors": 2_000, "cuts": 500, "processes": 60}
WHOLE |= {"files": 50_000, "submissions": 400, "requests": 50_000}


def main() -> int:
    """Do a share of it all, print the table of counts, and return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the whole, such as 0.01")
    parser.add_argument("--seed", type=int, default=0, help="of what is tried")
    for name, count in WHOLE.items():
        parser.add_argument(f"--{name}", type=int, help=f"how many; the whole is {count:,}")
    given = parser.parse_args()
    if "FAULT_STATE" not in os.environ:
        return begin_again([str(Path(__file__).parent), *sys.argv[1:]])
    asked = {name: getattr(given, name) for name in WHOLE}
    sizes = {name: round(given.share * WHOLE[name]) if count is None else count for name, count in asked.items()}
    counts, random, start = Counts(), Random(given.seed), time.monotonic()
    try:
        _interrupt(counts, random, sizes)
        if sizes["processes"]:
            kill_processes(counts, random, sizes["processes"])
        if sizes["files"]:
            fuzz(Machine(), counts, given.seed, sizes["files"])
        if sizes["submissions"]:
            hand_in(Machine(), counts, given.seed, sizes["submissions"])
        if sizes["requests"]:
            from hostile import attack  # schemathesis takes seconds to import

            attack(counts, given.seed, sizes["requests"])
    finally:  # also of what has been done until Ctrl-C
        print(counts.table())
        print(f"\n{time.monotonic() - start:,.0f} seconds, seed {given.seed}")
    return 0 if counts.is_right else 1


def _interrupt(counts: Counts, random: Random, sizes: dict[str, int]) -> None:
    warm_up()
    gc.freeze()  # so that a collection in a forked process copies none of what it shares with this one
    folder.SAVE_EVERY = 0.0  # after every step, so that there is much to interrupt
    number = {name: sizes[name] for name in ("kills", "errors", "cuts")}
    if any(number.values()):
        interrupt(Machine(), counts, random, **number)


if __name__ == "__main__":
    sys.exit(main())
