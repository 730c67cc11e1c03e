"""What all figures share: colours, sizes of words, and how titles, axes and words beside a line look."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "NORMAL",
    "PALE",
    "SIGNED",
    "SMALL",
    "VERMILLION",
    "WIDTH",
    "add_colour_bar",
    "name_axes",
    "new_figure",
    "shorten",
    "write_beside",
    "write_centred",
    "write_title",
]

INK, GREY, PALE = "#222222", "#666666", "#ebebeb"
BLUE, VERMILLION = "#0072b2", "#d55e00"
# Of numbers around 0, the same in figures, pages and tutorial: blue above, orange below, white at 0.
SIGNED = LinearSegmentedColormap.from_list("signed", [VERMILLION, "white", BLUE])
LARGE, NORMAL, SMALL = 14, 12, 11  # points: large, since a page may be as narrow as a telephone
WIDTH, DPI = 8, 150  # inches, pixels an inch


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, its height and width in inches, that makes room for all that is written into it."""
    return Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(wspace=0.06), facecolor="white")


def write_title(axes: Axes, words: str) -> None:
    """Write the title over the left end of the axes."""
    axes.set_title(words, loc="left", fontsize=LARGE, color=INK, pad=12, parse_math=False)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Write what the axes are, with their units, and draw all that belongs to them in grey."""
    axes.set_xlabel(x, fontsize=NORMAL, color=GREY)
    axes.set_ylabel(y, fontsize=NORMAL, color=GREY)
    axes.tick_params(labelsize=SMALL, labelcolor=GREY, color=PALE, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)


def write_centred(axes: Axes, x: float, y: float, words: str, **style: Any) -> None:
    """Write words centred on a place, unless the style says otherwise."""
    axes.text(x, y, words, parse_math=False, **{"ha": "center", "va": "center", "fontsize": SMALL, **style})


def write_beside(axes: Axes, point: Any, words: str, shift: int, **style: Any) -> None:
    """Write words as many points to the right of a place as ``shift`` says, to the left where it is negative."""
    axes.annotate(words, point, xytext=(shift, 0), textcoords="offset points", fontsize=SMALL, **style)


def add_colour_bar(figure: Figure, image: AxesImage, words: str, **settings: Any) -> None:
    """Draw the scale of an image's colours beside it, with its name."""
    bar = figure.colorbar(image, shrink=0.6, **settings)
    bar.set_label(words, fontsize=SMALL, color=GREY)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=GREY, length=0)
    bar.outline.set_visible(False)


def shorten(name: str) -> str:
    """Return the name of a class in at most 12 letters."""
    return name if len(name) <= 12 else f"{name[:11]}…"
