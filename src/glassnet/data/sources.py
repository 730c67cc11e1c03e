"""`load_dataset`: one function for every source of data."""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, nearest
from ..plugins import blame, make_plugin, plugin_names
from .arrays import class_names
from .catalogue import NAMED_FILES
from .dataset import Dataset, Examples
from .in_memory import from_arrays, from_frame, make_dataset
from .mnist import mnist_files, mnist_is_here, openml_examples, openml_is_here
from .named import named_dataset, named_is_here
from .on_disk import from_idx, from_path

__all__ = ["load_dataset", "needs_download"]

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
    return from_path(_existing(source), names, () if isinstance(classes, int) else names)


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
    return from_idx("mnist", "mnist", mnist_files(), class_names(10))


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
