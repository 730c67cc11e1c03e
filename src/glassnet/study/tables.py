"""The results of a study as text and tables, for the terminal and for the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..clinic import MISTAKES
from .results import Chain, Comparison, Course, mean_and_spread

__all__ = [
    "AS_WRITTEN",
    "breaks",
    "budget_words",
    "chain_table",
    "comparison_table",
    "cost",
    "doctor_words",
    "setting_words",
]

AS_WRITTEN = "as written"

Table = tuple[Sequence[str], list[list[str]]]  # header and rows


def comparison_table(comparison: Comparison) -> Table:
    """Return the loss at step 0 and the last accuracies, mean and standard deviation over the seeds."""
    sides = comparison.planted, comparison.cured
    knows_nothing = f"ln {comparison.classes} = {math.log(comparison.classes):.2f}"
    return ["", "with the mistake", "cured"], [
        [f"loss at step 0 ({knows_nothing})", *(_losses([course.first_loss for course in side]) for side in sides)],
        ["accuracy as reported", *(_shares([course.reported for course in side]) for side in sides)],
        ["accuracy on new images", *(_shares([course.true for course in side]) for side in sides)],
    ]


def chain_table(chain: Chain) -> Table:
    """Return a row for each stage: what was cured, the first loss, the accuracy on new images, and what it gained."""
    rows, before = [], None
    for stage in chain.stages:
        true = stage.course.true
        gain = "" if before is None else f"{100 * (true - before):+.1f}"
        cured = stage.cured or AS_WRITTEN
        if cured == "settings":
            cured = f"settings: {', '.join(chain.stages[-2].settings)}"
        reported = "broken" if stage.course.broken else _shares([stage.course.reported])
        first_loss, seconds = _losses([stage.course.first_loss]), f"{stage.course.seconds:.1f}"
        rows.append([cured, first_loss, reported, _shares([true]), gain, seconds])
        before = true
    return ["cured", "first loss", "reported", "new images", "gain", "seconds"], rows


def cost(comparison: Comparison) -> float:
    """Return the accuracy on new images that the mistake costs, in percentage points, as a mean over the seeds."""
    lost = [cured.true - planted.true for planted, cured in zip(comparison.planted, comparison.cured, strict=True)]
    return 100 * mean_and_spread(lost)[0]


def breaks(course: Course) -> str:
    """Say how a run diverged, in a sentence; "" if it did not."""
    return f"It broke: {course.broken}." if course.broken else ""


def doctor_words(course: Course, planted: Sequence[str]) -> str:
    """Return the sentence that stands before what the doctor finds in the network of ``course``."""
    others = [name for name, _ in course.findings if name not in planted]
    told = (
        "The doctor (glassnet.clinic.examine_convolution), given this network's convolutions and pools, finds"
        if any(MISTAKES[name].needs for name in planted)
        else "The doctor (glassnet.clinic.examine), given this network and some of its images before the first step, "
        "finds"
    )
    if others:
        told = f"{told} the following ({' and '.join(others)} is due to the common settings, cured or not)"
    return f"{told}:" if course.findings else f"{told} nothing: its gradients, weights and data are in order."


def setting_words(settings: Mapping[str, Any]) -> str:
    """Return settings in a line, such as ``hidden 32, optimizer sgd``; how much is held out is said elsewhere."""
    named = {name.replace("_", " "): _value(value) for name, value in settings.items() if name != "validation"}
    return ", ".join(f"{name} {value}" for name, value in named.items())


def budget_words(budget: Mapping[str, Any]) -> str:
    """Return what is said of the settings that follow from how many images there are; nothing where none is named."""
    words = setting_words(budget)
    return f" with {words}, as its images ask for," if words else ""


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        if any(" " in str(each) for each in value):  # entries of layers
            return f'"{", ".join(value)}"'
        return "-".join(map(str, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _losses(losses: Sequence[float | None]) -> str:
    numbers = [loss for loss in losses if loss is not None]
    if len(numbers) < len(losses):
        return "NaN"
    mean, spread = mean_and_spread(numbers)
    return f"{mean:,.2f}" + (f" ± {spread:,.2f}" if len(numbers) > 1 else "")


def _shares(shares: Sequence[float | None]) -> str:
    numbers = [100 * share for share in shares if share is not None]
    if not numbers:
        return "–"
    mean, spread = mean_and_spread(numbers)
    return f"{mean:.1f} ± {spread:.1f} %" if len(numbers) > 1 else f"{mean:.1f} %"
