"""One call for every form in which people have these digits."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, nearest
from .arrays import as_images, as_labels, class_names
from .dataset import Dataset, Examples, Images, hold_out
from .folder import class_folders, read_class_folders
from .idx import FILES, find_idx, read_idx
from .kaggle_csv import read_csv
from .mnist import fetch_openml_table, mnist_folder
from .npz import read_npz

__all__ = ["load_dataset"]

TEST_SHARE, TEST_SEED = 0.2, 0  # held out where a source has no test images: a property of the data, not of a run

OPENML_TRAINING = 60_000  # rows of mnist_784 that are MNIST's training images; its test images follow


def load_dataset(source: str | PathLike[str] | tuple[ArrayLike, ...], *, classes: int | Sequence[str] = 10) -> Dataset:
    """Load a data set of digits, or of other small images.

    Args:
        source: one of

            - ``"digits"``, scikit-learn's 1,797 digits of 8×8 pixels, whose counts from 0 to 16 are stretched to 255;
            - ``"mnist"``, found in ``$GLASSNET_DATA/mnist``, then in the cache, else downloaded, its sums checked;
            - ``"openml"`` or ``"mnist_784"``, the same images from OpenML;
            - the path of a folder of IDX files, or of one of them, plain or gzip'd;
            - the path of a CSV file like Kaggle's train.csv or test.csv, or of a folder with both;
            - the path of a file like Keras's mnist.npz;
            - the path of a folder with a folder of PNG or JPEG files for each class, or of a folder with two such
              folders, ``train`` and ``test``;
            - arrays: ``(images, labels)`` or ``(images, labels, test_images, test_labels)``, images (n, h, w) or
              (n, h·h), pixels from 0 to 255, or fractions from 0 to 1.
        classes: how many classes there are, or their names. In folders of pictures the folders' names count instead.

    Raises:
        DataError: nothing of that name, or data that cannot be used; the line says what, where, and what to do.
    """
    names = class_names(classes)
    if isinstance(source, tuple):
        return _from_arrays(source, names)
    if isinstance(source, str) and source in NAMED:
        return NAMED[source]()
    path = Path(source).expanduser()
    if not path.exists():
        hint = nearest(str(source), NAMED) if len(path.parts) == 1 and not path.suffix else ""
        raise DataError(f"no data set and no path called {str(source)!r}{hint}; give {', '.join(NAMED)} or a path")
    path = path.resolve()
    return _from_folder(path, names) if path.is_dir() else _from_file(path, names)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return _held_out("digits", "digits", Examples(images, digits.target.astype(np.int64)), class_names(10))


def _mnist() -> Dataset:
    return _from_idx("mnist", "mnist", mnist_folder(), class_names(10))


def _openml() -> Dataset:
    pixels, targets = fetch_openml_table()
    images, labels = as_images(pixels, "mnist_784"), as_labels(targets, class_names(10), "mnist_784")
    train, test = (
        Examples(images[part], labels[part]) for part in (slice(OPENML_TRAINING), slice(OPENML_TRAINING, None))
    )
    return Dataset("openml", "openml", train, test, class_names(10), True, _no_images(train))


NAMED: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "openml": _openml,
    "mnist_784": _openml,
}


def _from_arrays(arrays: tuple[ArrayLike, ...], names: tuple[str, ...]) -> Dataset:
    if len(arrays) not in (2, 4):
        raise DataError(f"{len(arrays)} arrays; give (images, labels) or (images, labels, test_images, test_labels)")
    train = Examples(as_images(arrays[0]), as_labels(arrays[1], names))
    if len(arrays) == 2:
        return _held_out("arrays", "", train, names)
    test = Examples(as_images(arrays[2], "test images"), as_labels(arrays[3], names, "test labels"))
    return Dataset("arrays", "", train, test, names, True, _no_images(train))


def _from_file(path: Path, names: tuple[str, ...]) -> Dataset:
    name = path.name.lower()
    if name.endswith(".csv"):
        return _from_csv(path, None, names)
    if name.endswith(".npz"):
        return _from_npz(path, names)
    if "idx1" in name or "idx3" in name or name.endswith("ubyte"):
        return _from_idx(path.parent.name, str(path.parent), path.parent, names)
    raise DataError(f"{path}: not a form that is known; give a .csv, an .npz, or a folder of IDX files or of pictures")


def _from_folder(path: Path, names: tuple[str, ...]) -> Dataset:
    if any(find_idx(path, part) for part in FILES):
        return _from_idx(path.name, str(path), path, names)
    if (path / "train.csv").is_file():
        return _from_csv(path / "train.csv", path / "test.csv", names)
    if (path / "mnist.npz").is_file():
        return _from_npz(path / "mnist.npz", names)
    if folders := class_folders(path):
        classes = class_names([folder.name for folder in folders])
        return _held_out(path.name, str(path), read_class_folders(folders, classes), classes)
    for train, test in (("train", "test"), ("training", "testing")):
        if (path / train).is_dir() and (path / test).is_dir() and (folders := class_folders(path / train)):
            return _from_split_folders(path, folders, class_folders(path / test))
    raise DataError(
        f"{path}: no data in this folder: neither IDX files, nor train.csv, nor mnist.npz, nor folders of PNG or JPEG "
        "pictures, one for each class"
    )


def _from_idx(name: str, source: str, folder: Path, names: tuple[str, ...]) -> Dataset:
    train = _idx_pair(folder, "train", names)
    if find_idx(folder, "test images") is None and find_idx(folder, "test labels") is None:
        return _held_out(name, source, train, names)
    test = _idx_pair(folder, "test", names)
    return Dataset(name, source, train, test, names, True, _no_images(train))


def _idx_pair(folder: Path, part: str, names: tuple[str, ...]) -> Examples:
    paths = [find_idx(folder, f"{part} {kind}") for kind in ("images", "labels")]
    for path, kind in zip(paths, ("images", "labels"), strict=True):
        if path is None:
            raise DataError(f"{folder}: {FILES[f'{part} {kind}']} (or .gz) is missing beside the other IDX files")
    images, labels = (read_idx(path, rank) for path, rank in zip(paths, (3, 1), strict=True) if path)
    if len(images) != len(labels):
        raise DataError(f"{paths[0]}: {len(images):,} images, but {len(labels):,} labels in {paths[1]}")
    return Examples(images, as_labels(labels, names, str(paths[1]), first_row=1))


def _from_csv(path: Path, unlabelled: Path | None, names: tuple[str, ...]) -> Dataset:
    images, labels = read_csv(path)
    if labels is None:
        nothing = Examples(images[:0], np.zeros(0, np.int64))
        return Dataset(path.stem, str(path), nothing, nothing, names, False, images)
    # In the file, the header is line 1 and the first image line 2.
    train = Examples(images, as_labels(labels, names, str(path), first_row=2))
    others = read_csv(unlabelled).images if unlabelled and unlabelled.is_file() else _no_images(train)
    return _held_out(path.stem, str(path if unlabelled is None else path.parent), train, names, others)


def _from_npz(path: Path, names: tuple[str, ...]) -> Dataset:
    arrays = read_npz(path)
    parts = {}
    for part in ("train", "test"):
        if f"x_{part}" in arrays and f"y_{part}" in arrays:
            images = as_images(arrays[f"x_{part}"], f"{path}: x_{part}")
            labels = as_labels(arrays[f"y_{part}"], names, f"{path}: y_{part}")
            if len(images) != len(labels):
                raise DataError(f"{path}: {len(images):,} images in x_{part}, but {len(labels):,} labels in y_{part}")
            parts[part] = Examples(images, labels)
    if "test" not in parts:
        return _held_out(path.stem, str(path), parts["train"], names)
    return Dataset(path.stem, str(path), parts["train"], parts["test"], names, True, _no_images(parts["train"]))


def _from_split_folders(path: Path, train_folders: list[Path], test_folders: list[Path]) -> Dataset:
    classes = class_names([folder.name for folder in train_folders])
    if unknown := [folder for folder in test_folders if folder.name not in classes]:
        raise DataError(f"{unknown[0]}: a class that is not among the training images")
    train = read_class_folders(train_folders, classes)
    if not test_folders:
        return _held_out(path.name, str(path), train, classes)
    test = read_class_folders(test_folders, classes)
    return Dataset(path.name, str(path), train, test, classes, True, _no_images(train))


def _held_out(
    name: str, source: str, examples: Examples, names: tuple[str, ...], unlabelled: Images | None = None
) -> Dataset:
    """Return a data set whose source has no test images: a fifth of its images becomes them."""
    kept, held = hold_out(examples.labels, TEST_SHARE, TEST_SEED)
    others = _no_images(examples) if unlabelled is None else unlabelled
    return Dataset(name, source, examples.take(kept), examples.take(held), names, False, others)


def _no_images(examples: Examples) -> Images:
    return examples.images[:0]
