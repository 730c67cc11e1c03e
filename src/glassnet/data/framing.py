"""Converting any picture of a digit to the form of the training images, the way MNIST was made.

LeCun, Bottou, Bengio and Haffner (Gradient-based learning applied to document recognition, 1998) scaled each black and
white digit into a box of 20×20 pixels, which gave it gray edges, and moved its centre of mass to the middle of a frame
of 28×28. A picture from a phone or a drawing program first needs its ink told from its ground.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import Images
from .ground import LEAST_CONTRAST, Ink, find_ink
from .preprocess import Preprocessing
from .strokes import drop_stray_parts, peel_lines, without_frame

__all__ = ["WORKING_SIDE", "frame_digit", "frame_images", "frame_picture", "ink_of", "reduced"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORKING_SIDE = 640  # pixels: a larger picture is averaged down to this first, which also quietens its noise
_SMALLEST = 0.02  # the digit's longer side as a share of the picture's
_THINNEST = 0.07  # width of a stroke as a share of the digit's longer side: thinner ones are thickened to this


def frame_picture(gray: Images, form: Preprocessing, name: str = "the picture") -> Images:
    """Bring a picture of a digit into the form of a model's training images.

    Paper may be gray, lit from a side, shadowed, ruled or framed; ink is what differs from it, darker or lighter.
    Lines, frames, specks and what else is at the edge go, the digit's longer side becomes ``form.box`` pixels, and its
    centre of mass comes to the middle (the middle of its bounding box where the box fills the frame). Strokes that
    would fade when they are scaled down are thickened first, and the ink is brought to full strength.

    One exception: a picture that has the training images' shape already, where digits fill the frame (the 8×8 digits),
    is taken pixel by pixel. Only its polarity is brought to theirs.

    Args:
        gray: ``(H, W)`` uint8, such as ``read_picture`` gives.
        form: the preprocessing of the model that will see the picture.
        name: what errors call the picture.

    Returns:
        ``(form.height, form.width)`` uint8, dark on light only if the training images are.

    Raises:
        DataError: no digit was found.
    """
    if gray.shape == (form.height, form.width) and form.box == max(gray.shape):
        if np.ptp(gray) < LEAST_CONTRAST:
            raise _blank(name)
        framed = 255 - gray if gray.mean() > 127.5 else gray  # of so few pixels, most of the border may be ink
        return 255 - framed if form.dark_on_light else framed
    return frame_digit(*_one_digit(reduced(gray), name), form)


def frame_images(images: Images, form: Preprocessing, names: Sequence[str]) -> Images:
    """Return images (n, h, w) of the training images' shape as they stand, and all others framed as pictures.

    Args:
        images: (n, H, W) uint8.
        form: the preprocessing of the model that will see them.
        names: what errors call each of them.

    Raises:
        DataError: an image of another shape in which no digit was found.
    """
    if images.shape[1:] == (form.height, form.width):
        return images
    return np.stack([frame_picture(image, form, name) for image, name in zip(images, names, strict=True)])


def reduced(gray: Images, side: int = WORKING_SIDE) -> Floats:
    """The picture as floats, averaged down until its longer side is at most ``side`` pixels."""
    from PIL import Image

    longer = max(gray.shape)
    if longer <= side:
        return gray.astype(np.float32)
    return np.asarray(Image.fromarray(gray).reduce(-(-longer // side)), dtype=np.float32)


def ink_of(gray: Floats, name: str) -> Ink:
    """Return the ink of a picture, or raise DataError if it has none."""
    ink = find_ink(gray)
    if not np.isfinite(ink.threshold):
        raise _blank(name)
    return ink


def _blank(name: str) -> DataError:
    return DataError(f"no digit found in {name}: it is blank or too faint; write it darker or crop closer")


def _one_digit(gray: Floats, name: str) -> tuple[Floats, Mask]:
    """The ink of a picture, and where the digit is in it."""
    ink = ink_of(gray[without_frame(gray)], name)
    parts = drop_stray_parts(ink.mask, ink.depth)  # a whole frame is a part, of which peeling would leave the corners
    digit = drop_stray_parts(peel_lines(parts), ink.depth)
    if not digit.any() or max(np.ptp(axis) for axis in np.nonzero(digit)) + 1 < max(3, _SMALLEST * max(digit.shape)):
        raise DataError(f"no digit found in {name}: there are only specks; write it larger or crop closer")
    return ink.depth, digit


def frame_digit(depth: Floats, digit: Mask, form: Preprocessing) -> Images:
    """Scale one digit to the form of a model's training images.

    Args:
        depth: (H, W), how far each pixel of a picture is from its ground.
        digit: (H, W), which of them are the digit's.
        form: the preprocessing of the model that will see it.

    Returns:
        ``(form.height, form.width)`` uint8, dark on light only if the training images are.
    """
    from scipy import ndimage

    full = float(np.quantile(depth[digit], 0.9))  # the digit's own: a black dot beside a faint one has more
    box = tuple(slice(max(0, axis.min() - 2), axis.max() + 3) for axis in np.nonzero(digit))
    near = ndimage.maximum_filter(digit[box], 5)  # with the soft edges of strokes
    inner = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(digit[box]))
    framed = _framed(np.where(near, np.clip(depth[box] / full, 0, 1), 0)[inner].astype(np.float32), form)
    return 255 - framed if form.dark_on_light else framed


def _framed(ink: Floats, form: Preprocessing) -> Images:
    """Scale the digit to the box and put it into the frame."""
    ink = _thickened(ink)
    if form.box >= max(form.height, form.width):
        return _filling(ink, form)
    digit = _scaled(ink, form)
    digit = np.clip(digit / np.quantile(digit[digit > digit.max() / 4], 0.9), 0, 1)
    frame = np.zeros((form.height, form.width), dtype=np.uint8)
    corner = []
    for axis, (side, whole) in enumerate(zip(digit.shape, frame.shape, strict=True)):
        centre = np.average(np.arange(side), weights=digit.sum(axis=1 - axis))
        corner.append(int(np.clip(np.floor(whole / 2 - centre + 0.5), 0, whole - side)))
    top, left = corner
    frame[top : top + digit.shape[0], left : left + digit.shape[1]] = np.rint(255 * digit)
    return frame


def _filling(ink: Floats, form: Preprocessing) -> Images:
    """The digit as large as the frame, its bounding box in the middle.

    Ground is added to the picture itself, since half a pixel of so small a frame matters; then each pixel is the mean
    of those it stands for, the way the 8×8 digits were made.
    """
    from PIL import Image

    scale = max(ink.shape[0] / form.height, ink.shape[1] / form.width)
    lacking = [round(side * scale) - there for side, there in zip((form.height, form.width), ink.shape, strict=True)]
    padded = np.pad(ink, [(max(n, 0) // 2, max(n, 0) - max(n, 0) // 2) for n in lacking])
    resized = Image.fromarray(padded).resize((form.width, form.height), Image.Resampling.BOX)
    pixels: Images = np.rint(255 * np.clip(np.asarray(resized), 0, 1)).astype(np.uint8)
    return pixels


def _thickened(ink: Floats) -> Floats:
    """Thicken strokes that are too thin to last. In a stroke of width w, pixels are w / 4 from its edge in the mean."""
    from scipy import ndimage

    stroke = np.pad(ink > 0.5, 1)
    least = _THINNEST * max(ink.shape)
    edges = np.count_nonzero(stroke[1:] != stroke[:-1]) + np.count_nonzero(stroke[:, 1:] != stroke[:, :-1])
    if 2 * np.count_nonzero(stroke) > (least + 1) * edges:  # their area and outline show that they are wide enough
        return ink
    width = 4 * float(ndimage.distance_transform_edt(stroke)[stroke].mean()) - 1
    lacking = least - width
    if lacking <= 0:
        return ink
    margin = int(np.ceil(lacking / 2))
    wider = ndimage.distance_transform_edt(np.pad(ink <= 0.5, margin, constant_values=True)) <= lacking / 2
    thicker: Floats = np.maximum(np.pad(ink, margin), wider)
    return thicker


def _scaled(ink: Floats, form: Preprocessing) -> Floats:
    """The digit with ``form.box`` pixels on its longer side, or fewer if the frame is too narrow for them."""
    from PIL import Image

    scale = min(form.box / max(ink.shape), form.height / ink.shape[0], form.width / ink.shape[1])
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    if scale != 1:
        ink = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC))
    scaled: Floats = np.clip(ink, np.float32(0), np.float32(1))
    return scaled
