"""MNIST itself: on this machine, in the cache, or from a mirror; and the same images as OpenML's table."""

import gzip
import hashlib
import io
import os
import sys
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import as_images, as_labels
from .cache import Table, cache_folder, is_remembered, remembered
from .dataset import Examples
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
    folder = cache_folder() / "mnist"
    return {part: _downloaded(f"{name}.gz", folder) for part, name in FILES.items()}


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


def _downloaded(name: str, folder: Path) -> Path:
    """Bring a file into the cache from the first mirror that has it; where it is already, only check its sum."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    why = "no mirror could be reached; are you online?"
    for mirror in MIRRORS:
        downloader = _Bounded(progressbar=_Bar(name) if sys.stderr.isatty() else False, timeout=30)
        try:
            path = pooch.retrieve(mirror + name, f"sha256:{SHA256[name]}", name, folder, downloader=downloader)
        except RequestException:
            continue
        except ValueError:  # pooch's word for a wrong sum, and `_Bounded`'s for too many bytes
            why = "the mirrors sent a file with a wrong checksum."
        except OSError as error:
            raise DataError(
                f"cannot save MNIST in {folder}: {error.strerror or error}; free space, or set GLASSNET_CACHE"
            ) from error
        else:
            return Path(path)
    given = os.environ.get("GLASSNET_DATA")
    nearby = f"GLASSNET_DATA is set, but {given} has no folder mnist with all four files. " if given else ""
    raise DataError(
        f"cannot download MNIST ({name}): {why} {nearby}To work offline, put its four files into a folder mnist "
        "and set GLASSNET_DATA to its parent folder, or give the path of any copy"
    )


class _Bounded:
    """Downloads as pooch does, but never more than a file of MNIST's could have."""

    def __init__(self, **settings: Any) -> None:
        import pooch

        self._download = pooch.HTTPDownloader(**settings)

    def __call__(self, url: str, output_file: str, downloader: Any) -> None:
        with Path(output_file).open("wb") as file:
            write, left = file.write, LARGEST_DOWNLOAD

            def write_some(content: bytes) -> int:
                nonlocal left
                left -= len(content)
                if left < 0:
                    raise ValueError(f"{url}: more than {LARGEST_DOWNLOAD:,} bytes")
                return write(content)

            self._download(url, SimpleNamespace(write=write_some, flush=file.flush), downloader)


class _Bar:
    """A progress bar of rich's with the interface that pooch expects; ``total`` is set by pooch."""

    total = 0

    def __init__(self, name: str):
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task(name)

    def update(self, bytes_more: int) -> None:
        self.progress.start()
        self.progress.update(self.task, total=self.total, advance=bytes_more)

    def reset(self) -> None:
        self.progress.reset(self.task, total=self.total)

    def close(self) -> None:
        self.progress.stop()


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
