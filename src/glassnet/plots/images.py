"""Images side by side: samples, distorted ones, the hardest ones, and those of the weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from ..data import Augmentation, Examples
from ..data.dataset import Images
from ..errors import DataError
from ..evaluation import Evaluation
from ..model import Model
from .style import (
    BLUE,
    GREY,
    INK,
    NORMAL,
    PALE,
    SIGNED,
    VERMILLION,
    WIDTH,
    add_colour_bar,
    new_figure,
    shorten,
    write_centred,
    write_title,
)

__all__ = ["augmented", "first_layer_weights", "hardest_images", "samples"]

MAX_UNITS, UNITS_ACROSS = 64, 11
HARDEST, HARDEST_ACROSS = 15, 5
SAMPLES_ACROSS = 16
AUGMENTED, VERSIONS = 6, 9


def samples(examples: Examples, classes: Sequence[str]) -> Figure:
    """The first 16 images of each class, a row for each."""
    figure, axes = _sheet(SAMPLES_ACROSS, len(classes))
    rows = [examples.images_at(np.flatnonzero(examples.labels == i)[:SAMPLES_ACROSS]) for i in range(len(classes))]
    white = max(map(_white, rows))
    for y, (name, images) in enumerate(zip(classes, rows, strict=True)):
        write_centred(axes, -0.2, y + 0.5, shorten(name), ha="right", color=INK, fontsize=NORMAL)
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
        words = f"predicted {shorten(classes[said])}", f"{probability:.0f} %", f"true {shorten(classes[true])}"
        for line, (word, colour) in enumerate(
            zip(words, (BLUE if said == true else VERMILLION, GREY, INK), strict=True)
        ):
            write_centred(axes, x + 0.5, y + 1.06 + 0.14 * line, word, color=colour)
    wrong = int(np.sum(evaluation.predictions[hardest] != evaluation.labels[hardest]))
    write_title(axes, f"The {len(hardest)} hardest images: {wrong} misclassified")
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
    add_colour_bar(figure, image, "weight", extend="both")
    return figure


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
