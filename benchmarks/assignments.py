"""Generated assignments, checked as they are, repaired by their cures, and repaired wrongly (half an hour).

Each is to be found broken with exactly its mistakes, its solution to be whole, and each wrong repair to be told.
Before, all pairs of mistakes that one function can have are checked: there one could hide the other. So are solutions
with a spoilt setting, which is to be named, and the solutions are trained by many seeds.
"""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from glassnet.assignment import PAGES, Assignment, Verdict, check, draw
from glassnet.assignment.key import make_key
from glassnet.assignment.new import LEVELS
from glassnet.assignment.page import Plant, read_page, run_page
from glassnet.assignment.training import TRAINING_ROWS, digits
from machine import describe_machine, save_result

COUNT = 300
EVERY = 3  # of them is repaired wrongly as well
SEEDS = 100  # by which each solution is trained
SPOILT = ("RATE = 100", "RATE = 1e-06", "EPOCHS = 0", "BATCH = 0")


def another_mistake(assignment: Assignment, random: Random) -> str:
    """Its cures, and a mistake that was not planted."""
    planted = {plant.mistake for plant in assignment.plants}
    return assignment.page.text([random.choice([p for p in assignment.page.plants if p.mistake not in planted])])


def written_answers(assignment: Assignment, random: Random) -> str:
    """Gradients that are no function of the parameters."""
    return assignment.page.text() + (
        "\n\ndef backward(params, X, y, cache):\n    return [np.full(np.shape(p), 0.01) for p in params]\n"
    )


def emptied(assignment: Assignment, random: Random) -> str:
    """A function with a planted mistake that does nothing any more."""
    name = random.choice(assignment.key.mistakes).function
    return assignment.page.text() + f"\n\ndef {name}(*arguments):\n    pass\n"


def one_shape(assignment: Assignment, random: Random) -> str:
    """Gradients that are right for the page's own batches, and for no others."""
    return assignment.page.text() + (
        "\n\nright = backward\n\n\ndef backward(params, X, y, cache):\n"
        "    return [g * len(y) / BATCH for g in right(params, X, y, cache)]\n"
    )


def learning_rate(assignment: Assignment, random: Random) -> str:
    """The mistakes as they were, and larger steps."""
    return re.sub(r"^RATE = (.+)$", r"RATE = 5 * \1", assignment.text, flags=re.MULTILINE)


WRONG: dict[str, Callable[[Assignment, Random], str]] = {
    "another mistake put in": another_mistake,
    "answers written into the file": written_answers,
    "a function emptied": emptied,
    "right for one shape only": one_shape,
    "a larger learning rate": learning_rate,
}


def checked(text: str, assignment: Assignment, file: Path) -> tuple[Verdict, float]:
    """Return the verdict on a page, and the seconds that it took."""
    file.write_text(text, "utf-8")
    start = time.perf_counter()
    return check(file, assignment.key), time.perf_counter() - start


def exact(verdict: Verdict, plants: Iterable[Plant]) -> bool:
    """Whether the mistakes found are those planted, and no others."""
    planted = sorted(plant.mistake for plant in plants)
    found = sorted(each.name for each in verdict.remaining)
    return found == planted and not (verdict.new or verdict.hidden or verdict.repaired)


def check_pairs(file: Path) -> dict[str, int]:
    """Check each pair of mistakes that one function can have; return how many there are, and how many are told."""
    tally: Counter[str] = Counter()
    for page in map(read_page, PAGES):
        for function in page.functions:
            for plants in combinations(page.planted_in(function), 2):
                if not plants[0].fits(plants[1:]):
                    continue
                assignment = Assignment(page, plants, make_key(page, plants, 3, 0))
                verdict, _ = checked(assignment.text, assignment, file)
                tally.update(tried=1, told=int(exact(verdict, plants)))
                if not exact(verdict, plants):
                    print(page.name, [(plant.mistake, plant.variant) for plant in plants], verdict, flush=True)
    return dict(tally)


def check_settings(file: Path) -> dict[str, int]:
    """Check each solution with each of the settings that keep it from learning; return how many of them are named."""
    tally: Counter[str] = Counter()
    for page in map(read_page, PAGES):
        assignment = Assignment(page, (), make_key(page, (), 1, 0))
        for spoilt in SPOILT:
            text = re.sub(rf"^{spoilt.split()[0]} = .+$", spoilt, page.text(), flags=re.MULTILINE)
            verdict, _ = checked(text, assignment, file)
            told = f"not {spoilt};" in verdict.training and not verdict.repaired
            tally.update(tried=1, told=int(told))
            if not told:
                print(page.name, spoilt, verdict, flush=True)
    return dict(tally)


def train_solution(name: str) -> dict[str, float]:
    """Train a solution by many seeds; return its least and mean accuracy on the images that are not given out."""
    images, labels = digits()
    run = run_page(read_page(name))
    X = run["prepare"](images[TRAINING_ROWS:])
    accuracies = [
        run["accuracy"](run["train"](images[:TRAINING_ROWS], labels[:TRAINING_ROWS], seed), X, labels[TRAINING_ROWS:])
        for seed in range(SEEDS)
    ]
    return {"least": float(min(accuracies)), "mean": float(mean(accuracies))}


def main(count: int = COUNT) -> None:
    seconds: dict[str, list[float]] = {}
    tally: Counter[str] = Counter()
    wrong = {name: Counter[str]() for name in WRONG}
    failures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "repair.py"
        pairs = check_pairs(file)
        settings = check_settings(file)
        print(pairs, settings, flush=True)
        for seed in range(count):
            assignment = draw(None, 1 + seed % len(LEVELS), seed)
            broken, took = checked(assignment.text, assignment, file)
            whole, _ = checked(assignment.page.text(), assignment, file)
            seconds.setdefault(assignment.page.name, []).append(took)
            told = exact(broken, assignment.plants)
            tally.update(assignments=1, mistakes=len(assignment.plants), exact=int(told), whole=int(whole.repaired))
            tally[f"level {assignment.key.level}"] += 1
            tally[assignment.page.name] += 1
            if not told or not whole.repaired:
                failures.append({"seed": seed, "broken": broken.to_json(), "whole": whole.to_json()})
            if seed % EVERY == 0:
                name = list(WRONG)[seed // EVERY % len(WRONG)]
                verdict, _ = checked(WRONG[name](assignment, Random(seed)), assignment, file)
                found = bool(verdict.new or verdict.remaining or verdict.hidden)
                wrong[name].update(tried=1, told=int(found and not verdict.repaired))
                if not found:
                    failures.append({"seed": seed, "wrong": name, "verdict": verdict.to_json()})
            if seed % 20 == 19:
                print(dict(tally), {name: dict(counts) for name, counts in wrong.items()}, len(failures), flush=True)
    result = {
        "machine": describe_machine("numpy"),
        "counts": dict(tally),
        "pairs": pairs,
        "settings": settings,
        "wrong_repairs": {name: dict(counts) for name, counts in wrong.items()},
        "accuracy": {name: train_solution(name) for name in PAGES},
        "seconds": {name: mean(each) for name, each in seconds.items()},
        "failures": failures,
    }
    save_result("assignments", result)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
