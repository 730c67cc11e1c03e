"""Eight image corruptions, each at five severities: people draw off-centre, thin, thick, tilted and dirty.

After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR
2019, and Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019.

Lengths are in percent of the picture's longer side, so that a severity means the same for pictures of any size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data.dataset import Images
from .errors import ConfigError, nearest

__all__ = ["CORRUPTIONS", "Corruption", "corrupt"]

Floats = NDArray[np.floating[Any]]
Random = np.random.Generator


@dataclass(frozen=True)
class Corruption:
    """An image corruption.

    Attributes:
        strengths: five, from mild to severe.
        unit: what they are measured in.
        apply: takes light digits on a black background ``(n, h, w)`` uint8, a strength and a random generator, and
            returns pictures of the same shape.
    """

    strengths: tuple[float, float, float, float, float]
    unit: str
    apply: Callable[[Images, float, Random], Images]


def corrupt(images: Images, name: str, level: int, *, dark_on_light: bool = False, seed: int = 0) -> Images:
    """Corrupt pictures.

    Args:
        images: ``(n, h, w)`` uint8, light digits on a dark background.
        name: one of `CORRUPTIONS`.
        level: 1 (mild) to 5 (severe): which of the corruption's strengths.
        dark_on_light: the digits are dark on a light background instead, also in the result.
        seed: of directions, positions and noise.

    Returns:
        Pictures of the same shape.

    Raises:
        ConfigError: no corruption of that name, or an invalid level.
    """
    if name not in CORRUPTIONS:
        raise ConfigError(f"no corruption called {name!r}{nearest(name, CORRUPTIONS)}")
    if not isinstance(level, int | np.integer) or not 1 <= level <= 5:
        raise ConfigError(f"level = {level}: must be a whole number from 1 to 5")
    corruption = CORRUPTIONS[name]
    ink = 255 - images if dark_on_light else images
    corrupted = corruption.apply(ink, corruption.strengths[level - 1], np.random.default_rng(seed))
    return 255 - corrupted if dark_on_light else corrupted


def _shift(ink: Images, percent: float, rng: Random) -> Images:
    """Move each digit by ``percent`` of the side in its own random direction; what leaves the picture is cut off."""
    angles = rng.uniform(0, 2 * np.pi, len(ink))
    offsets = _pixels(ink, percent) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _warped(ink, np.broadcast_to(np.eye(2), (len(ink), 2, 2)), offsets)


def _rotate(ink: Images, degrees: float, rng: Random) -> Images:
    """Turn each picture about its middle, half of them to the left and half to the right, drawn at random."""
    angles = np.deg2rad(degrees) * _signs(ink, rng)
    cos, sin = np.cos(angles), np.sin(angles)
    return _warped(ink, np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2))


def _scale(ink: Images, factor: float, rng: Random) -> Images:
    """Make digits larger by ``factor`` or smaller by it, drawn at random; what leaves the picture is cut off."""
    return _warped(ink, np.eye(2) * (factor ** -_signs(ink, rng))[:, None, None])


def _stroke_width(ink: Images, percent: float, rng: Random) -> Images:
    """Make strokes wider or thinner by ``percent`` of the side, drawn at random: grey dilation and erosion."""
    from scipy import ndimage

    radius, thicker = _pixels(ink, percent) / 2, _signs(ink, rng) > 0
    changed = np.empty_like(ink)
    changed[thicker] = _grown(ink[thicker], radius, ndimage.grey_dilation)
    changed[~thicker] = _grown(ink[~thicker], radius, ndimage.grey_erosion)
    return changed


def _blur(ink: Images, percent: float, rng: Random) -> Images:
    """Blur with a normal distribution whose standard deviation is ``percent`` of the side."""
    from scipy import ndimage

    deviation = _pixels(ink, percent)
    return _as_pixels(ndimage.gaussian_filter(ink.astype(np.float32), (0, deviation, deviation)))


def _noise(ink: Images, levels: float, rng: Random) -> Images:
    """Add normal noise with a standard deviation of so many gray levels to each pixel."""
    return _as_pixels(ink + levels * rng.standard_normal(ink.shape, np.float32))


def _invert(ink: Images, levels: float, rng: Random) -> Images:
    """Draw dark digits on white paper, full ink so many gray levels darker than the paper."""
    return _as_pixels(255 - ink * (levels / 255))


def _occlude(ink: Images, percent: float, rng: Random) -> Images:
    """Wipe out a square with sides of ``percent`` of the side, somewhere in the picture."""
    side = max(round(_pixels(ink, percent)), 1)
    hidden = ink.copy()
    corners = rng.uniform(size=(len(ink), 2)) * (np.array(ink.shape[1:]) - side + 1)
    for picture, (top, left) in zip(hidden, np.maximum(corners, 0).astype(int).tolist(), strict=True):
        picture[top : top + side, left : left + side] = 0
    return hidden


CORRUPTIONS = {
    "shift": Corruption((4, 8, 12, 16, 20), "% of the side", _shift),
    "rotation": Corruption((9, 18, 27, 36, 45), "degrees", _rotate),
    "scale": Corruption((1.1, 1.2, 1.3, 1.45, 1.6), "times", _scale),
    "stroke width": Corruption((2, 4, 6, 8, 10), "% of the side", _stroke_width),
    "blur": Corruption((2, 4, 6, 8, 10), "% of the side", _blur),
    "noise": Corruption((10, 20, 30, 40, 50), "gray levels", _noise),
    "inversion": Corruption((255, 192, 128, 64, 32), "gray levels", _invert),
    "occlusion": Corruption((8, 16, 24, 32, 40), "% of the side", _occlude),
}


def _pixels(ink: Images, percent: float) -> float:
    """Return how many pixels of the longer side ``percent`` of it are."""
    return percent / 100 * int(max(ink.shape[1:]))


def _signs(ink: Images, rng: Random) -> NDArray[np.float64]:
    """Draw −1 or 1 for each picture."""
    return rng.choice(np.array([-1.0, 1.0]), len(ink))


def _as_pixels(values: Floats) -> Images:
    pixels: Images = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return pixels


def _warped(ink: Images, matrices: Floats, offsets: Floats | None = None) -> Images:
    """Take each pixel at place p, seen from the picture's middle, from the place M p − offset; outside is ground.

    Args:
        ink: ``(n, h, w)``.
        matrices: ``(n, 2, 2)``, acting on (x, y).
        offsets: ``(n, 2)``, x to the right and y down, in pixels.
    """
    from PIL import Image

    height, width = ink.shape[1:]
    middle = np.array([width / 2, height / 2])
    shifts = middle - matrices @ middle - (0 if offsets is None else offsets)
    coefficients = np.concatenate([matrices, shifts[:, :, None]], axis=2).reshape(-1, 6)
    warped = np.empty_like(ink)
    for i, numbers in enumerate(coefficients.tolist()):
        moved = Image.fromarray(ink[i]).transform(
            (width, height), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR
        )
        warped[i] = np.asarray(moved)
    return warped


def _grown(ink: Images, radius: float, operation: Callable[..., Images]) -> Images:
    """Apply a morphological operation with a cross of radius 1 ``radius`` times, a broken time by mixing."""
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]])
    for _ in range(int(radius)):
        ink = operation(ink, footprint=cross)
    share = radius - int(radius)
    return _as_pixels((1 - share) * ink + share * operation(ink, footprint=cross))
