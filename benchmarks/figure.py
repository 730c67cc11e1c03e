"""Draw the figures of docs/benchmarks.md: images a second for each net and rule, and accuracy against seconds."""

from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from contenders import BFLOAT16, NUMPY
from glassnet.plots.style import BLUE, GREY, INK, PALE, SMALL, VERMILLION, name_axes, new_figure, write_title
from machine import load_result
from speed_lines import DOCS, FIGURE, LADDER, RULES, Result, net_name, with_all_threads

# The rest of Okabe and Ito's colours is for the peers; what is not counted is broken.
STYLES: dict[str, dict[str, Any]] = {
    "glassnet": {"color": VERMILLION, "linewidth": 3, "zorder": 3},
    NUMPY: {"color": VERMILLION, "linestyle": ":", "zorder": 3},
    BFLOAT16: {"color": VERMILLION, "linestyle": "--", "linewidth": 2, "zorder": 3},
    "eager": {"color": BLUE},
    "fused": {"color": "#009e73"},
    "fused, 1 thread": {"color": "#e69f00"},
    "compiled": {"color": "#cc79a7"},
    "bf16": {"color": "#56b4e9", "linestyle": "--"},
    "scikit-learn": {"color": INK},
}
OURS = ("glassnet", NUMPY, BFLOAT16, "scikit-learn")  # the others are PyTorch's


def draw_panel(axes: Axes, cells: list[Result]) -> None:
    for name, style in STYLES.items():
        points = [(cell["batch"], median(cell["rates"][name]) / 1000) for cell in cells if name in cell["rates"]]
        if not points:
            continue
        label = name if name in OURS else f"PyTorch {name}"
        axes.plot(*zip(*points, strict=True), label=label, **{"linewidth": 1.5, "marker": "o", "markersize": 4} | style)
    axes.set_xscale("log", base=2)
    axes.set_xticks([cell["batch"] for cell in cells])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(axis="y", color=PALE)


def draw_ladder(result: Result) -> None:
    """Test accuracy against seconds of training: each seed a point, each recipe's medians joined to the next's."""
    figure = new_figure(height=4.6)
    axes = figure.subplots()
    for name, label, style in (("glassnet", "glassnet", STYLES["glassnet"]), ("torch", "PyTorch", STYLES["eager"])):
        runs = [rung["runs"][name] for rung in result["rungs"].values()]
        seconds, accuracies = ([[row[key] for row in rows] for rows in runs] for key in ("seconds", "accuracy"))
        errors = [[100 * (1 - accuracy) for accuracy in row] for row in accuracies]
        colour = style["color"]
        axes.plot([median(row) for row in seconds], [median(row) for row in errors], label=label, **style)
        axes.scatter(np.ravel(seconds), np.ravel(errors), s=14, color=colour, alpha=0.5, linewidths=0)
    axes.set(xscale="log", yscale="log")
    axes.invert_yaxis()
    axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
    axes.set_yticks([3, 2.5, 2, 1.5, 1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 - value:g}"))
    axes.grid(axis="y", color=PALE)
    write_title(axes, "Five recipes, five seeds each: accuracy on the test images against time")
    name_axes(axes, "seconds of training, two cores", "test accuracy, %")
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(DOCS / LADDER)
    print(DOCS / LADDER)


def draw_throughput(cells: list[Result]) -> None:
    """Images a second against the batch: a panel for each net and rule, a line for each contender."""
    nets = list(dict.fromkeys(net_name(cell) for cell in cells))
    figure = new_figure(height=1.2 + 2.6 * len(nets))
    grid = figure.subplots(len(nets), len(RULES), sharey="row", squeeze=False)
    for row, net in zip(grid, nets, strict=True):
        for axes, (rule, name) in zip(row, RULES.items(), strict=True):
            draw_panel(axes, [cell for cell in cells if net_name(cell) == net and cell["optimizer"] == rule])
            write_title(axes, f"{net}, {name.removeprefix('SGD with ')}")
            name_axes(axes, "batch" if net == nets[-1] else "", "thousand images a second" * (axes is row[0]))
        row[0].set_ylim(bottom=0)  # of both panels, and only now: it ends the choice of limits
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=SMALL, labelcolor=GREY)
    figure.savefig(DOCS / FIGURE)
    print(DOCS / FIGURE)


if __name__ == "__main__":
    draw_throughput(with_all_threads(load_result("throughput")))
    draw_ladder(load_result("ladder"))
