"""The learning rate as a function of the step.

Each function here returns a schedule: call it with the number of steps taken so far, 0, 1, 2, …, and it returns the
learning rate of the next one.
"""

from collections.abc import Callable
from math import cos, pi
from typing import TypeAlias

__all__ = ["Schedule", "constant", "cosine", "one_cycle", "step_decay", "warm_up"]

Schedule: TypeAlias = Callable[[int], float]


def constant(peak: float) -> Schedule:
    """The same learning rate at every step."""
    return lambda step: peak


def step_decay(peak: float, every: int, factor: float) -> Schedule:
    """Multiply by ``factor`` once in ``every`` steps.

    η(s) = peak · factor^⌊s / every⌋
    """
    return lambda step: peak * factor ** (step // every)


def cosine(peak: float, steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine wave from ``peak`` down to ``final``, which is reached after ``steps`` (Loshchilov & Hutter, 2017).

    η(s) = final + (peak − final) · ½ (1 + cos(π s / steps))        s ≤ steps, then final
    """
    return lambda step: _half_wave(peak, final, min(step / steps, 1))


def _half_wave(first: float, last: float, progress: float) -> float:
    return last + (first - last) * 0.5 * (1 + cos(pi * progress))


def one_cycle(peak: float, steps: int, rise: float = 0.3, start: float = 1 / 25, final: float = 1e-4) -> Schedule:
    """Up to ``peak`` in the first part of a run and down to almost nothing in the rest (Smith & Topin, 2018).

    Both parts are half cosine waves:

        η(s) = cosine from start · peak to peak            s ≤ rise · steps
        η(s) = cosine from peak to final · peak            afterwards

    Args:
        peak: the largest learning rate.
        steps: how many steps the run has.
        rise: the share of them that goes upwards.
        start: the first learning rate, as a share of the peak.
        final: the last one, as a share of the peak.
    """
    top = rise * steps

    def schedule(step: int) -> float:
        step = min(step, steps)
        if step < top or top == steps:
            return _half_wave(start * peak, peak, step / top)
        return _half_wave(peak, final * peak, (step - top) / (steps - top))

    return schedule


def warm_up(schedule: Schedule, steps: int) -> Schedule:
    """Let the learning rate of ``schedule`` grow in a straight line during the first ``steps`` (Goyal et al., 2017).

    η(s) = schedule(s) · (s + 1) / steps        s < steps, then schedule(s)
    """
    return lambda step: schedule(step) * min((step + 1) / steps, 1) if steps else schedule(step)
