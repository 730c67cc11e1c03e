"""Digits that nobody wrote: drawn along skeletons that are bent at random, and printed in the fonts of matplotlib.

They are for training: MNIST has hardly any European 1, crossed 7, open 4, or printed digit. They are made in MNIST's
form, light on dark in a box of 20×20 pixels with the centre of mass in the middle of 28×28.
"""

import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .cache import Table, remembered
from .dataset import Dataset, Examples, Images
from .skeletons import SKELETONS, Form

__all__ = ["drawn_digits", "font", "printed_digits", "synthetic_dataset"]

Floats = NDArray[np.float64]
Random = np.random.Generator

SIDE, BOX = 28, 20
DRAWN, PRINTED, TEST = 14_000, 6_000, 0.1  # training digits of both kinds; as many more are test digits
VERSION = 1  # goes into the name in the cache: other digits are not what this one kept
_FINE = 8  # a digit is drawn so many times as large, and averaged down
_STEPS = 12  # of the pen between two points of a skeleton
_FONTS = ("DejaVu*.ttf", "STIXGeneral*.ttf", "cmr10.ttf", "cmb10.ttf", "cmss10.ttf", "cmtt10.ttf")


def drawn_digits(count: int, rng: Random) -> Examples:
    """Return ``count`` digits as a pen draws them, each of its own form, proportions, slant and width of stroke."""
    labels = rng.integers(0, 10, count)
    return _examples([_drawn(_chosen(SKELETONS[int(label)], rng), rng) for label in labels], labels)


def printed_digits(count: int, rng: Random) -> Examples:
    """Return ``count`` digits as they are printed: upright or oblique, narrow or wide, light or bold."""
    labels = rng.integers(0, 10, count)
    return _examples([_printed(str(label), rng) for label in labels], labels)


def synthetic_dataset() -> Dataset:
    """Return the data set ``synthetic``: 14,000 drawn and 6,000 printed digits, and a tenth as many to test on.

    Drawing them takes some twenty seconds, so they are kept in the cache.
    """
    train, test = (_made(seed, share) for seed, share in ((0, 1.0), (1, TEST)))
    nothing = np.empty((0, SIDE, SIDE), np.uint8)
    return Dataset("synthetic", "synthetic", train, test, tuple("0123456789"), True, nothing)


def _made(seed: int, share: float) -> Examples:
    def make() -> Table:
        rng = np.random.default_rng(seed)
        digits = drawn_digits(int(share * DRAWN), rng).joined(printed_digits(int(share * PRINTED), rng))
        return Table(digits.images, digits.labels.astype(np.uint8))

    table = remembered(f"synthetic-{VERSION}-{seed}-{share:g}", make)
    assert table.labels is not None
    return Examples(table.images, table.labels.astype(np.int64))


def _examples(images: list[Images], labels: NDArray[np.int64]) -> Examples:
    return Examples(np.stack(images) if images else np.empty((0, SIDE, SIDE), np.uint8), labels)


def _chosen(forms: tuple[Form, ...], rng: Random) -> Form:
    return forms[rng.integers(len(forms))]


def _drawn(form: Form, rng: Random) -> Images:
    """Draw a form: its points are moved, the whole is bent, stretched and slanted, and a round pen follows it."""
    strokes = [_bent(stroke, rng) for stroke in _moved(form, rng)]
    points = np.concatenate(strokes)
    pen = rng.uniform(0.05, 0.17) * np.ptp(points, axis=0).max()  # its width
    low, high = points.min(axis=0) - pen / 2, points.max(axis=0) + pen / 2
    scale = _FINE * BOX / (high - low).max()
    width, height = (math.ceil(side) for side in scale * (high - low))
    page = Image.new("L", (width, height))
    draw = ImageDraw.Draw(page)
    for stroke in strokes:
        at = (stroke - low) * scale
        radii = scale * pen / 2 * (1 + _wave(len(at), rng, 0.15))
        for (x, y), radius in zip(at, radii, strict=True):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return _centred(np.asarray(page))


