"""A map of images as the network sees them: each a point in the colour of its class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import DataError
from .style import PALE, SMALL, new_figure, shorten, write_title

__all__ = ["projection"]

# Of classes, each of which is told by its sign as well; all are dark enough to be read on white.
CLASS_COLOURS = (
    "#0072b2",
    "#b34700",
    "#007a5a",
    "#a8417f",
    "#8a6100",
    "#5b4bc4",
    "#c0182b",
    "#4d4d4d",
    "#0b7480",
    "#5f6d00",
)
SIGNS = "ovs^D<P>X*"  # of classes whose names are longer than two letters


def projection(
    coordinates: NDArray[np.float64], labels: NDArray[np.integer], classes: Sequence[str], method: str = "pca"
) -> Figure:
    """A map of images: each a point in the colour and with the name of its class, or, where names are long, its sign.

    Args:
        coordinates: ``(n, 2)``, as `glassnet.explain.project` gives them.
        labels: ``(n,)`` the true classes, indices into ``classes``.
        classes: their names.
        method: how the map was made, for the title.

    Raises:
        DataError: not one label for each point, or no point.
    """
    if not len(coordinates) or len(coordinates) != len(labels):
        raise DataError(f"{len(coordinates):,} points and {len(labels):,} labels: give one label for each point")
    figure = new_figure(height=7)
    axes = figure.subplots()
    short = all(len(name) <= 2 for name in classes)
    for i in np.unique(labels).tolist():
        name, points = classes[i], coordinates[labels == i]
        sign = f"${name}$" if short and name.isalnum() else SIGNS[i % len(SIGNS)]
        size = 45 if short else 20
        colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=size,
            marker=sign,
            color=colour,
            linewidths=0.3,
            label=f"{shorten(name)} ({len(points):,})",
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(PALE)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=SMALL, title="class (images)")
    write_title(axes, f"{len(coordinates):,} images as the last hidden layer sees them ({method.upper()})")
    return figure
