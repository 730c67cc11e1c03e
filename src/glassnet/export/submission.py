"""Kaggle's Digit Recognizer: from ``test.csv`` to a ``submission.csv`` that it takes, by a model that did not peek.

Kaggle's 42,000 training and 28,000 test images are MNIST's 70,000 in another order. A model that learned MNIST has seen
most of the test images with their labels, so its score would say nothing about it. No two of the 70,000 are the same:
an image of test.csv that is also among those that a model learned was seen, and is no coincidence.
"""

import hashlib

from ..data import Dataset, load_dataset
from ..data.dataset import Images
from ..errors import DataError
from ..model import Model

__all__ = ["submission"]

ROWS = 28_000
DIGITS = tuple("0123456789")


def submission(
    model: Model, images: Images, *, shifts: int = 0, allow_leak: bool = False, name: str = "the test images"
) -> str:
    """Return the text of a submission: the header, then 28,000 ids from 1, each with a digit.

    Args:
        model: of the ten digits.
        images: Kaggle's, in the order of its test.csv, (28000, 28, 28) uint8.
        shifts: as for `Model.predict_proba`.
        allow_leak: go on where the model has seen some of the images, or nobody can say whether it has.
        name: what errors call the images.

    Raises:
        DataError: another number of images, or a model of other classes or shape; or a leak, see ``allow_leak``.
        ConfigError: shifts that cannot be.
    """
    if len(images) != ROWS:
        raise DataError(f"{name}: {len(images):,} rows where Kaggle's test.csv has {ROWS:,}; download it again")
    if images.shape[1:] != model.image_shape:
        given, taken = ("×".join(map(str, shape)) for shape in (images.shape[1:], model.image_shape))
        raise DataError(
            f"{name}: images of {given} pixels, and the model takes {taken}; train it on Kaggle's train.csv"
        )
    if model.classes != DIGITS:
        some = ", ".join(model.classes[:3])
        raise DataError(
            f"the model knows {len(model.classes):,} classes ({some}, …), and Kaggle asks for the ten digits 0 to 9; "
            "train one on Kaggle's train.csv"
        )
    if not allow_leak:
        _refuse_leak(_learned(model), images, name)
    labels = model.predict(images, shifts)
    return "".join(["ImageId,Label\n", *(f"{number},{label}\n" for number, label in enumerate(labels, 1))])


def _learned(model: Model) -> Dataset:
    """Return the data that a model has learned; raise DataError where they cannot be looked at any more."""
    doubt = "nobody can say whether the model has seen the test images: "
    remedy = "; allow the leak (--allow-leak, allow_leak=True) to submit all the same"
    if not model.trained_on:
        raise DataError(f"{doubt}it learned from arrays in memory{remedy}")
    try:
        dataset = load_dataset(model.trained_on, classes=model.classes)
    except DataError as error:
        raise DataError(
            f"{doubt}its training data, {model.trained_on}, are gone or cannot be read; put them back, or allow the "
            "leak (--allow-leak, allow_leak=True)"
        ) from error
    if dataset.fingerprint != model.fingerprint:
        raise DataError(f"{doubt}{model.trained_on} has changed since it was trained{remedy}")
    return dataset


def _refuse_leak(learned: Dataset, images: Images, name: str) -> None:
    """Raise DataError where any of the images is among those that runs on a data set learn from or choose by."""
    known = {_sum(image) for block in learned.train.blocks() for image in block.images}
    rows = [row for row, image in enumerate(images, 1) if _sum(image) in known]
    if rows:
        raise DataError(
            f"{name}: the model has seen {len(rows):,} of these {len(images):,} images in {learned.source}, with "
            f"their labels (the first is row {rows[0]:,}), so its score would say nothing; train one on Kaggle's "
            "train.csv, or allow the leak (--allow-leak, allow_leak=True)"
        )


def _sum(image: Images) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
