"""Curves in plain letters, legible in a terminal and in a pipe.

Chart libraries for terminals draw with colours and block characters, which a pipe, a printed page or a screen reader
loses; two curves on two axes take no more than this.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..evaluation import Reliability

__all__ = ["draw_chart", "draw_reliability"]

WIDTH, HEIGHT, MARGIN = 76, 13, 8  # characters, lines, characters left of the axis
BOTH, FAINT = "*", "."  # where two curves meet, and the curve that gives way instead
BAR = 50  # characters of a bar that means always
SMALLEST = 1e-4  # below it a logarithmic axis does not go

Points = Sequence[tuple[int, float]]


def draw_chart(
    curves: Mapping[str, Points],
    broken: str = "",
    *,
    share: bool = False,
    axis: tuple[str, str, str] | None = None,
    marks: Mapping[str, int] | None = None,
) -> str:
    """Return curves over the step as lines of text.

    Args:
        curves: the points of each curve, ascending in step, by the letter that draws it. Where two meet there is a
            ``*``; a curve of dots lies behind the others.
        broken: the letter of a curve that ended before its time, which gets a ``!`` there.
        share: the values are shares, on an axis from 0 to 100 %; otherwise the axis is logarithmic and fits them.
        axis: what is written under the first step, the middle and the last one; by default the steps.
        marks: steps to mark on the axis, by the letter that does.
    """
    last = max(points[-1][0] for points in curves.values() if points)
    values = np.concatenate([_heights(points, share) for points in curves.values()])
    low, high = (0.0, 1.0) if share else (math.floor(values.min() * 10) / 10, math.ceil(values.max() * 10) / 10)
    high = max(high, low + 0.1)
    columns = WIDTH - MARGIN - 1
    grid = [[" "] * columns for _ in range(HEIGHT)]
    for letter, points in curves.items():
        if not points:
            continue
        x = [step * (columns - 1) / max(last, 1) for step, _ in points]
        rows = np.interp(
            range(math.floor(x[-1]) + 1), x, (high - _heights(points, share)) / (high - low) * (HEIGHT - 1)
        )
        _draw(grid, letter, rows.round().astype(int).tolist())
        if letter == broken:
            grid[round(float(rows[-1]))][min(len(rows), columns - 1)] = "!"
    labels = _labels(low, high, share)
    lines = [
        f"{labels.get(row, ''):>{MARGIN - 1}} {'┤' if row in labels else '│'}{''.join(cells)}"
        for row, cells in enumerate(grid)
    ]
    line = ["─"] * columns
    for letter, step in (marks or {}).items():
        line[round(step * (columns - 1) / max(last, 1))] = letter
    left, middle, right = axis or ("0", "step", f"{last:,}")
    words = f"{left:<{columns // 2 - len(middle) // 2 + 2}}{middle}".ljust(columns - len(right)) + right
    return "\n".join([*(row.rstrip() for row in lines), " " * MARGIN + "└" + "".join(line), " " * (MARGIN + 1) + words])


def draw_reliability(bins: Reliability) -> str:
    """Return the reliability diagram as lines of text: for each bin that holds images a bar of how many are right.

    A ``|`` stands where the bar would end if the model were as often right as it is sure.
    """
    edges = np.linspace(0, 100, len(bins.count) + 1)
    lines = [f"{'sure (%)':>9}{'images':>9}  right"]
    for i in np.flatnonzero(bins.count).tolist():
        bar = [*("#" * round(float(bins.accuracy[i]) * BAR)).ljust(BAR + 1)]
        bar[round(float(bins.confidence[i]) * BAR)] = "|"
        lines.append(
            f"{f'{edges[i]:.0f}–{edges[i + 1]:.0f}':>9}{bins.count[i]:>9,}{bins.accuracy[i]:>7.0%}  {''.join(bar)}"
        )
    return "\n".join(line.rstrip() for line in lines)


def _heights(points: Points, share: bool) -> np.ndarray:
    """Return the values as they are measured on the axis."""
    values = np.array([value for _, value in points], np.float64)
    return values if share else np.log10(np.maximum(values, SMALLEST))


def _draw(grid: list[list[str]], letter: str, rows: list[int]) -> None:
    """Put a letter into each column, and into the rows between it and the column before."""
    for column, row in enumerate(rows):
        before = rows[max(column - 1, 0)]
        step = 1 if row >= before else -1
        for line in [*range(before + step, row, step), row]:
            grid[line][column] = letter if grid[line][column] in (" ", FAINT, letter) else BOTH


def _labels(low: float, high: float, share: bool) -> dict[int, str]:
    """Return round numbers for some of the rows: every 25 %, or 1, 2 and 5 times the powers of ten."""
    if share:
        return {row: f"{100 - 25 * i} %" for i, row in enumerate(range(0, HEIGHT, (HEIGHT - 1) // 4))}
    labels: dict[int, str] = {}
    powers = range(math.floor(low), math.ceil(high) + 1)
    for mantissa in (1, 2, 5):  # powers of ten first; what would come too near to another is left out
        for power in powers:
            row = round((high - math.log10(mantissa) - power) / (high - low) * (HEIGHT - 1))
            if 0 <= row < HEIGHT and not labels.keys() & {row - 1, row, row + 1}:
                labels[row] = f"{mantissa * 10.0**power:,.6g}"
    return labels
