"""How a training goes: loss and accuracy against the epoch, and the loss against the learning rate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..errors import DataError
from ..training import LearningRateSearch
from .style import BLUE, INK, PALE, VERMILLION, name_axes, new_figure, write_beside, write_title

__all__ = ["learning_curves", "learning_rate_search"]

Points = NDArray[np.float64]

MAX_CURVE = 300  # points: of more, a noisy line covers everything unless it is very faint


def learning_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss and accuracy, training and validation, against the epoch; the best validation value of each is marked.

    Args:
        history: a run's reports, each with ``epoch``, ``loss``, ``accuracy``, and ``validation_loss`` and
            ``validation_accuracy``, which are None where nothing was held out.

    Raises:
        DataError: the history is empty.
    """
    if not history:
        raise DataError("no learning curve: this run has no completed epoch yet; train it for an epoch")
    figure = new_figure(height=5)
    left, right = figure.subplots(1, 2)
    for axes, key, unit, best, words in (
        (left, "loss", 1, np.argmin, "Loss: best {value:.3f}, epoch {epoch:g}"),
        (right, "accuracy", 100, np.argmax, "Accuracy: best {value:.1f} %, epoch {epoch:g}"),
    ):
        training, validation = _series(history, key) * (1, unit), _series(history, f"validation_{key}") * (1, unit)
        _draw_curves(axes, training, validation)
        if len(validation):
            epoch, value = validation[best(validation[:, 1])]
            _ring(axes, epoch, value, label="best")
            write_title(axes, words.format(epoch=epoch, value=value))
        else:
            write_title(axes, f"Training {key}")
    left.set_ylim(bottom=-0.05 * left.get_ylim()[1])  # 0, and below it space for the name of the lower curve
    name_axes(left, "epoch", "mean loss per image")
    name_axes(right, "epoch", "accuracy (%)")
    return figure


def learning_rate_search(search: LearningRateSearch) -> Figure:
    """Loss against the learning rate, smoothed and step by step, with the suggested and the largest rate."""
    figure = new_figure(height=5)
    axes = figure.subplots()
    faint = 0.3 if len(search.rates) <= MAX_CURVE else 0.06
    axes.plot(search.rates, search.losses, color=BLUE, linewidth=1, alpha=faint, label="each step")
    axes.plot(search.rates, search.smoothed, color=BLUE, linewidth=2, label="smoothed")
    axes.set_xscale("log")
    axes.grid(axis="y", color=PALE)
    least, first = float(search.smoothed[search.least]), search.start
    fall = max(first - least, 0.1)
    axes.set_ylim(least - 0.15 * fall, first + 0.4 * fall)  # what shoots up leaves the picture
    words = "The loss does not fall at any learning rate"
    if search.suggestion is not None:
        words = f"Learning rate: {search.suggestion:.2g}, where 85 % of the fall is done"
        height = float(np.interp(search.suggestion, search.rates, search.smoothed))
        _ring(axes, search.suggestion, height)
    if search.largest is not None:
        axes.axvline(search.largest, color=VERMILLION, linewidth=1, linestyle="--", label="largest")
        rise = f"{search.largest:.2g}: half of where it rises again"
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top"}
        write_beside(axes, (search.largest, 0.97), rise, -6, color=VERMILLION, **place)
    write_title(axes, words)
    name_axes(axes, "learning rate", "loss (nats)")
    axes.tick_params(which="minor", length=0)
    return figure


def _series(history: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Return the epochs and the values of ``key``, ``(reports, 2)``, without the reports that lack it."""
    points = [(row["epoch"], row[key]) for row in history if row[key] is not None]
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def _draw_curves(axes: Axes, training: Points, validation: Points) -> None:
    """Draw both curves, each with its name at its end; the name of the upper one stands higher."""
    curves = [(training, "training", BLUE), (validation, "validation", VERMILLION)]
    drawn = sorted((curve for curve in curves if len(curve[0])), key=lambda curve: float(curve[0][-1, 1]))
    for rank, (points, name, colour) in enumerate(drawn):
        size = 4 if len(points) <= 30 else 0
        axes.plot(*points.T, color=colour, linewidth=2, marker="o", markersize=size, label=name)
        write_beside(axes, points[-1], name, 8, color=colour, va="bottom" if rank else "top")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(axis="y", color=PALE)


def _ring(axes: Axes, x: float, y: float, **style: Any) -> None:
    axes.plot(x, y, "o", color="none", markeredgecolor=INK, markeredgewidth=1.5, markersize=11, **style)
