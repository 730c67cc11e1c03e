"""How good the predictions are: the confusion matrix, and whether the confidence can be trusted."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..evaluation import Evaluation
from .style import (
    BLUE,
    GREY,
    INK,
    NORMAL,
    PALE,
    SMALL,
    VERMILLION,
    add_colour_bar,
    name_axes,
    new_figure,
    shorten,
    write_centred,
    write_title,
)

__all__ = ["calibration", "confusion_matrix"]

MAX_NUMBERED_CLASSES = 20  # above it, the numbers in a confusion matrix are too small to be read


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """How often each true class (row) was predicted as each class (column).

    Only the mistakes are coloured, on a separate scale: on a common one the diagonal would drown them.
    """
    counts, k = evaluation.confusion, len(evaluation.classes)
    mistakes = np.ma.masked_array(counts, mask=np.eye(k, dtype=bool))
    most = max(int(mistakes.max()), 1)
    colours = LinearSegmentedColormap.from_list("mistakes", ["white", VERMILLION]).with_extremes(bad=PALE)
    figure = new_figure(height=7)
    axes = figure.subplots()
    image = axes.imshow(mistakes, cmap=colours, vmin=0, vmax=most)
    numbered = k <= MAX_NUMBERED_CLASSES
    if numbered:
        _write_counts(axes, counts, most)
    name_axes(axes, "predicted class", "true class")
    names, size = [shorten(name) for name in evaluation.classes], SMALL if numbered else 6
    upright = k * max(map(len, names)) > 60  # else they would run into each other
    axes.set_xticks(range(k), names, fontsize=size, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(range(k), names, fontsize=size, parse_math=False)
    axes.spines[:].set_visible(False)
    commonest = [f"most often, {shorten(a)} was mistaken for {shorten(b)}" for a, b, _ in evaluation.most_confused(1)]
    write_title(axes, "; ".join([f"{counts.trace():,} of {counts.sum():,} correct", *commonest]))
    add_colour_bar(figure, image, "mistakes (images)", ticks=MaxNLocator(5, integer=True))
    return figure


def calibration(evaluation: Evaluation) -> Figure:
    """Reliability diagram, accuracy against confidence in 15 bins, above a histogram of the confidence."""
    bins = evaluation.reliability()
    filled = bins.count > 0
    edges = np.linspace(0, 100, len(bins.count) + 1)
    place = {"x": edges[:-1], "width": 0.94 * np.diff(edges), "align": "edge", "color": BLUE, "linewidth": 0}
    figure = new_figure(height=6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(height=100 * bins.accuracy, **place, alpha=0.3)
    upper.plot((0, 100), (0, 100), color=GREY, linewidth=1, linestyle="--")
    upper.plot(100 * bins.confidence[filled], 100 * bins.accuracy[filled], "o", color=BLUE)
    write_centred(upper, 1, 107, "dashed: perfect calibration", ha="left", color=GREY)
    upper.set(xlim=(0, 100), ylim=(0, 112))
    lower.bar(height=bins.count, **place)
    lower.set_yscale("log")
    lower.set_ylim(bottom=0.5)  # else a bin of one image would have no height
    name_axes(upper, "", "accuracy (%)")
    name_axes(lower, "confidence: probability of the predicted class (%)", "images")
    error = 100 * evaluation.calibration_error
    write_title(upper, f"Confidence and accuracy differ by {error:.1f} % (expected calibration error)")
    return figure


def _write_counts(axes: Axes, counts: NDArray[np.int64], most: int) -> None:
    for row, column in np.argwhere(counts).tolist():
        count = int(counts[row, column])
        on_dark = row != column and count > 0.8 * most
        size = SMALL if len(counts) > 10 or count > 9999 else NORMAL
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=size, color="white" if on_dark else INK)
