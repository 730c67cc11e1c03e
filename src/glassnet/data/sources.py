"""`load_dataset`: one function for every source of digits."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, nearest
from ..plugins import load_plugin, plugin_names
from .arrays import as_images, as_labels, class_names
from .cache import Table
from .catalogue import NAMED_FILES
from .dataset import Dataset, Examples, Images, hold_out
from .folder import class_folders, count_pictures, read_class_folders
from .idx import FILES, find_idx, read_idx
from .kaggle_csv import read_csv
from .mnist import mnist_files, mnist_is_here, openml_examples, openml_is_here
from .named import named_dataset, named_is_here
from .npz import read_npz

__all__ = ["load_dataset", "needs_download"]

TEST_SHARE, TEST_SEED = 0.2, 0  # held out where a source has no test images: a property of the data, not of a run

PLUGIN = re.compile(r"[\w.-]{1,100}")  # what may be the name of data that another package brings
OPENML_TRAINING = 60_000  # rows of mnist_784 that are MNIST's training images; its test images follow


def load_dataset(source: str | PathLike[str] | tuple[ArrayLike, ...], *, classes: int | Sequence[str] = 10) -> Dataset:
    """Load a data set of digits, or of other small images.

    Args:
        source: one of

            - ``"digits"``, scikit-learn's 1,797 digits of 8×8 pixels, whose counts from 0 to 16 are stretched to 255;
            - ``"mnist"``, found in ``$GLASSNET_DATA/mnist``, then in the cache, else downloaded, its sums checked;
            - ``"openml"`` or ``"mnist_784"``, the same images from OpenML;
            - ``"fashion-mnist"``, ``"kmnist"``, ``"emnist-digits"``, ``"emnist-letters"``, ``"qmnist"``, ``"usps"``,
              as ``"mnist"``; `card` says what each is;
            - the name of one that an installed package brings, see `glassnet.plugins`;
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
        dataset = NAMED[source]()
        if names != dataset.classes and classes not in (10, len(dataset.classes)):  # 10: nobody asked
            first, last = dataset.classes[0], dataset.classes[-1]
            raise DataError(
                f"{source}: its {len(dataset.classes)} classes are {first} to {last}, not {names[0]} to {names[-1]}"
            )
        return dataset
    if isinstance(source, str) and _is_plugin(source):
        return _from_plugin(source)
    path = _existing(source)
    try:
        return _from_folder(path, names) if path.is_dir() else _from_file(path, names)
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror})") from error


def _is_plugin(name: str) -> bool:
    """Whether another package brings data of a name; what is here as a file or folder comes first."""
    return bool(PLUGIN.fullmatch(name)) and not Path(name).exists() and name in plugin_names("glassnet.data")


def _from_plugin(name: str) -> Dataset:
    dataset = load_plugin("glassnet.data", name)
    if not isinstance(dataset, Dataset):
        raise DataError(f"{name}: the package that brings it returns a {type(dataset).__name__}, not a Dataset")
    return dataset


def _existing(source: str | PathLike[str]) -> Path:
    """Return the absolute path of a source that is no name, if there is such a file or folder."""
    if not isinstance(source, str | PathLike):
        raise DataError(f"{type(source).__name__} is not a data source; give a name, a path or a tuple of arrays")
    text = os.fsdecode(source)
    with suppress(OSError, RuntimeError, ValueError):  # none such, or no name that a file could have
        if text:
            return Path(text).expanduser().resolve(strict=True)
    text = text[:200]
    known = nearest(text, [*NAMED, *plugin_names("glassnet.data")])
    raise DataError(f"no data set or path called {text!r}{known}; give a name or an existing path")


def _short(name: str) -> str:
    """A file's or folder's name as a word for run folders."""
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.") or "data"


def _digits() -> Dataset:
    # scikit-learn's own file: a second and a half sooner there than by its module, which imports much of SciPy.
    package = find_spec("sklearn")
    assert package
    assert package.origin
    table = np.loadtxt(Path(package.origin).with_name("datasets") / "data" / "digits.csv.gz", delimiter=",")
    images = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return _dataset("digits", "digits", Examples(images, table[:, -1].astype(np.int64)), None, class_names(10))


def _mnist() -> Dataset:
    return _from_idx("mnist", "mnist", mnist_files(), class_names(10))


def _openml() -> Dataset:
    rows = openml_examples(class_names(10))
    train, test = np.split(np.arange(len(rows)), [OPENML_TRAINING])
    return _dataset("mnist_784", "mnist_784", rows.take(train), rows.take(test), class_names(10))


NAMED: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "openml": _openml,
    "mnist_784": _openml,
    **{name: partial(named_dataset, name) for name in NAMED_FILES},
}


def needs_download(source: str) -> bool:
    """Return whether `load_dataset` would have to download the data of a source."""
    if source == "mnist":
        return not mnist_is_here()
    if source in NAMED_FILES:
        return not named_is_here(source)
    return NAMED.get(source) is _openml and not openml_is_here()


def _from_arrays(arrays: tuple[ArrayLike, ...], names: tuple[str, ...]) -> Dataset:
    if len(arrays) not in (2, 4):
        raise DataError(f"{len(arrays)} arrays; give (images, labels) or (images, labels, test_images, test_labels)")
    train = Examples(as_images(arrays[0]), as_labels(arrays[1], names))
    test = None
    if len(arrays) == 4:
        test = Examples(as_images(arrays[2], "test images"), as_labels(arrays[3], names, "test labels"))
    return _dataset("arrays", "", train, test, names)


