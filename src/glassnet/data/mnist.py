"""MNIST itself: on this machine, in the cache, or from a mirror; and the same images as OpenML's table."""

import gzip
import hashlib
import io
import os
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import as_images, as_labels
from .cache import Table, cache_folder, is_remembered, remembered
from .dataset import Examples
from .download import downloaded
from .idx import FILES, find_idx

__all__ = ["MIRRORS", "SHA256", "mnist_files", "mnist_is_here", "openml_examples", "openml_is_here"]

LARGEST_FILE = 2**26  # bytes: more than any of the four files unpacked
OPENML_TABLE = "mnist_784-1"  # what the cache calls its images
LARGEST_DOWNLOAD = 2**24  # bytes; the largest of the four files has 10 million
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def mnist_files() -> dict[str, Path]:
    """Return the paths of MNIST's four files by part (see `idx.FILES`), their sums checked.

    They are those of ``$GLASSNET_DATA/mnist``, or of ``$GLASSNET_DATA/MNIST/raw``, where torchvision leaves them, if
    all four are there, plain or gzip'd by anybody; else those of the cache, into which missing ones are downloaded.

    Raises:
        DataError: a file with a wrong sum, no network, or a cache that cannot be written.
    """
    if found := _given_files():
        for part, path in found.items():
            _check_sum(path, FILES[part])
        return found
    sums = {f"{name}.gz": f"sha256:{SHA256[f'{name}.gz']}" for name in FILES.values()}
    paths = downloaded(sums, MIRRORS, cache_folder() / "mnist", "MNIST", "mnist", LARGEST_DOWNLOAD)
    return {part: paths[f"{name}.gz"] for part, name in FILES.items()}


def mnist_is_here() -> bool:
    """Whether `mnist_files` finds all four on this machine, so that nothing is downloaded."""
    return bool(_given_files()) or all((cache_folder() / "mnist" / f"{name}.gz").is_file() for name in FILES.values())


def _given_files() -> dict[str, Path] | None:
    """Return the paths of the four files in ``$GLASSNET_DATA/mnist``, or None where one is missing."""
    folder = Path(os.environ.get("GLASSNET_DATA") or os.devnull).expanduser()
    for place in (folder / "mnist", folder / "MNIST"):
        if len(found := find_idx(place) if place.is_dir() else {}) == len(FILES):
            return found
    return None


def _check_sum(path: Path, name: str) -> None:
    """Raise DataError unless a file is the one of MNIST called ``name``, or its content packed once more."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    known = {SHA256[name], SHA256[f"{name}.gz"]}
    if hashlib.sha256(content).hexdigest() in known:
        return
    with suppress(OSError, EOFError, zlib.error), gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        if hashlib.sha256(file.read(LARGEST_FILE)).hexdigest() in known:
            return
    raise DataError(
        f"{path}: not the original MNIST file (wrong SHA-256 checksum); download it again, or unset GLASSNET_DATA"
    )


def openml_examples(classes: tuple[str, ...]) -> Examples:
    """Return OpenML's ``mnist_784``: 70,000 images, the test images last.

    scikit-learn downloads it and checks its sum; parsing it takes a minute, so the images are kept in the cache.

    Raises:
        DataError: no network, or OpenML does not answer, or not with this table.
    """
    table = remembered(OPENML_TABLE, lambda: _fetch_openml(classes))
    return Examples(table.images, np.asarray(table.labels).astype(np.int64))


def openml_is_here() -> bool:
    """Whether `openml_examples` finds its images in the cache, so that nothing is downloaded."""
    return is_remembered(OPENML_TABLE)


def _fetch_openml(classes: tuple[str, ...]) -> Table:
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # scikit-learn's word that it tries again
            found: Any = fetch_openml(
                "mnist_784",
                version=1,
                as_frame=False,
                parser="liac-arff",
                data_home=cache_folder() / "openml",
                n_retries=1,
            )
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot get mnist_784 from OpenML ({' '.join(str(error).split())}); are you online? `mnist` has the "
            "same images"
        ) from error
    labels = as_labels(found.target, classes, "mnist_784")
    return Table(as_images(found.data, "mnist_784").astype(np.uint8), labels.astype(np.uint8))
