"""`load_dataset`: one function for every source of digits."""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, nearest
from ..plugins import blame, make_plugin, plugin_names
from .arrays import as_labels, class_names
from .cache import Table
from .catalogue import NAMED_FILES
from .dataset import Dataset, Examples
from .folder import ClassFolders, class_folders, held_out, left_out, parts_of, read_class_pictures
from .idx import FILES, find_idx, read_idx, upright
from .in_memory import Part, from_arrays, from_frame, from_parts, make_dataset
from .mnist import mnist_files, mnist_is_here, openml_examples, openml_is_here
from .named import named_dataset, named_is_here
from .npz import read_npz
from .tables import read_csv

__all__ = ["load_dataset", "needs_download"]

TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".zip")

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
            - ``"synthetic"``, digits made up for training, see `glassnet.data.synthetic`;
            - the name of one that an installed package brings, see `glassnet.plugins`;
            - the path of a folder of IDX files, or of one of them, plain or gzip'd, see `find_idx`;
            - the path of a CSV file like Kaggle's train.csv or test.csv, see `read_csv`, or of a folder with both;
            - the path of a file like Keras's mnist.npz, see `read_npz`;
            - the path of a folder with a folder of pictures for each class, or of a folder with such folders
              ``train``, ``valid`` and ``test``, in any case; what is in ``valid`` joins the training images;
            - arrays: ``(images, labels)`` or ``(images, labels, test_images, test_labels)``, also as two pairs. Images
              are (n, h, w), (n, h, w, 1), (n, 1, h, w) or (n, h·h), pixels from 0 to 255, fractions from 0 to 1, or
              counts from 0 to at most 16; labels are numbers, names, or one-hot;
            - a pandas DataFrame with such columns as Kaggle's train.csv has.
        classes: how many classes there are, or their names. In folders of pictures the folders' names count
            instead, unless names are given of which they are some.

    Raises:
        DataError: nothing of that name, or data that cannot be used; the line says what, where, and what to do.

    Warns:
        UserWarning: files or folders among class folders were left out; they are counted and named.
    """
    names = class_names(classes)
    if isinstance(source, tuple):
        return from_arrays(source, names)
    if hasattr(source, "iloc"):
        return from_frame(source, names)
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
        return (
            _from_folder(path, names, () if isinstance(classes, int) else names)
            if path.is_dir()
            else _from_file(path, names)
        )
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror})") from error


def _is_plugin(name: str) -> bool:
    """Whether another package brings data of a name; what is here as a file or folder comes first."""
    return bool(PLUGIN.fullmatch(name)) and not Path(name).exists() and name in plugin_names("glassnet.data")


def _from_plugin(name: str) -> Dataset:
    dataset = make_plugin("glassnet.data", name)
    if not isinstance(dataset, Dataset):
        raise blame("glassnet.data", name, f"it returns a {type(dataset).__name__}, not a Dataset")
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
    if text.rstrip("/") == "drawings":
        raise DataError(
            "no drawings kept yet: keep some on the page (glassnet serve), or go to the folder that holds drawings/"
        )
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
    examples = Examples(images, table[:, -1].astype(np.int64))
    return make_dataset("digits", "digits", examples, None, class_names(10), maximum=16)


def _mnist() -> Dataset:
    return _from_idx("mnist", "mnist", mnist_files(), class_names(10))


def _openml() -> Dataset:
    rows = openml_examples(class_names(10))
    train, test = np.split(np.arange(len(rows)), [OPENML_TRAINING])
    return make_dataset("mnist_784", "mnist_784", rows.take(train), rows.take(test), class_names(10))


def _synthetic() -> Dataset:
    from .synthetic import synthetic_dataset  # and with it much of Pillow

    return synthetic_dataset()


NAMED: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "openml": _openml,
    "mnist_784": _openml,
    "synthetic": _synthetic,
    **{name: partial(named_dataset, name) for name in NAMED_FILES},
}


def needs_download(source: str) -> bool:
    """Return whether `load_dataset` would have to download the data of a source."""
    if source == "mnist":
        return not mnist_is_here()
    if source in NAMED_FILES:
        return not named_is_here(source)
    return NAMED.get(source) is _openml and not openml_is_here()


def _from_file(path: Path, names: tuple[str, ...]) -> Dataset:
    name = path.name.lower()
    if name.endswith(TABLES):
        return _from_csv(path, names)
    if name.endswith(".npz"):
        return _from_npz(path, names)
    if files := find_idx(path.parent, beside=path):
        return _from_idx(_short(path.parent.name), str(path), files, names)
    raise DataError(f"{path}: unknown file format; give a .csv or .npz file, or a folder of IDX files or pictures")


def _from_folder(path: Path, names: tuple[str, ...], given: tuple[str, ...]) -> Dataset:
    """Read what is in a folder; ``given`` are names of classes that were asked for, and not just their number."""
    if files := find_idx(path):
        return _from_idx(_short(path.name), str(path), files, names)
    if tables := {part: table for part in ("train", "test") if (table := _table_of(path, part))}:
        return _from_csv_folder(path, tables, names)
    if (path / "mnist.npz").is_file():
        return _from_npz(path / "mnist.npz", names)
    parts = parts_of(path)
    if "train" not in parts:
        parts = {"train": class_folders(path)}
    if parts["train"]:
        return _from_pictures(path, parts, given)
    if path.name == "drawings":  # where the page keeps them
        raise DataError(f"{path}: no drawings in this folder yet; keep some on the page (glassnet serve)")
    raise DataError(
        f"{path}: no data in this folder; expected IDX files, train.csv, mnist.npz, or one folder of pictures per class"
    )


def _table_of(folder: Path, part: str) -> Path | None:
    """Return the table of a part in a folder: train.csv, plain or packed, or else the only one with that word."""
    tables = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(TABLES) and path.is_file()]
    exact = [path for path in tables if path.name.lower().partition(".")[0] == part]
    found = exact or [path for path in tables if part in re.split(r"[\W_]+", path.name.lower())]
    if len(found) > 1 and not exact:
        there = ", ".join(path.name for path in found[:4])
        raise DataError(f"{folder}: several tables of {part} images ({there}); give the path of one")
    return found[0] if found else None


def _from_idx(name: str, source: str, files: Mapping[str, Path], names: tuple[str, ...]) -> Dataset:
    test = _idx_part(files, "test") if {"test images", "test labels"} & set(files) else None
    return from_parts(name, source, _idx_part(files, "train"), test, names)


def _idx_part(files: Mapping[str, Path], part: str) -> Part:
    for kind in ("images", "labels"):
        if f"{part} {kind}" not in files:
            folder = next(iter(files.values())).parent
            raise DataError(f"{folder}: {FILES[f'{part} {kind}']} (or .gz) is missing")
    image_file, label_file = files[f"{part} images"], files[f"{part} labels"]
    images = read_idx(image_file, 3)
    if "emnist" in image_file.name.lower():
        images = upright(images)
    return Part(images, read_idx(label_file, 1), str(image_file), str(label_file))


def _from_csv(path: Path, names: tuple[str, ...]) -> Dataset:
    table = read_csv(path)
    name = _short(path.name.partition(".")[0])
    if table.labels is None:
        nothing = Examples(table.images[:0], np.zeros(0, np.int64))
        return Dataset(name, str(path), nothing, nothing, names, False, table.images, table.maximum)
    names = _csv_classes(table, names)
    return make_dataset(name, str(path), _csv_examples(path, table, names), None, names, maximum=table.maximum)


def _from_csv_folder(path: Path, files: Mapping[str, Path], names: tuple[str, ...]) -> Dataset:
    """Kaggle's two files; a test.csv with labels is an official test set."""
    if "train" not in files:
        return _from_csv(files["test"], names)
    table, name = read_csv(files["train"]), _short(path.name)
    names = _csv_classes(table, names)
    train, maximum = _csv_examples(files["train"], table, names), table.maximum
    if "test" not in files:
        return make_dataset(name, str(path), train, None, names, maximum=maximum)
    test = read_csv(files["test"])
    if min(maximum, test.maximum) < 255 == max(maximum, test.maximum):
        raise DataError(
            f"{path}: pixels go to {maximum} in {files['train'].name} and to {test.maximum} in {files['test'].name}; "
            "bring both to one scale"
        )
    if test.labels is None:
        return make_dataset(name, str(path), train, None, names, test.images, maximum=maximum)
    return make_dataset(name, str(path), train, _csv_examples(files["test"], test, names), names, maximum=maximum)


