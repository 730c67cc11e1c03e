"""From pixels to a network's inputs: what is learned about the training images and done to every image."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import DataError
from ..nn import NUMPY
from .dataset import MAX_SIDE, Examples, Images

__all__ = ["Preprocessing", "Scaling"]

Scaling = Literal["unit", "standard", "none"]
Floats = NDArray[np.floating[Any]]

_SAMPLE = 2000  # images looked at to see how large a digit is drawn and whether it is dark
_LARGEST = 1e30  # scale or shift: the inputs that they make are finite in float32
_FAINT = 32  # gray levels: less than this from the background is not counted as ink


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become inputs; learned from training images alone, and kept in model files.

    Attributes:
        height: of an image, in pixels.
        width: of an image, in pixels.
        scale: of ``input = pixel · scale + shift``.
        shift: of the same.
        box: how many pixels the longer side of a digit has in the training images (MNIST 20, digits 8).
        dark_on_light: whether the training images show dark digits on a light ground.
        maximum: how far pixels go in the source of the training images, see `Dataset`: arrays that go no further are
            taken to be on the same scale.
    """

    height: int
    width: int
    scale: float
    shift: float
    box: int
    dark_on_light: bool
    maximum: int = 255

    @property
    def ground(self) -> int:
        """The gray value of the ground of a clean image: 255 for dark digits on light, else 0."""
        return 255 if self.dark_on_light else 0

    @classmethod
    def fit(cls, examples: Examples, scaling: Scaling, maximum: int = 255) -> "Preprocessing":
        """Learn the form of images.

        Args:
            examples: the training images, and no others.
            scaling: ``unit`` divides pixels by 255. ``standard`` takes off the mean over all training pixels and
                divides by their standard deviation (LeCun et al., Efficient BackProp, 1998). ``none`` leaves them as
                they are.
            maximum: of the data set.

        Raises:
            DataError: there are no images, or ``standard`` is asked for and all pixels are the same.
        """
        if not len(examples):
            raise DataError("no training images to learn the preprocessing from")
        scale, shift = 1.0, 0.0
        if scaling == "unit":
            scale = 1 / 255
        elif scaling == "standard":
            mean, deviation = _mean_and_deviation(examples)
            if deviation == 0:
                raise DataError(f"every training pixel is {mean:.0f}: there is nothing to see in these images")
            scale, shift = 1 / deviation, -mean / deviation
        sample = np.arange(0, len(examples), math.ceil(len(examples) / _SAMPLE))
        box, dark_on_light = _digits_form(examples.images_at(sample))
        return cls(*examples.image_shape, scale, shift, box, dark_on_light, maximum)

    def apply(self, images: Images, dtype: DTypeLike = np.float32) -> Floats:
        """Return the inputs ``(n, h, w)`` of ``images`` ``(n, h, w)`` or ``(n, h·w)`` uint8.

        Args:
            images: the pictures.
            dtype: of the inputs.

        Raises:
            DataError: the images have another shape.
        """
        shape = self.height, self.width
        if images.shape[1:] not in (shape, (self.height * self.width,)):
            got = "×".join(str(side) for side in images.shape[1:])
            raise DataError(
                f"images of {got} pixels where {self.height}×{self.width} are needed: frame_picture brings them there"
            )
        return NUMPY.inputs(images, None, self.scale, self.shift, np.empty((len(images), *shape), dtype))

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name, ready for JSON; without a maximum of 255, which a file need not name."""
        values = asdict(self)
        if self.maximum == 255:
            del values["maximum"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """Build it from what a file says, which nobody has to trust.

        Raises:
            ValueError: something is missing, unknown, of the wrong type or out of range.
        """
        names = [field.name for field in fields(cls)]
        values = {"maximum": 255} | dict(values)
        if set(values) != set(names):
            raise ValueError(
                f"preprocessing must have exactly {', '.join(names)}, not {', '.join(sorted(map(str, values)))}"
            )
        for name in ("height", "width", "box"):
            if type(values[name]) is not int or not 1 <= values[name] <= MAX_SIDE:
                raise ValueError(f"preprocessing: {name} = {values[name]!r} is not a whole number from 1 to {MAX_SIDE}")
        for name in ("scale", "shift"):
            if type(values[name]) not in (int, float) or not abs(values[name]) <= _LARGEST:  # not true of NaN
                raise ValueError(f"preprocessing: {name} is not a number up to {_LARGEST:g} in size")
        if type(values["maximum"]) is not int or not 1 <= values["maximum"] <= 255:
            raise ValueError(f"preprocessing: maximum = {values['maximum']!r} is not a whole number from 1 to 255")
        if values["scale"] == 0:
            raise ValueError("preprocessing: scale = 0 makes every image the same")
        if values["box"] > max(values["height"], values["width"]):
            raise ValueError(f"preprocessing: box = {values['box']} is more than the image's longer side")
        if type(values["dark_on_light"]) is not bool:
            raise ValueError(f"preprocessing: dark_on_light = {values['dark_on_light']!r} is neither true nor false")
        return cls(**values)


def _mean_and_deviation(examples: Examples) -> tuple[float, float]:
    """The mean and standard deviation of all pixels, exactly, from how often each of the 256 values occurs."""
    counts = np.zeros(256, np.int64)
    for block in examples.blocks():
        counts += np.bincount(block.images.ravel(), minlength=256)
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    return mean, math.sqrt(float(counts @ (values - mean) ** 2 / counts.sum()))


def _digits_form(images: Images) -> tuple[int, bool]:
    """The median longer side of the digits' bounding boxes in ``images``, and whether they are dark on light.

    The ground is what most pixels on the images' borders show; ink is what lies further from it in sum.
    """
    border = np.concatenate([images[:, [0, -1], :].ravel(), images[:, :, [0, -1]].ravel()])
    difference = images.astype(np.int16) - np.int16(np.median(border))
    dark_on_light = bool(difference.sum(dtype=np.int64) < 0)
    ink: NDArray[np.bool_] = np.asarray((-difference if dark_on_light else difference) > _FAINT)
    longer = np.maximum(_extent(np.any(ink, axis=2)), _extent(np.any(ink, axis=1)))
    return (int(np.median(longer[longer > 0])) if longer.any() else max(images.shape[1:])), dark_on_light


def _extent(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each row of ``lines`` the distance from its first to its last true element, both counted; 0 if none is."""
    length = lines.shape[1]
    first, last = lines.argmax(axis=1), length - 1 - lines[:, ::-1].argmax(axis=1)
    return np.where(lines.any(axis=1), last - first + 1, 0)
