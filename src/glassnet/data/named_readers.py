"""From the files of a data set to its training and test images, undoing what is particular to each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .arrays import as_labels
from .dataset import Examples
from .idx import FILES, read_idx

__all__ = ["WRITER", "Reader", "emnist_reader", "read_idx_files", "read_qmnist", "read_usps"]

Reader: TypeAlias = Callable[[Mapping[str, Path], tuple[str, ...]], tuple[Examples, Examples]]
"""Takes the files by name, and the names of the classes."""

CLASS, WRITER = 0, 2
"""Columns of QMNIST's labels."""


def read_idx_files(files: Mapping[str, Path], names: tuple[str, ...]) -> tuple[Examples, Examples]:
    """Four files like MNIST's."""
    train, test = (
        _examples(read_idx(files[f"{FILES[f'{part} images']}.gz"], 3), files[f"{FILES[f'{part} labels']}.gz"], names)
        for part in ("train", "test")
    )
    return train, test


def _examples(images: NDArray[np.uint8], labels: Path, names: tuple[str, ...]) -> Examples:
    return Examples(images, as_labels(read_idx(labels, 1), names, str(labels)))


def emnist_reader(split: str, first: int) -> Reader:
    """Return what reads a split of EMNIST: members of one archive, whose images have rows and columns exchanged."""

    def read(files: Mapping[str, Path], names: tuple[str, ...]) -> tuple[Examples, Examples]:
        [archive] = files.values()
        parts = []
        for part in ("train", "test"):
            member = f"gzip/emnist-{split}-{part}"
            images = read_idx(archive, 3, member=f"{member}-images-idx3-ubyte.gz").transpose(0, 2, 1)
            labels = read_idx(archive, 1, member=f"{member}-labels-idx1-ubyte.gz").astype(np.int64) - first
            parts.append(Examples(np.ascontiguousarray(images), as_labels(labels, names, f"{archive}: {member}")))
        train, test = parts
        return train, test

    return read


def read_qmnist(files: Mapping[str, Path], names: tuple[str, ...]) -> tuple[Examples, Examples]:
    """Images like MNIST's, and labels of eight columns, four bytes each."""
    parts = []
    for part in ("train", "test"):
        images, labels = files[f"qmnist-{part}-images-idx3-ubyte.gz"], files[f"qmnist-{part}-labels-idx2-int.gz"]
        known = read_idx(labels, 2, kind="i")[:, CLASS].astype(np.int64)
        parts.append(Examples(read_idx(images, 3), as_labels(known, names, str(labels))))
    train, test = parts
    return train, test


def read_usps(files: Mapping[str, Path], names: tuple[str, ...]) -> tuple[Examples, Examples]:
    """LIBSVM's text: labels from 1 to 10, and gray values from −1 to 1."""
    from sklearn.datasets import load_svmlight_file

    parts = []
    for file in ("usps.bz2", "usps.t.bz2"):
        try:
            X, labels = load_svmlight_file(str(files[file]), n_features=256)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"{files[file]}: not in LIBSVM's format ({error}); download it again") from error
        images = np.rint((X.toarray() + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16)
        parts.append(Examples(images, as_labels(labels - 1, names, str(files[file]))))
    train, test = parts
    return train, test
