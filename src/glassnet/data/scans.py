"""Digits as old scanners kept them: few pixels, black and white, perhaps stretched to a square."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .dataset import Images
from .preprocess import Preprocessing
from .strangers import in_frame

__all__ = ["coarse_scans"]

Random = np.random.Generator

_SIDES = 12, 24  # pixels of a scan's longer side
_LEVELS = 80, 160  # gray values above which a pixel is ink
_EDGE = 60  # the ink's bounds are those of what is lighter


def coarse_scans(images: Images, form: Preprocessing, rng: Random) -> Images:
    """Return such a scan of each of images (n, h, w), brought back into their form.

    Args:
        images: of digits, as ``form`` says.
        form: how digits lie in them.
        rng: decides how coarse a scan is, how far it is stretched, and what counts as ink.
    """
    light = 255 - images if form.dark_on_light else images
    scans: Images = np.stack([in_frame(_scan(image, rng), form) for image in light])
    return 255 - scans if form.dark_on_light else scans


def _scan(image: NDArray[np.uint8], rng: Random) -> Image.Image:
    ink = Image.fromarray(image).crop(Image.fromarray(image).point(lambda gray: 255 * (gray > _EDGE)).getbbox())
    kept = rng.uniform(0, 1)  # of the logarithm of the sides' ratio: 0 is a square
    longer, side = max(ink.size), int(rng.integers(_SIDES[0], _SIDES[1] + 1))
    width, height = (max(2, round(side * (each / longer) ** kept)) for each in ink.size)
    level = rng.uniform(*_LEVELS)
    scan = ink.resize((width, height), Image.Resampling.BICUBIC).point(lambda gray: 255 * (gray > level))
    return scan if scan.getbbox() else ink
