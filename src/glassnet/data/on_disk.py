"""Data sets of a file or folder: IDX files, tables, NumPy archives, or pictures in class folders."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .arrays import as_labels, class_names
from .cache import Table
from .dataset import Dataset, Examples
from .folder import ClassFolders, class_folders, held_out, left_out, parts_of, read_class_pictures
from .idx import FILES, find_idx, read_idx, upright
from .in_memory import Part, from_parts, make_dataset
from .npz import read_npz
from .tables import read_csv

__all__ = ["from_idx", "from_path"]

TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".zip")


def from_path(path: Path, names: tuple[str, ...], given: tuple[str, ...]) -> Dataset:
    """Read a file or folder, whose form is told by the names of files.

    Args:
        path: of the file or folder.
        names: of the classes.
        given: the same where they were asked for by name; none where only their number was.

    Raises:
        DataError: it cannot be read, or used.
    """
    try:
        return _from_folder(path, names, given) if path.is_dir() else _from_file(path, names)
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror})") from error


def _from_file(path: Path, names: tuple[str, ...]) -> Dataset:
    name = path.name.lower()
    if name.endswith(TABLES):
        return _from_csv(path, names)
    if name.endswith(".npz"):
        return _from_npz(path, names)
    if files := find_idx(path.parent, beside=path):
        return from_idx(_short(path.parent.name), str(path), files, names)
    raise DataError(f"{path}: unknown file format; give a .csv or .npz file, or a folder of IDX files or pictures")


def _from_folder(path: Path, names: tuple[str, ...], given: tuple[str, ...]) -> Dataset:
    """Read what is in a folder; ``given`` are names of classes that were asked for, and not just their number."""
    if files := find_idx(path):
        return from_idx(_short(path.name), str(path), files, names)
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


def from_idx(name: str, source: str, files: Mapping[str, Path], names: tuple[str, ...]) -> Dataset:
    """Read the IDX files of `find_idx`.

    Raises:
        DataError: one is missing, or they do not belong together.
    """
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
    examples, places = read_class_pictures(path, pictures, classes)  # validation images are chosen by a setting
    if line := left_out(parts.values()):
        warnings.warn(line, stacklevel=2)
    official = np.arange(len(pictures)) >= len(pictures) - sum(map(len, test.values()))
    is_test = official if test else held_out(places, examples.labels)
    kept, held = (examples.take(np.flatnonzero(part)) for part in (~is_test, is_test))
    return replace(make_dataset(name, str(path), kept, held, classes), official_test=bool(test))


def _short(name: str) -> str:
    """A file's or folder's name as a word for run folders."""
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.") or "data"
