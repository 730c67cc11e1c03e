"""Reading pictures from untrusted sources: seven forms alone, with the size checked before decoding."""

import io
import struct
import warnings
import zlib
from contextlib import suppress
from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import DataError, pip_install
from ..files import advice, as_path, read_regular
from .dataset import Images

__all__ = ["FORMS", "MAX_PICTURE_PIXELS", "SUFFIXES", "picture_bytes", "read_picture"]

MAX_PICTURE_PIXELS = 64_000_000
FORMS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".heif")
MAX_SCANNED_PIXELS = 10 * MAX_PICTURE_PIXELS  # of a JPEG: a progressive one goes over all its pixels in every scan
MAX_FILE_BYTES = 2**28

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # kinds of file that say so
_ENOUGH = 1024  # pixels: a JPEG with sides of twice this or more is decoded at a half, a quarter or an eighth
# What Pillow raises on damaged files, found by damaging many.
_DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def picture_bytes(path: str | PathLike[str], name: str) -> bytes:
    """Return what a file holds, which need not be a picture; raise DataError, which calls it ``name``, if nothing."""
    try:
        return read_regular(as_path(path, "picture"), MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file; is the path right?") from error
    except IsADirectoryError as error:
        raise DataError(f"{name}: a folder, not an image file; give the files in it") from error
    except OSError as error:
        what = advice(error, "give a picture")
        raise DataError(f"{name}: cannot be read ({error.strerror}); {what}") from error


def read_picture(source: str | PathLike[str] | bytes, name: str | None = None) -> Images:
    """Read a PNG, JPEG, BMP, GIF, TIFF or WebP as gray values ``(H, W)`` uint8, the way up that its EXIF data says.

    With the extra ``heic`` it reads HEIC, too. The content says which form it is, whatever the file is called; of
    several pages or frames the first is read. Gray is the luminance, or where that shows much less than one of the
    colours (red on green), that colour. Values of more than 8 bits are stretched from the least to the greatest that
    occur, since few cameras and scanners use all 16. Transparent parts of a picture take its own median gray; where
    most is transparent (strokes on nothing), white or black, whichever is further from the strokes. A large picture is
    brought to a fraction of its size.

    Args:
        source: a path, or the file's content.
        name: what errors call the picture; its path if not given.

    Raises:
        DataError: it cannot be read, is of another form, is damaged, or has more than 64 million pixels.
    """
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else picture_bytes(source, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forms = _with_heic(name) if content[4:8] == b"ftyp" and content[8:12] in _HEIC else FORMS
            with Image.open(io.BytesIO(content), formats=forms) as image:
                if image.width * image.height > MAX_PICTURE_PIXELS:
                    raise _too_large(name, f"{image.width:,} × {image.height:,} pixels")
                if image.format == "JPEG" and image.width * image.height * _scans(content) > MAX_SCANNED_PIXELS:
                    raise _too_large(name, f"{image.width:,} × {image.height:,} pixels in {_scans(content):,} scans")
                image.draft(None, (_ENOUGH, _ENOUGH))
                image.load()
                with suppress(*_DAMAGE):  # damage in what the camera wrote beside the picture does not spoil it
                    ImageOps.exif_transpose(image, in_place=True)
                return _gray(_smaller(image))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far more pixels") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a PNG, JPEG, BMP, GIF, TIFF or WebP image; save it as one of these") from error
    except DataError:
        raise
    except _DAMAGE as error:
        reason = str(error) or "parts of it are missing"
        raise DataError(f"{name}: cannot be read as an image ({reason}); is it truncated or damaged?") from error


def _with_heic(name: str) -> tuple[str, ...]:
    """Return the forms of pictures and HEIC, which Pillow reads with the help of another package."""
    try:
        from pillow_heif import register_heif_opener
    except ModuleNotFoundError as error:
        raise DataError(
            f"{name}: a HEIC photo, and pillow-heif is missing; {pip_install('heic')}, or save it as JPEG"
        ) from error
    register_heif_opener()
    return (*FORMS, "HEIF")


def _scans(content: bytes) -> int:
    """Return how many scans a JPEG has: their marker stands nowhere in what is between the markers."""
    return content.count(b"\xff\xda")


def _too_large(name: str, size: str) -> DataError:
    return DataError(f"{name}: {size}, but at most {MAX_PICTURE_PIXELS:,} are allowed; make it smaller")


def _smaller(image: Image.Image) -> Image.Image:
    """Average down a picture that is still large, before what takes many times the bytes that it has now."""
    factor = max(image.size) // (2 * _ENOUGH)
    if factor < 2:
        return image
    if image.mode[0] in "IF":
        return Image.fromarray(_gray(image)).reduce(factor)
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB"
    return (image if image.mode == mode else image.convert(mode)).reduce(factor)


def _gray(image: Image.Image) -> Images:
    if image.mode[0] in "IF":  # more than 8 bits a pixel, which Pillow would clip to 255
        return _stretched(np.asarray(image))
    if not image.has_transparency_data:
        return _clearest(image)
    full = image.convert("RGBA")
    alpha = full.getchannel("A")
    colours = _clearest(full.convert("RGB"))
    return colours if alpha.getextrema()[0] == 255 else _on_ground(colours, np.asarray(alpha))


def _stretched(values: NDArray[np.generic]) -> Images:
    """Bring the values that occur to 0 … 255, less one in 5,000 at either end: faults of the camera."""
    finite: NDArray[np.float64] = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    faults = finite.size // 5000
    low, high = np.partition(finite, [faults, finite.size - 1 - faults], axis=None)[[faults, -1 - faults]]
    gray: Images = np.rint(255 * np.clip((finite - low) / ((high - low) or 1), 0, 1)).astype(np.uint8)
    return gray


def _clearest(image: Image.Image) -> Images:
    """The luminance, unless one of the three colours varies four times as much."""
    luminance = np.asarray(image.convert("L"))
    if image.mode in {"1", "L", "LA"}:
        return luminance
    colours = np.asarray(image.convert("RGB"))
    step = 1 + max(luminance.shape) // _ENOUGH
    red, green, blue = (colours[::step, ::step, channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return luminance
    variation = np.array([colour.std() for colour in (red, green, blue)])
    if variation.max() > 4 * luminance[::step, ::step].std():
        return np.ascontiguousarray(colours[:, :, variation.argmax()])
    return luminance


def _on_ground(gray: Images, alpha: NDArray[np.uint8]) -> Images:
    """Lay a picture with transparent parts on a ground that leaves its strokes visible."""
    drawn = gray[alpha >= 128]
    if not len(drawn):
        return np.full_like(gray, 255)
    ground = float(np.median(drawn))
    if 2 * len(drawn) < gray.size:
        ground = 255.0 if ground < 128 else 0.0
    share = alpha.astype(np.float32) / 255
    return np.rint(gray * share + ground * (1 - share)).astype(np.uint8)
