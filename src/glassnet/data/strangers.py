"""Made-up images of what is not in a data set: scribbles, lines, shapes, blots, parts of images, several side by side.

And letters and words, where the classes are digits. A trained model's doubt is calibrated on them, in the form of its
training images, so that they are small and drawn quickly.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .cache import Table, remembered
from .dataset import Images
from .preprocess import Preprocessing
from .synthetic import font

__all__ = ["in_frame", "strangers_of"]

Floats = NDArray[np.float64]
Random = np.random.Generator

LETTERS = "ACDEFGHJKLMNPQRTUVWXYabcdefhijkmnprtuvwxy?!&@%$#+*=<>"  # those that are also written as digits are left out
SIDE = 96  # pixels of what is drawn
VERSION = 1  # goes into the name in the cache


def strangers_of(images: Images, form: Preprocessing, count: int, *, of_digits: bool, seed: int = 0) -> Images:
    """Return strangers to a data set (about ``count``, h, w), for each seed always the same ones.

    Args:
        images: some of its images (n, h, w), from which parts are taken.
        form: how digits lie in them.
        count: how many.
        of_digits: whether letters are strangers, too.
        seed: decides which.
    """
    kinds = (*DRAWN, *(LETTERED if of_digits else ()))
    each = math.ceil(count / (len(kinds) + 3))  # parts count twice, since they are most like images of the classes
    rng = np.random.default_rng(seed)
    light = 255 - images if form.dark_on_light else images
    taken = [*(_part(light, rng) for _ in range(2 * each)), *(_several(light, rng) for _ in range(each))]
    made = np.stack([in_frame(page, form) for page in taken])
    found: Images = np.concatenate([made, *(_drawn(kind, form, each, seed) for kind in kinds)])
    return 255 - found if form.dark_on_light else found


def _part(images: Images, rng: Random) -> Image.Image:
    """A third to two thirds of an image, from any side."""
    turn = int(rng.integers(4))
    turned = np.rot90(images[rng.integers(len(images))], turn)
    rows = np.flatnonzero((turned > 60).any(axis=1))
    if len(rows):
        turned = turned[rows[0] : rows[0] + max(1, round(len(rows) * rng.uniform(0.35, 0.65)))]
    return Image.fromarray(np.ascontiguousarray(np.rot90(turned, -turn)))


def _several(images: Images, rng: Random) -> Image.Image:
    """Two or three images side by side."""
    some = images[rng.integers(len(images), size=rng.integers(2, 4))]
    inked = [image[:, image.max(axis=0) > 60] for image in some]
    return Image.fromarray(np.concatenate([*inked, some[0][:, :1]], axis=1))


def _letter(rng: Random) -> Image.Image:
    return _text(LETTERS[rng.integers(len(LETTERS))], rng)


def _word(rng: Random) -> Image.Image:
    return _text("".join(LETTERS[at] for at in rng.integers(len(LETTERS), size=rng.integers(2, 5))), rng)


def _text(text: str, rng: Random) -> Image.Image:
    """Letters, slanted, turned, narrow or wide, thin or thick."""
    page = Image.new("L", (SIDE * (1 + len(text)), 2 * SIDE))
    middle = page.width / 2, page.height / 2
    ImageDraw.Draw(page).text(middle, text, 255, font(rng, SIDE), anchor="mm", stroke_width=int(rng.integers(0, 5)))
    lean, wide = rng.normal(0, 0.15), rng.uniform(0.7, 1.4)
    slanted = (wide, lean, middle[0] * (1 - wide) - lean * middle[1], 0, 1, 0)
    return page.transform(page.size, Image.Transform.AFFINE, slanted).rotate(rng.uniform(-15, 15))


def _scribble(rng: Random) -> Image.Image:
    """A long stroke to and fro."""
    from scipy.interpolate import make_interp_spline

    count = int(rng.integers(6, 25))
    points = np.cumsum(rng.normal(0, 1, (count, 2)), 0) if rng.random() < 0.5 else rng.uniform(-1, 1, (count, 2))
    points = (points - points.min(0)) / np.ptp(points, 0) * rng.uniform(0.4, 0.8, 2) * SIDE + 0.1 * SIDE
    smooth = make_interp_spline(np.linspace(0, 1, count), points, k=3)(np.linspace(0, 1, 8 * count))
    page = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(page).line([(x, y) for x, y in smooth], 255, int(rng.integers(3, 9)), joint="curve")
    return page


def _lines(rng: Random) -> Image.Image:
    """Straight lines that cross or don't."""
    page = Image.new("L", (SIDE, SIDE))
    for _ in range(rng.integers(2, 8)):
        x, y, then_x, then_y = rng.uniform(0.1 * SIDE, 0.9 * SIDE, 4)
        ImageDraw.Draw(page).line([(x, y), (then_x, then_y)], 255, int(rng.integers(3, 9)))
    return page


