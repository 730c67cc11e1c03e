"""The figures of a report: each function returns one matplotlib `Figure`, and draws nothing on any screen.

All share one style: a white ground, colours from the eight of Okabe and Ito (2008) that the colour-blind can tell
apart, labels beside the lines in place of a legend, and a title that states the result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .data import Augmentation, Examples
from .data.dataset import Images
from .errors import DataError
from .evaluation import Evaluation
from .model import Model
from .training import LearningRateSearch

__all__ = [
    "SIGNED",
    "augmented",
    "calibration",
    "confusion_matrix",
    "first_layer_weights",
    "hardest_images",
    "learning_curves",
    "learning_rate_search",
    "projection",
    "samples",
]

INK, GREY, PALE = "#222222", "#666666", "#ebebeb"
BLUE, VERMILLION = "#0072b2", "#d55e00"
# Of numbers around 0, the same in figures, pages and tutorial: blue above, orange below, white at 0.
SIGNED = LinearSegmentedColormap.from_list("signed", [VERMILLION, "white", BLUE])
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
LARGE, NORMAL, SMALL = 14, 12, 11  # points: large, since a page may be as narrow as a telephone
WIDTH, DPI = 8, 150  # inches, pixels an inch

Points = NDArray[np.float64]

MAX_UNITS, UNITS_ACROSS = 64, 11
HARDEST, HARDEST_ACROSS = 15, 5
SAMPLES_ACROSS = 16
AUGMENTED, VERSIONS = 6, 9
MAX_CURVE = 300  # points: of more, a noisy line covers everything unless it is very faint
MAX_NUMBERED_CLASSES = 20  # above it, the numbers in a confusion matrix are too small to be read


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
    names, size = [_short(name) for name in evaluation.classes], SMALL if numbered else 6
    upright = k * max(map(len, names)) > 60  # else they would run into each other
    axes.set_xticks(range(k), names, fontsize=size, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(range(k), names, fontsize=size, parse_math=False)
    axes.spines[:].set_visible(False)
    commonest = [f"most often, {_short(a)} was mistaken for {_short(b)}" for a, b, _ in evaluation.most_confused(1)]
    write_title(axes, "; ".join([f"{counts.trace():,} of {counts.sum():,} correct", *commonest]))
    _colour_bar(figure, image, "mistakes (images)", ticks=MaxNLocator(5, integer=True))
    return figure


def first_layer_weights(model: Model) -> Figure:
    """The weights of each unit of the first layer as an image, white where they are 0; at most 64 units."""
    images = model.first_weights()  # (units, h, w)
    units = min(len(images), MAX_UNITS)
    limit = float(np.percentile(np.abs(images[:units]), 99.5)) or 1.0  # one extreme weight must not make the rest pale
    across = min(units, UNITS_ACROSS)
    figure, axes = _sheet(across, -(-units // across))
    for unit in range(units):
        image = _tile(axes, images[unit], unit % across, unit // across)
        image.set(cmap=SIGNED, clim=(-limit, limit))
    which = f"The {units}" if units == len(images) else f"The first {units} of {len(images)}"
    name = "filters" if images.shape[1:] != model.image_shape else "units"
    write_title(axes, f"{which} {name} of the first layer, each as the image of its weights")
    _colour_bar(figure, image, "weight", extend="both")
    return figure


def hardest_images(evaluation: Evaluation, examples: Examples) -> Figure:
    """The 15 images with the highest loss: predicted class, its probability, and true class.

    Args:
        evaluation: of a model on ``examples``.
        examples: those images and labels.
    """
    hardest, classes = evaluation.hardest(HARDEST), evaluation.classes
    images = examples.images_at(hardest)
    white = _white(images)
    pitch = 1.5  # of the height of a row, the image takes 1 and the words below it the rest
    figure, axes = _sheet(HARDEST_ACROSS, -(-len(hardest) // HARDEST_ACROSS), pitch)
    for place, (index, image) in enumerate(zip(hardest.tolist(), images, strict=True)):
        x, y = place % HARDEST_ACROSS, place // HARDEST_ACROSS * pitch
        _tile(axes, image, x, y).set(cmap="gray_r", clim=(0, white))
        said, true = int(evaluation.predictions[index]), int(evaluation.labels[index])
        probability = 100 * float(evaluation.probabilities[index, said])
        words = f"predicted {_short(classes[said])}", f"{probability:.0f} %", f"true {_short(classes[true])}"
        for line, (word, colour) in enumerate(
            zip(words, (BLUE if said == true else VERMILLION, GREY, INK), strict=True)
        ):
            _write(axes, x + 0.5, y + 1.06 + 0.14 * line, word, color=colour)
    wrong = int(np.sum(evaluation.predictions[hardest] != evaluation.labels[hardest]))
    write_title(axes, f"The {len(hardest)} hardest images: {wrong} misclassified")
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
    _write(upper, 1, 107, "dashed: perfect calibration", ha="left", color=GREY)
    upper.set(xlim=(0, 100), ylim=(0, 112))
    lower.bar(height=bins.count, **place)
    lower.set_yscale("log")
    lower.set_ylim(bottom=0.5)  # else a bin of one image would have no height
    name_axes(upper, "", "accuracy (%)")
    name_axes(lower, "confidence: probability of the predicted class (%)", "images")
    error = 100 * evaluation.calibration_error
    write_title(upper, f"Confidence and accuracy differ by {error:.1f} % (expected calibration error)")
    return figure


def projection(coordinates: Points, labels: NDArray[np.integer], classes: Sequence[str], method: str = "pca") -> Figure:
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
            label=f"{_short(name)} ({len(points):,})",
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(PALE)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=SMALL, title="class (images)")
    write_title(axes, f"{len(coordinates):,} images as the last hidden layer sees them ({method.upper()})")
    return figure


def samples(examples: Examples, classes: Sequence[str]) -> Figure:
    """The first 16 images of each class, a row for each."""
    figure, axes = _sheet(SAMPLES_ACROSS, len(classes))
    rows = [examples.images_at(np.flatnonzero(examples.labels == i)[:SAMPLES_ACROSS]) for i in range(len(classes))]
    white = max(map(_white, rows))
    for y, (name, images) in enumerate(zip(classes, rows, strict=True)):
        _write(axes, -0.2, y + 0.5, _short(name), ha="right", color=INK, fontsize=NORMAL)
        for x, image in enumerate(images):
            _tile(axes, image, x, y).set(cmap="gray_r", clim=(0, white))
    write_title(axes, f"The first of {len(examples.labels):,} images, by class")
    return figure


def augmented(examples: Examples, augmentation: Augmentation, *, ground: int = 0, seed: int = 0) -> Figure:
    """One image of each of the first six classes there are, each beside nine distorted versions of it.

    Args:
        examples: images and labels.
        augmentation: how they are distorted.
        ground: the gray value outside of an image.
        seed: of the distortions.

    Raises:
        DataError: there are no images.
    """
    if not len(examples):
        raise DataError("no images to distort; give at least one")
    _, first = np.unique(examples.labels, return_index=True)
    originals = examples.images_at(first[:AUGMENTED])
    versions = augmentation.distort(originals.repeat(VERSIONS, axis=0), np.random.default_rng(seed), ground=ground)
    white = _white(originals)
    gap = 0.5  # of a tile, between the images and their versions
    figure, axes = _sheet(VERSIONS + 1 + gap, len(originals))
    for row, original in enumerate(originals):
        places = [0.0, *(1 + gap + np.arange(VERSIONS))]
        for x, image in zip(places, [original, *versions[row * VERSIONS :][:VERSIONS]], strict=True):
            _tile(axes, image, x, row).set(cmap="gray_r", clim=(0, white))
    axes.axvline(1 + gap / 2, color=PALE)
    write_title(axes, str(augmentation))
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


def _write_counts(axes: Axes, counts: NDArray[np.int64], most: int) -> None:
    for row, column in np.argwhere(counts).tolist():
        count = int(counts[row, column])
        on_dark = row != column and count > 0.8 * most
        size = SMALL if len(counts) > 10 or count > 9999 else NORMAL
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=size, color="white" if on_dark else INK)


def new_figure(height: float, width: float = WIDTH) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(wspace=0.06), facecolor="white")


def _sheet(columns: float, rows: int, pitch: float = 1.0) -> tuple[Figure, Axes]:
    """Return a figure for a grid of tiles and its axes, where a tile is 1 wide and ``pitch`` high and y points down."""
    figure = new_figure(height=0.6 + WIDTH * rows * pitch / max(columns, HARDEST_ACROSS))
    axes = figure.subplots()
    axes.set(xlim=(0, columns), ylim=(rows * pitch, 0), aspect="equal")
    axes.axis("off")
    return figure, axes


def _tile(axes: Axes, pixels: NDArray[np.generic], x: float, y: float) -> AxesImage:
    """Draw an image into the unit square whose upper left corner is (x, y), with a margin, its pixels square."""
    height, width = pixels.shape
    half = 0.46 / max(height, width)
    extent = (x + 0.5 - half * width, x + 0.5 + half * width, y + 0.5 + half * height, y + 0.5 - half * height)
    return axes.imshow(pixels, extent=extent, interpolation="nearest")


def _white(images: Images) -> int:
    """The brightest pixel, which is drawn as ink."""
    return max(int(images.max(initial=0)), 1)


def _write(axes: Axes, x: float, y: float, words: str, **style: Any) -> None:
    axes.text(x, y, words, parse_math=False, **{"ha": "center", "va": "center", "fontsize": SMALL, **style})


def write_beside(axes: Axes, point: Any, words: str, shift: int, **style: Any) -> None:
    """Write words as many points to the right of a place as ``shift`` says, to the left where it is negative."""
    axes.annotate(words, point, xytext=(shift, 0), textcoords="offset points", fontsize=SMALL, **style)


def write_title(axes: Axes, words: str) -> None:
    axes.set_title(words, loc="left", fontsize=LARGE, color=INK, pad=12, parse_math=False)


def name_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=NORMAL, color=GREY)
    axes.set_ylabel(y, fontsize=NORMAL, color=GREY)
    axes.tick_params(labelsize=SMALL, labelcolor=GREY, color=PALE, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)


def _colour_bar(figure: Figure, image: AxesImage, words: str, **settings: Any) -> None:
    bar = figure.colorbar(image, shrink=0.6, **settings)
    bar.set_label(words, fontsize=SMALL, color=GREY)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=GREY, length=0)
    bar.outline.set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
