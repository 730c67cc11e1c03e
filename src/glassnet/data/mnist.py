"""MNIST itself: on this machine, in the cache, or from a mirror; and the same images as OpenML's table."""

import os
import sys
from pathlib import Path

import numpy as np

from ..errors import DataError
from .cache import cache_folder

__all__ = ["MIRRORS", "SHA256", "fetch_openml_table", "mnist_folder"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def mnist_folder() -> Path:
    """Return a folder with the four files of MNIST, their sums checked.

    It is ``$GLASSNET_DATA/mnist`` where that exists, else the cache, into which missing files are downloaded.

    Raises:
        DataError: a file with a wrong sum, or no network.
    """
    if given := os.environ.get("GLASSNET_DATA"):
        folder = Path(given) / "mnist"
        if folder.is_dir():
            _check_sums(folder)
            return folder
    folder = cache_folder() / "mnist"
    for name, digest in SHA256.items():
        _download(name, digest, folder)
    return folder


def _check_sums(folder: Path) -> None:
    import pooch

    for name, digest in SHA256.items():
        file = folder / name
        if not file.is_file():
            raise DataError(f"{folder}: {name} is missing; put MNIST's four files there, or unset GLASSNET_DATA")
        if pooch.file_hash(str(file)) != digest:
            raise DataError(
                f"{file}: not MNIST's file (its SHA-256 sum is wrong); get it again, or unset GLASSNET_DATA"
            )


def _download(name: str, digest: str, folder: Path) -> None:
    """Bring a file into the cache from the first mirror that has it; where it is already, only check its sum."""
    import pooch
    from requests import RequestException

    watched = sys.stderr.isatty()
    logger = pooch.get_logger()
    logger.setLevel("INFO" if watched else "WARNING")
    reasons = []
    for mirror in MIRRORS:
        try:
            downloader = pooch.HTTPDownloader(progressbar=watched, timeout=30)
            pooch.retrieve(mirror + name, f"sha256:{digest}", fname=name, path=folder, downloader=downloader)
        except (RequestException, OSError, ValueError) as error:
            reasons.append(str(error))
        else:
            return
    wrong_sum = any("hash" in reason.lower() for reason in reasons)
    why = "the mirrors sent a file with a wrong sum" if wrong_sum else "no mirror could be reached; is there a network?"
    raise DataError(
        f"cannot download MNIST ({name}): {why} Without one, put its four files into a folder mnist and set "
        "GLASSNET_DATA to the folder above it, or give the path of any copy that you have"
    )


def fetch_openml_table() -> tuple[np.ndarray, np.ndarray]:
    """Return OpenML's ``mnist_784``: pixels (70000, 784) and labels (70000,), the test images last.

    scikit-learn downloads it, checks it, and keeps it in the cache.

    Raises:
        DataError: no network, or OpenML does not answer.
    """
    from sklearn.datasets import fetch_openml

    try:
        table = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff", data_home=cache_folder())
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot get mnist_784 from OpenML ({error}); is there a network? `mnist` has the same images"
        ) from error
    return table.data, table.target
