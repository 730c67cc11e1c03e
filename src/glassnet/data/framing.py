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
from .preprocess import Preprocessing

__all__ = ["frame_images", "frame_picture"]

Floats = NDArray[np.float32]

_WORKING_SIDE = 1024  # pixels: a larger picture is averaged down to this first, which also quietens its noise
_LEAST_CONTRAST = 16  # gray levels between ink and ground
_FAINT = 0.1  # share of the full ink below which a pixel is ground: JPEG's ripples are fainter
_SPECK = 0.03  # share of all ink below which a separate stroke is a speck
_SMALLEST = 0.02  # the digit's longer side as a share of the picture's
_THINNEST = 0.07  # width of a stroke as a share of the digit's longer side: thinner ones are thickened to this


def frame_picture(gray: Images, form: Preprocessing, name: str = "the picture") -> Images:
    """Bring a picture of a digit into the form of a model's training images.

    The ground is a smooth surface fitted to the picture's border, so paper may be gray and lit from a side; ink is what
    differs from it, darker or lighter. Specks go, the digit's longer side becomes ``form.box`` pixels, and its centre
    of mass comes to the middle (the middle of its bounding box where the box fills the frame). Strokes that would fade
    when they are scaled down are thickened first, and the ink is brought to full strength.

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
    ink, faint = _ink(_reduced(gray), name)
    if gray.shape == (form.height, form.width) and form.box == max(gray.shape):
        framed = 255 - gray if gray.mean() > 127.5 else gray  # of so few pixels, most of the border may be ink
    else:
        framed = _framed(_cropped(ink, faint, name), form)
    return 255 - framed if form.dark_on_light else framed


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


def _reduced(gray: Images) -> Floats:
    """The picture as floats, its longer side at most ``_WORKING_SIDE`` pixels."""
    from PIL import Image

    longer = max(gray.shape)
    if longer <= _WORKING_SIDE:
        return gray.astype(np.float32)
    return np.asarray(Image.fromarray(gray).reduce(-(-longer // _WORKING_SIDE)), dtype=np.float32)


def _ink(gray: Floats, name: str) -> tuple[Floats, float]:
    """How much ink each pixel has (about 0 for ground, at most 1), and what is too little to count.

    Many faint shadows must not outweigh a few strokes when it is decided whether ink is dark or light: therefore the
    cube. Full ink is that of the strongest pixels but for one in 5,000, which may be a fault of the camera.
    """
    difference, noise = _without_ground(gray)
    if np.sum(difference**3, dtype=np.float64) < 0:
        difference = -difference
    faults = gray.size // 5000
    full = float(np.partition(difference, gray.size - 1 - faults, axis=None)[gray.size - 1 - faults])
    if full < max(_LEAST_CONTRAST, 5 * noise):
        raise DataError(f"no digit found in {name}: it is blank or too faint; write it darker or crop closer")
    return np.minimum(difference / full, 1), max(_FAINT, 3 * noise / full)


def _without_ground(gray: Floats) -> tuple[Floats, float]:
    """The picture less a surface of the second degree, and the deviation of noise from that surface.

    The surface is fitted to the picture's border by least squares, where a pixel weighs the less the further it lies
    from the surface of the round before (Geman and McClure, 1985), so that ink which reaches the border pulls little.
    What counts as far begins at 64 gray levels, that the light may differ over the picture, and comes down to 16.
    """
    height, width = gray.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    surfaces = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).astype(np.float32)  # (6, H, W)
    margin = max(1, min(height, width) // 25)
    border = np.ones(gray.shape, dtype=bool)
    border[margin:-margin, margin:-margin] = False
    if np.ptp(gray[border]) == 0:  # a drawing program's ground: the surface is flat, and need not be searched for
        return gray - gray[0, 0], 0.0
    few = 1 + np.count_nonzero(border) // 4000
    A, b = surfaces[:, border][:, ::few].astype(np.float64), gray[border][::few].astype(np.float64)
    shares = np.array([np.median(b), 0, 0, 0, 0, 0])
    for far in np.geomspace(64, 16, 12):
        weighted = A * (1 + ((shares @ A - b) / far) ** 2) ** -2
        shares = np.linalg.lstsq(weighted @ A.T, weighted @ b, rcond=None)[0]
    noise = 1.4826 * float(np.median(np.abs(shares @ A - b)))  # a normal distribution's deviation, from its median
    return gray - np.tensordot(shares.astype(np.float32), surfaces, axes=1), noise


def _cropped(ink: Floats, faint: float, name: str) -> Floats:
    """The digit alone: specks gone, cut to its bounding box."""
    from scipy import ndimage

    touching = np.ones((3, 3), dtype=bool)
    strokes, count = ndimage.label(ink > faint, structure=touching)
    amounts = ndimage.sum_labels(ink, strokes, np.arange(1, count + 1))
    digit = np.concatenate([[False], amounts >= _SPECK * amounts.sum()])[strokes]
    if not digit.any() or max(np.ptp(axis) for axis in np.nonzero(digit)) + 1 < max(3, _SMALLEST * max(ink.shape)):
        raise DataError(f"no digit found in {name}: there are only specks; write it larger or crop closer")
    (top, bottom), (left, right) = ((axis.min(), axis.max() + 1) for axis in np.nonzero(digit))
    near = ndimage.binary_dilation(digit, touching, iterations=2)  # the faint edges of strokes are theirs
    return np.where(near, ink, 0)[top:bottom, left:right]


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
    width = 4 * float(ndimage.distance_transform_edt(stroke)[stroke].mean()) - 1
    lacking = _THINNEST * max(ink.shape) - width
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
