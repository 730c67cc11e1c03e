"""Kaggle's Digit Recognizer: from ``test.csv`` to ``submission.csv``, by a model that has not seen the test images.

Kaggle's 42,000 training and 28,000 test images are MNIST's 70,000 in another order. A model trained on MNIST has seen
most of the test images with their labels, so its score would be meaningless. No two of the 70,000 are the same:
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
        allow_leak: continue if the model has seen some of the images, or if that cannot be determined.
        name: what errors call the images.

    Raises:
        DataError: another number of images, or a model of other classes or shape; or a leak, see ``allow_leak``.
        ConfigError: invalid shifts.
    """
    if len(images) != ROWS:
        raise DataError(f"{name}: {len(images):,} rows, but Kaggle's test.csv has {ROWS:,}; download it again")
    if images.shape[1:] != model.image_shape:
        given, taken = ("×".join(map(str, shape)) for shape in (images.shape[1:], model.image_shape))
        raise DataError(
            f"{name}: images of {given} pixels, but the model expects {taken}; train one on Kaggle's train.csv"
        )
    if model.classes != DIGITS:
        some = ", ".join(model.classes[:3])
        raise DataError(
            f"the model has {len(model.classes):,} classes ({some}, …), but Kaggle expects the ten digits 0 to 9; "
            "train one on Kaggle's train.csv"
        )
    if not allow_leak:
        _refuse_leak(_learned(model), images, name)
        for source in model.seen:
            _refuse_leak(_seen_before(source, model), images, name)
    labels = model.predict(images, shifts)
    return "".join(["ImageId,Label\n", *(f"{number},{label}\n" for number, label in enumerate(labels, 1))])


def _learned(model: Model) -> Dataset:
    """Return the data that a model was trained on; raise DataError if it is no longer available."""
    doubt = "cannot check whether the model has seen the test images: "
    remedy = "; allow the leak (--allow-leak, allow_leak=True) to submit anyway"
    if not model.trained_on:
        raise DataError(f"{doubt}it was trained on arrays in memory{remedy}")
    try:
        dataset = load_dataset(model.trained_on, classes=model.classes)
    except DataError as error:
        raise DataError(
            f"{doubt}its training data, {model.trained_on}, is missing or cannot be read; restore it, or allow the "
            "leak (--allow-leak, allow_leak=True)"
        ) from error
    if dataset.whole().fingerprint == model.fingerprint:
        return dataset.whole()
    if dataset.fingerprint != model.fingerprint:
        raise DataError(f"{doubt}{model.trained_on} has changed since it was trained{remedy}")
    return dataset


def _seen_before(source: str, model: Model) -> Dataset:
    """Return the data of a model that this one's training started from; raise DataError if it is not available."""
    try:
        return load_dataset(source, classes=model.classes).whole()
    except DataError as error:
        raise DataError(
            "cannot check whether the model has seen the test images: its training started from a model of "
            f"{source}, which is missing or cannot be read; restore it, or allow the leak (--allow-leak, "
            "allow_leak=True)"
        ) from error


def _refuse_leak(learned: Dataset, images: Images, name: str) -> None:
    """Raise DataError if any of the images is among the training or validation images of a data set."""
    known = {_sum(image) for block in learned.train.blocks() for image in block.images}
    rows = [row for row, image in enumerate(images, 1) if _sum(image) in known]
    if rows:
        raise DataError(
            f"{name}: the model has seen {len(rows):,} of these {len(images):,} images in {learned.source}, with "
            f"their labels (the first is row {rows[0]:,}), so its score would be meaningless; train one on Kaggle's "
            "train.csv, or allow the leak (--allow-leak, allow_leak=True)"
        )


def _sum(image: Images) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
