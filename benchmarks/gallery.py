"""Measure the small curves by which the page shows every mistake of the clinic: each beside its cure, on the digits.

python benchmarks/gallery.py: half a minute, into src/glassnet/study/gallery.json, which comes along with the package.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from glassnet import load_dataset
from glassnet.clinic import MISTAKES
from glassnet.study import Comparison, Course, study
from glassnet.study.gallery import FILE

SEEDS = (0, 1, 2)
POINTS = 24  # of a curve


def curve(course: Course, pick: Callable[[Any], float | None]) -> list[list[float]]:
    """Return step and accuracy at some points of a run, the last of them included."""
    known = [(point.step, value) for point in course.points if (value := pick(point)) is not None]
    some = np.unique(np.linspace(0, len(known) - 1, POINTS).round().astype(int))
    return [[known[i][0], round(known[i][1], 3)] for i in some]


def measured(comparison: Comparison) -> dict[str, Any]:
    planted, cured = comparison.planted, comparison.cured
    return {
        "broken": all(course.broken is not None for course in planted),
        "reported": round(float(np.mean([course.reported for course in planted])), 4),
        "planted": round(float(np.mean([course.true for course in planted])), 4),
        "cured": round(float(np.mean([course.true for course in cured])), 4),
        "curves": {
            "planted": curve(planted[0], lambda point: point.true),
            "reported": curve(planted[0], lambda point: point.reported),
            "cured": curve(cured[0], lambda point: point.true),
        },
    }


def main() -> None:
    dataset = load_dataset("digits")
    found = {name: measured(study(name, dataset, SEEDS)) for name in MISTAKES}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in found.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    print(FILE, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