def _shape(rng: Random) -> Image.Image:
    """A rectangle, an ellipse, a polygon, or dots."""
    page, middle = Image.new("L", (SIDE, SIDE)), SIDE / 2
    draw, width = ImageDraw.Draw(page), int(rng.integers(3, 8))
    high, wide = rng.uniform(0.2, 0.45, 2) * SIDE
    box = (middle - wide, middle - high, middle + wide, middle + high)
    match rng.integers(5):
        case 0:
            draw.rectangle(box, 255)
        case 1:
            draw.rectangle(box, None, 255, width)
        case 2:
            draw.ellipse(box, 255)
        case 3:
            sides, turn, fill = int(rng.integers(3, 8)), int(rng.integers(90)), None if rng.random() < 0.5 else 255
            draw.regular_polygon((middle, middle, 0.3 * SIDE), sides, turn, fill, 255, width)
        case _:
            for x, y, radius in rng.uniform((0.2, 0.2, 0.04), (0.8, 0.8, 0.12), (rng.integers(2, 6), 3)) * SIDE:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return page


def _blots(rng: Random) -> Image.Image:
    """A texture of any coarseness, in grays or in black and white."""
    coarse = int(rng.integers(4, 16))
    grain = Image.fromarray(rng.integers(0, 256, (coarse, coarse), np.uint8))
    page = grain.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if rng.random() < 0.6:
        level = np.quantile(np.asarray(page), rng.uniform(0.6, 0.95))
        return page.point(lambda gray: 255 * (gray > level))
    return page


DRAWN: tuple[Callable[[Random], Image.Image], ...] = (_scribble, _lines, _shape, _blots)
LETTERED: tuple[Callable[[Random], Image.Image], ...] = (_letter, _word)


@lru_cache(maxsize=32)
def _drawn(kind: Callable[[Random], Image.Image], form: Preprocessing, count: int, seed: int) -> Images:
    """Return strangers of a kind in the form of training images, light on dark; they are kept in the cache."""

    def make() -> Table:
        rng = np.random.default_rng(seed)
        return Table(np.stack([in_frame(kind(rng), form) for _ in range(count)]), None)

    name = f"strangers-{VERSION}{kind.__name__}-{form.height}x{form.width}-{form.box}-{count}-{seed}"
    return remembered(name, make).images


def in_frame(page: Image.Image, form: Preprocessing) -> Images:
    """Scale what is drawn to the box and lay its centre of mass, or else itself, into the middle of the frame."""
    ink = page.crop(page.getbbox() or (0, 0, 1, 1))
    scale = min(form.box / max(ink.size), form.height / ink.height, form.width / ink.width)
    small = np.asarray(
        ink.resize((max(1, round(scale * ink.width)), max(1, round(scale * ink.height))), Image.Resampling.BOX)
    )
    frame = np.zeros((form.height, form.width), np.uint8)
    place = []
    for axis, (side, whole) in enumerate(zip(small.shape, frame.shape, strict=True)):
        centre = np.average(np.arange(side) + 0.5, weights=small.sum(axis=1 - axis) + 1e-9)
        first = min(max(round(whole / 2 - centre), 0), whole - side)
        place.append(slice(first, first + side))
    frame[tuple(place)] = small
    return frame