def _csv_classes(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the classes: a table's own words, unless others than the ten digits were asked for."""
    return class_names(table.names) if table.names and names == class_names(10) else names


def _csv_examples(path: Path, table: Table, names: tuple[str, ...]) -> Examples:
    if table.labels is None:
        raise DataError(f"{path}: no column label; give Kaggle's train.csv")
    labels = np.array(table.names)[table.labels] if table.names else table.labels
    return Examples(table.images, as_labels(labels, names, str(path), "line", table.first_line))


def _from_npz(path: Path, names: tuple[str, ...]) -> Dataset:
    arrays = read_npz(path)

    def part(name: str) -> Part | None:
        if f"{name} images" not in arrays:
            return None
        (images_name, images), (labels_name, labels) = arrays[f"{name} images"], arrays[f"{name} labels"]
        return Part(images, labels, f"{path}: {images_name}", f"{path}: {labels_name}")

    train, more = part("train"), part("validation")
    assert train  # or there would have been an error
    if more:  # validation images are chosen among the training images, by a setting
        images = _joined(train.images, more.images, more.images_name)
        train = train._replace(images=images, labels=_joined(train.labels, more.labels, more.labels_name))
    return from_parts(_short(path.stem), str(path), train, part("test"), names)


def _joined(first: NDArray[Any], then: NDArray[Any], name: str) -> NDArray[Any]:
    if first.shape[1:] != then.shape[1:]:
        raise DataError(f"{name}: shape {then.shape}, but the training part has {first.shape}")
    return np.concatenate([first, then])


def _from_pictures(path: Path, parts: Mapping[str, ClassFolders], given: tuple[str, ...]) -> Dataset:
    """Class folders. All pictures are read together, so that those of all parts are brought into one form."""
    train, more, test = (parts.get(part, {}) for part in ("train", "validation", "test"))
    own, name = [folder.name for folder in train], _short(path.name)
    if not set(own) <= set(given):
        if len(own) < 2:
            raise DataError(f"{path}: pictures of only one class, {own[0]}; add a folder for at least one more")
        given = class_names(own)
    classes = given
    if unknown := [folder for folder in (*more, *test) if folder.name not in classes]:
        raise DataError(f"{unknown[0]}: not a class of the training images; add a training folder for it")
    pictures = [path for part in (train, more, test) for paths in part.values() for path in paths]
    examples, places = read_class_pictures(pictures, classes)  # of which validation images are chosen by a setting
    if line := left_out(parts.values()):
        warnings.warn(line, stacklevel=2)
    official = np.arange(len(pictures)) >= len(pictures) - sum(map(len, test.values()))
    is_test = official if test else held_out(places, examples.labels)
    kept, held = (examples.take(np.flatnonzero(part)) for part in (~is_test, is_test))
    return replace(make_dataset(name, str(path), kept, held, classes), official_test=bool(test))
