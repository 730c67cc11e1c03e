"""Draw the README's figure of training throughput: a panel for each net and rule, a line for each contender."""

from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from glassnet.plots import BLUE, GREY, INK, PALE, SMALL, VERMILLION, name_axes, new_figure, write_title
from machine import load_result
from speed_lines import FIGURE, RULES, Result, net_name
from table import ROOT

# The rest of Okabe and Ito's colours is for the peers; what is not counted is broken.
STYLES: dict[str, dict[str, Any]] = {
    "glassnet": {"color": VERMILLION, "linewidth": 3, "zorder": 3},
    "eager": {"color": BLUE},
    "fused": {"color": "#009e73"},
    "fused, 1 thread": {"color": "#e69f00"},
    "compiled": {"color": "#cc79a7"},
    "bf16": {"color": "#56b4e9", "linestyle": "--"},
    "scikit-learn": {"color": INK},
}
OURS = ("glassnet", "scikit-learn")  # the others are PyTorch's


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


def main() -> None:
    cells = load_result("throughput")["cells"]
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
    figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=SMALL, labelcolor=GREY)
    figure.savefig(ROOT / FIGURE)
    print(FIGURE)


if __name__ == "__main__":
    main()