def _from_file(path: Path, names: tuple[str, ...]) -> Dataset:
    name = path.name.lower()
    if name.endswith(".csv"):
        return _from_csv(path, names)
    if name.endswith(".npz"):
        return _from_npz(path, names)
    if "idx1" in name or "idx3" in name or name.endswith("ubyte"):
        return _from_folder(path.parent, names)
    raise DataError(f"{path}: unknown file format; give a .csv or .npz file, or a folder of IDX files or pictures")


def _from_folder(path: Path, names: tuple[str, ...]) -> Dataset:
    if files := {part: file for part in FILES if (file := find_idx(path, part))}:
        return _from_idx(_short(path.name), str(path), files, names)
    if (path / "train.csv").is_file() or (path / "test.csv").is_file():
        return _from_csv_folder(path, names)
    if (path / "mnist.npz").is_file():
        return _from_npz(path / "mnist.npz", names)
    for train, test in ((".", None), ("train", "test"), ("training", "testing")):
        if (path / train).is_dir() and (folders := class_folders(path / train)):
            return _from_pictures(path, folders, class_folders(path / test) if test and (path / test).is_dir() else [])
    raise DataError(
        f"{path}: no data in this folder; expected IDX files, train.csv, mnist.npz, or one folder of PNG or JPEG "
        "pictures per class"
    )


def _from_idx(name: str, source: str, files: Mapping[str, Path], names: tuple[str, ...]) -> Dataset:
    train = _idx_pair(files, "train", names)
    test = _idx_pair(files, "test", names) if {"test images", "test labels"} & set(files) else None
    return _dataset(name, source, train, test, names)


def _idx_pair(files: Mapping[str, Path], part: str, names: tuple[str, ...]) -> Examples:
    for kind in ("images", "labels"):
        if f"{part} {kind}" not in files:
            folder = next(iter(files.values())).parent
            raise DataError(f"{folder}: {FILES[f'{part} {kind}']} (or .gz) is missing")
    image_file, label_file = files[f"{part} images"], files[f"{part} labels"]
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        raise DataError(f"{image_file}: {len(images):,} images, but {len(labels):,} labels in {label_file}")
    return Examples(images, as_labels(labels, names, str(label_file)))


def _from_csv(path: Path, names: tuple[str, ...]) -> Dataset:
    table = read_csv(path)
    if table.labels is None:
        nothing = Examples(table.images[:0], np.zeros(0, np.int64))
        return Dataset(_short(path.stem), str(path), nothing, nothing, names, False, table.images)
    return _dataset(_short(path.stem), str(path), _csv_examples(path, table, names), None, names)


def _from_csv_folder(path: Path, names: tuple[str, ...]) -> Dataset:
    """Kaggle's two files; a test.csv with labels is an official test set."""
    train_file, test_file = path / "train.csv", path / "test.csv"
    if not train_file.is_file():
        return _from_csv(test_file, names)
    train, name = _csv_examples(train_file, read_csv(train_file), names), _short(path.name)
    if not test_file.is_file():
        return _dataset(name, str(path), train, None, names)
    table = read_csv(test_file)
    if table.labels is None:
        return _dataset(name, str(path), train, None, names, table.images)
    return _dataset(name, str(path), train, _csv_examples(test_file, table, names), names)


def _csv_examples(path: Path, table: Table, names: tuple[str, ...]) -> Examples:
    if table.labels is None:
        raise DataError(f"{path}: no column label; give Kaggle's train.csv")
    return Examples(table.images, as_labels(table.labels, names, str(path), "line", 2))  # line 1 is the header


def _from_npz(path: Path, names: tuple[str, ...]) -> Dataset:
    arrays = read_npz(path)
    train, name = _npz_pair(path, arrays, "train", names), _short(path.stem)
    test = _npz_pair(path, arrays, "test", names) if "x_test" in arrays else None
    return _dataset(name, str(path), train, test, names)


def _npz_pair(path: Path, arrays: Mapping[str, NDArray[Any]], part: str, names: tuple[str, ...]) -> Examples:
    images = as_images(arrays[f"x_{part}"], f"{path}: x_{part}")
    labels = as_labels(arrays[f"y_{part}"], names, f"{path}: y_{part}")
    if len(images) != len(labels):
        raise DataError(f"{path}: {len(images):,} images in x_{part}, but {len(labels):,} labels in y_{part}")
    return Examples(images, labels)


def _from_pictures(path: Path, train: list[Path], test: list[Path]) -> Dataset:
    """Class folders. All pictures are read together, so that those of both parts are brought into one form."""
    if len(train) < 2:
        raise DataError(f"{path}: pictures of only one class, {train[0].name}; add a folder for at least one more")
    classes, name = class_names([folder.name for folder in train]), _short(path.name)
    if unknown := [folder for folder in test if folder.name not in classes]:
        raise DataError(f"{unknown[0]}: not a class of the training images; add a training folder for it")
    examples = read_class_folders(train + test, classes)
    first, last = np.split(np.arange(len(examples)), [len(examples) - count_pictures(test)])
    return _dataset(name, str(path), examples.take(first), examples.take(last) if test else None, classes)


def _dataset(
    name: str, source: str, train: Examples, test: Examples | None, names: tuple[str, ...], other: Images | None = None
) -> Dataset:
    """Return a data set; where its source has no test images, a fifth of its images becomes them."""
    official = test is not None
    if test is None:
        kept, held = hold_out(train.labels, TEST_SHARE, TEST_SEED)
        train, test = train.take(kept), train.take(held)
    unlabelled = np.empty((0, *train.image_shape), np.uint8) if other is None else other
    return Dataset(name, source, train, test, names, official, unlabelled)
