"""The figures of a study: a mistake and its cure in one picture, in the style of the other figures.

Small enough to stand side by side on a desktop and one above the other on a phone.
"""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..plots.style import BLUE, GREY, PALE, VERMILLION, name_axes, new_figure, write_beside, write_title
from .results import Course

__all__ = ["compared_accuracy", "compared_loss"]

WIDTH, HEIGHT = 5.2, 3.9  # inches
NEAR = 0.075  # of the height: two names nearer than this would cover each other

Label = tuple[float, str, str]  # y, words, colour


def compared_loss(wrong: Course, right: Course, classes: int, name: str) -> Figure:
    """Training loss against the step, on a logarithmic axis, with that of uniform predictions.

    Args:
        wrong: the run with the mistake.
        right: the run without.
        classes: k: uniform predictions have a loss of ln k.
        name: of the run with the mistake.
    """
    figure, axes = _axes()
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.axhline(math.log(classes), color=GREY, linewidth=1, linestyle=":")
    labels = [(math.log(classes), f"ln {classes}", GREY)]
    for course, words, colour in ((right, "cured", BLUE), (wrong, name, VERMILLION)):
        points = [(point.step, max(point.loss, 1e-4)) for point in course.points if point.loss is not None]
        labels += _draw(axes, points, words, colour, course.broken is not None)
    low, high = axes.get_ylim()
    if high < 100 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    _write_labels(axes, labels)
    name_axes(axes, "step", "")
    write_title(axes, "Training loss (nats)")
    return figure


def compared_accuracy(wrong: Course, right: Course, name: str) -> Figure:
    """Accuracy on new images against the step, and dashed what was reported meanwhile.

    Args:
        wrong: the run with the mistake.
        right: the run without.
        name: of the run with the mistake.
    """
    figure, axes = _axes()
    axes.set_ylim(0, 104)
    labels = []
    reported = [(point.step, 100 * point.reported) for point in wrong.points if point.reported is not None]
    if reported:
        axes.plot(*np.transpose(reported), color=VERMILLION, linewidth=1.5, linestyle=(0, (2, 1.5)))
    if reported and abs(wrong.points[-1].true - (wrong.reported or 0)) > 0.02:
        labels.append((reported[-1][1], "as reported", VERMILLION))
    for course, words, colour in ((right, "cured", BLUE), (wrong, name, VERMILLION)):
        points = [(point.step, 100 * point.true) for point in course.points]
        labels += _draw(axes, points, words, colour, course.broken is not None)
    _write_labels(axes, labels)
    name_axes(axes, "step", "")
    write_title(axes, "Accuracy on new images (%)")
    return figure


def _axes() -> tuple[Figure, Axes]:
    figure = new_figure(HEIGHT, WIDTH)
    axes = figure.subplots()
    axes.grid(axis="y", color=PALE)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure, axes


def _draw(axes: Axes, points: list[tuple[int, float]], words: str, colour: str, broken: bool) -> list[Label]:
    """Draw a curve, with a cross where it broke; return its name and where that belongs."""
    if not points:
        return []
    # The cure is drawn first and wider, so that it is still seen where the mistake lies on it.
    axes.plot(*np.transpose(points), color=colour, linewidth=3.5 if colour == BLUE else 1.8)
    if broken:
        axes.plot(*points[-1], "X", color=colour, markersize=10)
        words = f"{words}: diverged"
    return [(points[-1][1], words, colour)]


def _write_labels(axes: Axes, labels: list[Label]) -> None:
    """Write the names at the right, as high as their curves end, moved apart where they would cover each other."""
    axes.margins(x=0)
    axes.set_xlim(left=0)
    to_share = axes.transData + axes.transAxes.inverted()
    bottom = -1.0
    for y, words, colour in sorted(labels, key=lambda label: label[0]):
        bottom = max(float(to_share.transform((0, y))[1]), bottom + NEAR)
        write_beside(axes, (1, bottom), words, 8, color=colour, xycoords=axes.transAxes, va="center")