def _moved(form: Form, rng: Random) -> list[Floats]:
    """Return a form's strokes with each point moved a little; a point that two strokes share stays shared."""
    reach = rng.uniform(0.0, 0.05)
    moved: dict[tuple[float, float], Floats] = {}
    slant, turn = rng.normal(0.1, 0.18), np.deg2rad(rng.normal(0, 6))
    wide = rng.uniform(0.65, 1.5)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[wide, -slant], [0, 1]])
    for stroke in form:
        for point in stroke:
            if point not in moved:
                moved[point] = matrix @ (np.array(point) + rng.normal(0, reach, 2))
    return [np.stack([moved[point] for point in stroke]) for stroke in form]


def _bent(points: Floats, rng: Random) -> Floats:
    """Return a smooth curve (n, 2) through points, with a tremor."""
    from scipy.interpolate import make_interp_spline

    count = _STEPS * (len(points) - 1)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1) ** 0.7 + 1e-6)])
    curve = make_interp_spline(steps, points, k=min(3, len(points) - 1))(np.linspace(0, steps[-1], count))
    bow = rng.normal(0, 0.02, 2) * np.sin(np.linspace(0, np.pi, count))[:, None]  # no pen draws a straight line
    return np.asarray(curve + bow + np.stack([_wave(count, rng, 0.006), _wave(count, rng, 0.006)], axis=1))


def _wave(count: int, rng: Random, amount: float) -> Floats:
    """Return ``count`` numbers about 0 that change slowly."""
    knots = rng.normal(0, amount, 4)
    return np.interp(np.linspace(0, 3, count), np.arange(4), knots)


@cache
def _faces() -> tuple[str, ...]:
    """Return the fonts that come with matplotlib and have digits."""
    import matplotlib as mpl

    folder = Path(mpl.get_data_path(), "fonts", "ttf")
    return tuple(sorted(str(path) for pattern in _FONTS for path in folder.glob(pattern) if "Display" not in path.name))


def font(rng: Random, size: int) -> ImageFont.FreeTypeFont:
    """Return one of these fonts, letters ``size`` pixels high."""
    return _font(_faces()[rng.integers(len(_faces()))], size)


@cache
def _font(face: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(face, size)


def _printed(digit: str, rng: Random) -> Images:
    face, bold = font(rng, _FINE * SIDE), int(rng.integers(0, _FINE)) * int(rng.integers(0, 2))
    page = Image.new("L", (2 * _FINE * SIDE, 2 * _FINE * SIDE))
    ImageDraw.Draw(page).text((_FINE * SIDE, _FINE * SIDE), digit, 255, face, anchor="mm", stroke_width=bold)
    lean = rng.normal(0, 0.08)
    page = page.transform(page.size, Image.Transform.AFFINE, (1, lean, -lean * _FINE * SIDE, 0, 1, 0))
    page = page.crop(page.getbbox())
    width = max(1, round(page.width * rng.uniform(0.75, 1.3)))
    scale = _FINE * BOX / max(width, page.height)
    size = max(_FINE, round(scale * width)), max(_FINE, round(scale * page.height))
    return _centred(np.asarray(page.resize(size, Image.Resampling.BILINEAR)))


def _centred(ink: Images) -> Images:
    """Average down ink (h, w) uint8 of the box's size, its centre of mass in the middle of the frame."""
    frame = np.zeros((_FINE * SIDE, _FINE * SIDE), np.uint8)
    place = []
    for axis, side in enumerate(ink.shape):
        centre = np.average(np.arange(side), weights=ink.sum(axis=1 - axis, dtype=np.int64))
        # by whole pixels of the small image, as MNIST's digits were moved
        first = _FINE * round((len(frame) / 2 - centre) / _FINE)
        first = min(max(first, 0), len(frame) - side)
        place.append(slice(first, first + side))
    frame[tuple(place)] = ink
    small: Images = np.rint(frame.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))).astype(np.uint8)
    return small
