"""New images to learn, mixed with some of those that a model has learned before, so that it does not forget them.

A network that goes on with new images alone soon answers the old ones worse (catastrophic forgetting). Rehearsal shows
it both (Robins, Catastrophic forgetting, rehearsal and pseudorehearsal, 1995).
"""

from math import ceil

import numpy as np

from ..data import Dataset, Examples, load_dataset
from ..data.dataset import hold_out
from ..errors import ConfigError, DataError
from .config import Config

__all__ = ["LEAST", "learned", "split"]

LEAST = 2_000  # images in an epoch, so that it has steps enough where there are a few drawings
ARRAYS = "arrays in memory"  # what stands for a source where there was none
WITHOUT = "give rehearsal 0 to train without them"


def split(config: Config, dataset: Dataset) -> tuple[Examples, Examples, str]:
    """Return the training and the validation images of a run, and of what the training images are mixed, in words.

    Of both parts, ``config.rehearsal`` is the fraction of images from the data that the model learned first; where the
    new images are few, they stand there several times, and augmentation shows them each time in another way. The old
    images are split as the new ones, by the same seed, so a run of that seed never trains on what chose the model
    before.

    Raises:
        ConfigError: there is nothing to rehearse.
        DataError: the fraction of validation images is out of range.
    """
    training, validation = dataset.split(config.validation, config.split_seed)
    if not config.rehearsal:
        return training, validation, ""
    before = _learned_before(config, dataset).split(config.validation, config.split_seed)
    (training, words), (validation, _) = (
        _mixed(new, old, config.rehearsal, config.seed) for new, old in zip((training, validation), before, strict=True)
    )
    return training, validation, words


def learned(config: Config, dataset: Dataset) -> Examples:
    """Return the images that a run trains on, each once, those that it rehearses among them; raises as `split`."""
    training, _ = dataset.split(config.validation, config.split_seed)
    if not config.rehearsal:
        return training
    before, _ = _learned_before(config, dataset).split(config.validation, config.split_seed)
    return training.joined(_rehearsed(training, before, config.rehearsal, config.seed)[0])


def _learned_before(config: Config, dataset: Dataset) -> Dataset:
    """Return the data that the model learned first, with the classes of the new ones."""
    if not config.seen:
        raise ConfigError("rehearsal: a run from random weights has nothing to rehearse; give --from, or rehearsal 0")
    source = config.seen[0]
    if source == ARRAYS:
        raise ConfigError(f"rehearsal: the model learned from {ARRAYS}, which cannot be loaded again; {WITHOUT}")
    try:
        before = load_dataset(source, classes=dataset.classes).with_classes(dataset.classes)
    except DataError as error:
        raise ConfigError(f"rehearsal: {error}; {WITHOUT}") from error
    if before.image_shape != dataset.image_shape:
        raise ConfigError(f"rehearsal: {source} has images of another size than {dataset.name}; {WITHOUT}")
    return before


def _mixed(new: Examples, old: Examples, fraction: float, seed: int) -> tuple[Examples, str]:
    """Return at least `LEAST` examples, ``fraction`` of them old, or fewer where there are not so many; and words."""
    if not len(new) or not len(old):
        return new if len(new) else old, ""
    old, times = _rehearsed(new, old, fraction, seed)
    repeated = new.take(np.tile(np.arange(len(new)), times))
    return repeated.joined(old), f"{len(new):,} new × {times:,} + {len(old):,} rehearsed"


def _rehearsed(new: Examples, old: Examples, fraction: float, seed: int) -> tuple[Examples, int]:
    """Return which old examples are mixed with the new ones, and how often each new one stands there."""
    if not len(new):
        return old, 0
    times = ceil(LEAST * (1 - fraction) / len(new))
    wanted = times * len(new) * fraction / (1 - fraction)
    if wanted < len(old):
        old = old.take(hold_out(old.labels, wanted / len(old), seed)[1])
    return old, times
