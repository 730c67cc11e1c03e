"""Training images distorted a little, anew each time that they are shown: a seven that leans is still a seven.

A distortion says for each pixel of the new image from which place in the old one it comes, since then no pixel is left
without a value. For the pixel p = (row, column), with c the centre of the image, that place is

    q = c + A⁻¹ (p − c − s) + d(p)

where A turns, scales and shears, s shifts, and d is a smooth random field, the elastic distortion of Simard, Steinkraus
and Platt (Best practices for convolutional neural networks applied to visual document analysis, 2003). Between the old
image's pixels its values are interpolated linearly in both directions, and outside of it is ground.
"""

import math
from dataclasses import astuple, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ConfigError
from ..nn.team import ALONE, Team
from .dataset import MAX_SIDE, Images

__all__ = ["RANGES", "Augmentation", "Workspace", "affine_places", "elastic_field", "interpolate", "inverse_matrices"]

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

_BLOCK = 2**17  # pixels that go through all steps together: enough to outweigh the calls, few enough for a cache
_FEW = 2**15  # pixels: up to so many it is not worth a second thread, neither to us nor to a BLAS


class Workspace:
    """Memory that one block of images after another works in: new memory would cost more time than the arithmetic."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array with anything in it; it is overwritten by the next one of the same name."""
        size = math.prod(shape)
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size, dtype)
        return self._memory[name][:size].reshape(shape)


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

    It keeps the memory that it works in, so ask it for one thing at a time.

    Raises:
        ConfigError: an amount is out of its range.
    """

    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0

    def __post_init__(self) -> None:
        for field, amount in zip(fields(self), astuple(self), strict=True):
            least, most = RANGES[field.name]
            if not least <= amount <= most:  # also true of NaN
                raise ConfigError(f"{field.name}: must be from {least:g} to {most:g}, not {amount!r}")

    @property
    def distorts(self) -> bool:
        """Whether images are changed at all."""
        return any((self.rotation, self.zoom, self.shear, self.shift, self.elastic))

    def distort(
        self,
        images: Images,
        rng: np.random.Generator,
        out: Images | None = None,
        ground: int = 0,
        team: Team = ALONE,
        wanted: slice | None = None,
    ) -> Images:
        """Return the images ``(n, h, w)`` uint8, each distorted in its own way.

        Args:
            images: the pictures, which are not changed.
            rng: decides how; the same one gives the same distortions, however many threads there are.
            out: where to put the distorted images, so that they need no new memory.
            ground: the gray value outside of an image.
            team: the threads that share out the work.
            wanted: the images that somebody looks at, by default all; of the others anything may come out.
        """
        out = np.empty_like(images) if out is None else out
        count, *shape = images.shape
        blocks = 2 * math.ceil(images.size / _BLOCK / 2) if images.size > _FEW else min(count, 1)
        ends = np.linspace(0, count, blocks + 1).astype(int)
        generators = rng.spawn(blocks)
        first, last, _ = (wanted or slice(None)).indices(count)
        due = [block for block in range(blocks) if ends[block] < last and ends[block + 1] > first]
        while len(self._work) < team.size:
            self._work.append(Workspace())

        def distort_block(member: int, number: int) -> None:
            block = due[number]
            part, work = slice(ends[block], ends[block + 1]), self._work[member]
            places = self.places(len(images[part]), (shape[0], shape[1]), generators[block], work)
            interpolate(images[part], places, ground, out[part], work)

        team.share_out(distort_block, len(due))
        return out

    def places(self, count: int, shape: tuple[int, int], rng: np.random.Generator, work: Workspace) -> Floats:
        """Draw distortions: rows and columns ``(2, count, h, w)`` of the places from which the pixels come.

        They lie in ``work``, where the next ones overwrite them.
        """
        rotation, zoom, shear, down, across = rng.uniform(-1, 1, (5, count))
        matrices = inverse_matrices(self.rotation * rotation, 1 + self.zoom * zoom, self.shear * shear)
        places = affine_places(matrices, self.shift * np.stack([down, across]), shape, work)
        if self.elastic:
            places += elastic_field(count, shape, self.elastic, self.smoothness, rng, work)
        return places

    @cached_property
    def _work(self) -> list[Workspace]:
        return [Workspace()]  # of each thread


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


def affine_places(matrices: Numbers, shifts: Numbers, shape: tuple[int, int], work: Workspace) -> Floats:
    """Return c + A⁻¹ (p − c − s) for each pixel p of n images ``(2, n, h, w)``.

    It is A⁻¹ p + t with t = c − A⁻¹ (c + s), so a product: (A⁻¹ | t) of many images times the pixels (row, column, 1).
    A few images at a time, since a BLAS would take several threads for a larger product, and this runs on all of them.

    Args:
        matrices: A⁻¹ (2, 2, n).
        shifts: s (2, n), pixels down and across.
        shape: of an image, (h, w).
        work: where the result lies.
    """
    centre = (np.array(shape) - 1)[:, None] / 2
    rest = centre - np.einsum("abn,bn->an", matrices, centre + shifts)  # (2, n)
    factors = np.concatenate([matrices, rest[:, None]], axis=1).transpose(0, 2, 1)  # (2, n, 3)
    count, pixels = factors.shape[1], _pixels(shape)
    places = work.array("places", (2, count, pixels.shape[1]))
    few = max(_FEW // pixels.shape[1], 1)
    for start in range(0, count, few):
        some = slice(start, start + few)
        np.matmul(factors[:, some].astype(np.float32), pixels, out=places[:, some])
    return places.reshape(2, count, *shape)


@lru_cache(maxsize=8)
def _pixels(shape: tuple[int, int]) -> Floats:
    """Return row, column and 1 of each pixel, (3, h·w)."""
    rows, columns = np.indices(shape, np.float32).reshape(2, -1)
    return np.stack([rows, columns, np.ones_like(rows)])


def elastic_field(
    count: int, shape: tuple[int, int], amount: float, smoothness: float, rng: np.random.Generator, work: Workspace
) -> Floats:
    """Return smooth random displacements ``(2, count, h, w)``, down and across, in pixels.

    Noise N (h, w), uniform and independent, is smoothed along columns and rows by two matrix products, K_h N K_wᵀ. They
    are left as small as they are: a BLAS would take several threads for a large one, and this runs on all of them.

    Args:
        count: n, the number of images.
        shape: of an image, (h, w).
        amount: standard deviation of a displacement, pixels.
        smoothness: σ of the Gaussian, pixels.
        rng: where the noise comes from.
        work: where the result lies.
    """
    height, width = shape
    noise, half = (work.array(name, (2, count, height, width)) for name in ("noise", "half smoothed"))
    np.copyto(noise, rng.integers(-(2**15), 2**15, noise.shape, np.int16))  # drawn quicker than floats
    to_pixels = np.float32(amount * np.sqrt(12) / 2**16)  # √12 / range is one over the deviation of uniform noise
    np.matmul(to_pixels * _kernel(height, smoothness), noise, out=half)
    return np.matmul(half, _kernel(width, smoothness).T, out=noise)


@lru_cache(maxsize=8)
def _kernel(side: int, smoothness: float) -> Floats:
    """Return the matrix (side, side) that smooths ``side`` numbers by a Gaussian.

    The squares in each row sum to 1: so independent noise keeps its deviation, at the borders too.
    """
    distance = np.arange(side)[:, None] - np.arange(side)
    kernel = np.exp(-((distance / smoothness) ** 2) / 2)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    return kernel.astype(np.float32)


def interpolate(images: Images, places: Floats, ground: int, out: Images, work: Workspace) -> None:
    """Look images up between their pixels, linearly in both directions.

    Args:
        images: (n, h, w).
        places: rows and columns (2, n, h', w') to look up; they are overwritten.
        ground: the gray value outside of the images.
        out: where the values go, (n, h', w'), rounded.
        work: memory.
    """
    count, height, width = images.shape
    across = width + 3
    framed = work.array("framed", (count, height + 3, across))  # ground around them: one line above, two below
    framed.fill(ground)
    framed[:, 1:-2, 1:-2] = images
    corner = work.array("corner", places.shape[1:], np.intp)
    places += 1
    for axis, side in enumerate((height, width)):
        for limit, bound in ((np.maximum, 0), (np.minimum, side + 1)):
            bounds = work.array("bounds", corner.shape)  # by an array it is four times as quick as by a number
            bounds.fill(bound)
            limit(places[axis], bounds, out=places[axis])
    _split(places, across, framed[0].size, corner, work)
    below, right = places  # of a pixel's side
    upper, lower, other = (work.array(name, corner.shape) for name in ("upper", "lower", "other"))
    flat = framed.ravel()
    for start, row in ((0, upper), (across, lower)):
        flat[start:].take(corner, out=row, mode="clip")  # "clip" lets NumPy write straight to out
        flat[start + 1 :].take(corner, out=other, mode="clip")
        _move_towards(row, other, right)
    _move_towards(upper, lower, below)
    upper += 0.5
    np.copyto(out, upper, casting="unsafe")  # cuts off what is left of the point


def _split(places: Floats, across: int, size: int, corner: NDArray[np.intp], work: Workspace) -> None:
    """Split places into the pixel above and to the left, as an index into all pixels, and what is left.

    Args:
        places: rows and columns (2, n, h, w), at least 0; only the part after the point stays.
        across: pixels in a row.
        size: pixels in an image.
        corner: (n, h, w), where the indices go.
        work: memory.
    """
    floor, whole = work.array("floor", places.shape), work.array("whole", places.shape, np.int32)
    np.floor(places, out=floor)
    places -= floor
    np.copyto(whole, floor, casting="unsafe")
    row, column = whole
    row *= across
    row += column
    row += np.arange(0, size * len(row), size, dtype=np.int32)[:, None, None]
    np.copyto(corner, row)


def _move_towards(a: Floats, b: Floats, share: Floats) -> None:
    """Replace ``a`` by a + share · (b − a); overwrite ``b``."""
    b -= a
    b *= share
    a += b
