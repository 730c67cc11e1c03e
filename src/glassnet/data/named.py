"""Data sets by name, from ``$GLASSNET_DATA``, the cache or the network."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .cache import cache_folder
from .catalogue import NAMED_FILES, Card
from .dataset import Dataset
from .download import downloaded
from .idx import read_idx
from .named_readers import WRITER

__all__ = ["card", "named_dataset", "named_is_here", "qmnist_writers"]


def named_dataset(name: str) -> Dataset:
    """Return a data set of `NAMED_FILES`, its sums checked, downloaded where it is not on this machine.

    Raises:
        DataError: a file with a wrong sum, no network, or a cache that cannot be written.
    """
    train, test = NAMED_FILES[name].read(_files(name), NAMED_FILES[name].classes)
    nothing = np.empty((0, *train.image_shape), np.uint8)
    return Dataset(name, name, train, test, NAMED_FILES[name].classes, True, nothing)


def named_is_here(name: str) -> bool:
    """Whether all files of a data set of `NAMED_FILES` are on this machine."""
    return any(all((folder / file).is_file() for file in NAMED_FILES[name].sums) for folder in _folders(name))


def card(name: str) -> Card | None:
    """Return what is known of a data set, or None where it is not one of `NAMED_FILES`."""
    return NAMED_FILES[name].card if name in NAMED_FILES else None


def qmnist_writers() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return who wrote each training and each test image (n,) of ``qmnist``: the writers' numbers in NIST's database.

    Raises:
        DataError: as `glassnet.load_dataset`.
    """
    files = _files("qmnist")
    train, test = (read_idx(files[f"qmnist-{part}-labels-idx2-int.gz"], 2, kind="i") for part in ("train", "test"))
    return train[:, WRITER].astype(np.int64), test[:, WRITER].astype(np.int64)


def _folders(name: str) -> list[Path]:
    """Return where the files of a data set may be: under ``$GLASSNET_DATA``, then in the cache."""
    given = Path(os.environ.get("GLASSNET_DATA") or os.devnull)
    return [*(given / folder for folder in NAMED_FILES[name].folders), cache_folder() / name]


def _files(name: str) -> dict[str, Path]:
    """Return the files of a data set by name; those under ``$GLASSNET_DATA`` come first."""
    named = NAMED_FILES[name]
    *given, cached = _folders(name)
    for folder in given:
        if all((folder / file).is_file() for file in named.sums):
            return {file: _checked(folder / file, known) for file, known in named.sums.items()}
    sums = {file: f"md5:{known}" for file, known in named.sums.items()}
    return downloaded(sums, named.mirrors, cached, named.card.title, named.folders[0])


def _checked(path: Path, known: str) -> Path:
    import pooch

    if pooch.file_hash(str(path), "md5") != known:
        raise DataError(
            f"{path}: not the original file (wrong MD5 checksum); download it again, or unset GLASSNET_DATA"
        )
    return path
