"""Training images distorted a little, anew each time that they are shown: a seven that leans is still a seven.

A distortion says for each pixel of the new image from which place in the old one it comes, since then no pixel is left
without a value: `glassnet.nn.distortion` has the equation. Here is drawn, for each image, by how much it is turned,
scaled, sheared and shifted, and the smooth random field of the elastic distortion of Simard, Steinkraus and Platt (Best
practices for convolutional neural networks applied to visual document analysis, 2003). Robust training also sees images
in perspective, and changes their ink as `glassnet.data.degradation` says.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..nn import NUMPY, Engine
from ..nn.distortion import blocks_of
from .dataset import MAX_SIDE
from .degradation import degrade

__all__ = ["AUGMENTATIONS", "RANGES", "Augmentation", "Distortions", "inverse_matrices"]

Floats = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]

RANGES = {
    "rotation": (0.0, 180.0),
    "zoom": (0.0, 0.9),
    "shear": (0.0, 2.0),
    "shift": (0.0, float(MAX_SIDE)),
    "elastic": (0.0, float(MAX_SIDE)),
    "smoothness": (0.1, float(MAX_SIDE)),
}
"""The least and the most that each amount may be."""

AUGMENTATIONS = (*RANGES, "robust")
"""The names of all settings of an `Augmentation`."""

_NOTHING = 1e-20  # beside 1; numbers near the least of float32 would make products several times as slow
_PERSPECTIVE = 0.12  # how much nearer one side is than the middle, in robust training


class Distortions(NamedTuple):
    """What was drawn for n images, as `Engine.distort` takes it.

    Attributes:
        matrices: A⁻¹ (2, 2, n).
        shifts: s (2, n), pixels down and across.
        perspective: g (2, n), 1/pixels down and across; or None.
        elastic: noise (2, n, a, b), and what turns it into a smooth field, for columns (h, a) and rows (w, b); or None.
    """

    matrices: Numbers
    shifts: Numbers
    perspective: Numbers | None
    elastic: tuple[NDArray[np.int16], Floats, Floats] | None


@dataclass(frozen=True)
class Augmentation:
    """How far images are distorted; each one draws its own distortion, uniformly up to these amounts both ways.

    ``elastic`` is a length: the standard deviation of d(p) along each axis, at any pixel and for any ``smoothness``,
    since the squares of the Gaussian's weights are made to sum to 1. Simard and others give the factor α of noise from
    −1 to 1 that was smoothed by a Gaussian of sum 1, which leaves it a deviation of 1 / (2 σ √(3π)). Their α = 34 at
    σ = 4, for images of 29×29 pixels, is ``elastic`` = 1.4.

    Attributes:
        rotation: degrees.
        zoom: share of the size; 0.1 scales by factors from 0.9 to 1.1.
        shear: columns that a row moves for each row it lies below the centre.
        shift: pixels, down and across.
        elastic: pixels.
        smoothness: σ of the Gaussian that makes the elastic distortion smooth, pixels.
        robust: also perspective, and ink as pens, paper and cameras leave it: see `glassnet.data.degradation`.

    Raises:
        ConfigError: an amount is out of its range.
    """

    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0
    robust: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            amount = getattr(self, name)
            if not least <= amount <= most:  # also true of NaN
                raise ConfigError(f"{name}: must be from {least:g} to {most:g}, not {amount!r}")

    @property
    def distorts(self) -> bool:
        """Whether images are changed at all."""
        return any((self.rotation, self.zoom, self.shear, self.shift, self.elastic, self.robust))

    def __str__(self) -> str:
        amounts = {name: getattr(self, name) for name in RANGES if self.elastic or name != "smoothness"}
        named = [f"{name} {amount:g}" for name, amount in amounts.items() if amount]
        return ", ".join([*named, *(["robust"] if self.robust else [])]) or "off"

    def distort(
        self,
        images: NDArray[Any],
        rng: np.random.Generator,
        out: NDArray[Any] | None = None,
        ground: float = 0,
        engine: Engine = NUMPY,
        wanted: slice | None = None,
    ) -> NDArray[Any]:
        """Return the images ``(n, h, w)``, each distorted in its own way.

        Args:
            images: the pictures, which are not changed; uint8 as a rule.
            rng: decides how; the same one gives the same distortions, however many threads there are.
            out: where to put the distorted images, so that they need no new memory.
            ground: the gray value outside of an image.
            engine: what to compute with.
            wanted: the images that somebody looks at, a range, by default all; of the others anything may come out.

        Raises:
            ValueError: images, ``out`` or ``wanted`` of another form.
        """
        out = np.empty(images.shape, images.dtype) if out is None else out
        if images.ndim != 3 or not all(images.shape[1:]):
            raise ValueError(f"images: expected an array (n, h, w) of at least a pixel each, got shape {images.shape}")
        if out.shape != images.shape:
            raise ValueError(f"out: expected the images' shape {images.shape}, got {out.shape}")
        if wanted and wanted.step not in (None, 1):
            raise ValueError(f"wanted: images beside each other, not every {wanted.step}th")
        engine.distort(images, *self.draw(images.shape, rng), ground, out, wanted)
        if self.robust:
            blocks = blocks_of(images.shape, wanted)
            generators = rng.spawn(max(blocks, default=-1) + 1)

            def degrade_block(_: int, number: int) -> None:
                block, some = due[number]
                degrade(out[some], generators[block], ground)

            due = list(blocks.items())
            engine.share_out(degrade_block, len(due))
        return out

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Distortions:
        """Draw a distortion for each of n images, whose ``shape`` is (n, h, w)."""
        count, height, width = shape
        rotation, zoom, shear, down, across = rng.uniform(-1, 1, (5, count))
        matrices = inverse_matrices(self.rotation * rotation, 1 + self.zoom * zoom, self.shear * shear)
        shifts, perspective, elastic = self.shift * np.stack([down, across]), None, None
        if self.elastic:
            k_down, k_across = (_kernel(side, self.smoothness) for side in (height, width))
            noise_shape = 2, count, k_down.shape[1], k_across.shape[1]
            noise = rng.integers(-(2**15), 2**15, noise_shape, np.int16)  # drawn quicker than floats
            # √12 / range: one over uniform noise's deviation
            elastic = noise, np.float32(self.elastic * np.sqrt(12) / 2**16) * k_down, k_across
        if self.robust:
            perspective = _PERSPECTIVE * rng.uniform(-1, 1, (2, count)) / (np.array([[height], [width]]) / 2)
        return Distortions(matrices, shifts, perspective, elastic)


def inverse_matrices(degrees: Numbers, zoom: Numbers, shear: Numbers) -> Numbers:
    """Return A⁻¹ ``(2, 2, n)`` for n images that are sheared, then turned, and scaled.

        A = zoom · | cos  −sin | · | 1      0 |        A⁻¹ = 1/zoom · |      cos            sin      |
                   | sin   cos |   | shear  1 |                       | −shear cos − sin  cos − shear sin |

    acting on (row, column). Since rows count downwards, positive angles turn anticlockwise.

    Args:
        degrees: angles (n,).
        zoom: factors (n,), above 1 to enlarge.
        shear: columns a row (n,).
    """
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-shear * cos - sin, cos - shear * sin]]) / zoom


@lru_cache(maxsize=8)
def _kernel(side: int, smoothness: float) -> Floats:
    """Return the matrix (side, m) that turns m independent numbers into ``side`` numbers smoothed by a Gaussian.

    A smooth field needs few samples. With one for every σ / 2 pixels the field is, away from the borders, that of one
    sample a pixel: the Gaussian leaves less than 1e-8 of any wave that they miss. The squares in each row sum to 1, so
    independent noise keeps its deviation, at the borders too.
    """
    count = min(max(math.ceil(2 * side / smoothness), 2), side)
    samples = (np.arange(count) + 0.5) * side / count - 0.5  # where they lie
    kernel = np.exp(-(((np.arange(side)[:, None] - samples) / smoothness) ** 2) / 2)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    kernel[kernel < _NOTHING] = 0
    return kernel.astype(np.float32)
