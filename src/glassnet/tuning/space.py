"""What a search varies, and between which bounds.

What a person gives stays as it is; the rest of this short list is searched, and everything else is the recipe's.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..training import Config

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["DISTORTIONS", "searched", "suggest"]

DISTORTIONS = {"rotation": 15.0, "zoom": 0.15, "shear": 0.15, "shift": 2.0, "elastic": 1.0}
"""Distortion at full strength; the last two are pixels of a picture 28 pixels high."""

STEPS_AN_EPOCH = 4  # at least; no batch is so large that there are fewer
BATCH_SIZES = (32, 64, 128, 256, 512)

_SPACE = ("learning_rate", "hidden", "batch_size", "label_smoothing", "dropout", "batch_norm", "distortion")


def searched(config: Config, given: Iterable[str]) -> list[str]:
    """Return the names of what is searched where a person has given these settings.

    One distortion that is given holds all of them. Whole batches can be neither distorted nor normalised, and single
    images not normalised; see `Config`.
    """
    held = {"distortion" if name in DISTORTIONS else name for name in given}
    if "batch_size" in held or config.batch_size == 1:  # which very few images are given
        held |= {"all": {"batch_norm", "distortion"}, 1: {"batch_norm"}}.get(config.batch_size, set())
    if len(config.activation) > 1:  # one for each layer, so there must be as many layers
        held.add("hidden")
    if config.layers:  # which are what a person wants, and of which widths are only a part
        held.add("hidden")
    return [name for name in _SPACE if name not in held]


def suggest(trial: "Trial", names: Iterable[str], config: Config, dataset: Dataset) -> dict[str, Any]:
    """Return settings for a trial, as Optuna's sampler proposes them.

    Args:
        trial: of an Optuna study.
        names: of what is searched, from `searched`.
        config: the recipe.
        dataset: what is learned.
    """
    settings: dict[str, Any] = {}
    if "learning_rate" in names:
        rate = trial.suggest_float("learning_rate", config.learning_rate / 10, config.learning_rate * 10, log=True)
        settings["learning_rate"] = float(f"{rate:.3g}")
    if "hidden" in names:
        layers = range(1, trial.suggest_int("layers", 1, 3) + 1)
        settings["hidden"] = [trial.suggest_int(f"units_{layer}", 32, 512, log=True) for layer in layers]
    if "batch_size" in names and (sizes := _batch_sizes(config, dataset)):
        settings["batch_size"] = trial.suggest_categorical("batch_size", sizes)
    if "label_smoothing" in names:
        settings["label_smoothing"] = round(trial.suggest_float("label_smoothing", 0, 0.2, step=0.02), 2)
    if "dropout" in names:
        settings["dropout"] = round(trial.suggest_float("dropout", 0, 0.5, step=0.05), 2)
    if "batch_norm" in names:
        settings["batch_norm"] = trial.suggest_categorical("batch_norm", [False, True])
    if "distortion" in names:
        strength, size = trial.suggest_float("distortion", 0, 1, step=0.25), dataset.image_shape[0] / 28
        for name, most in DISTORTIONS.items():
            settings[name] = round(strength * most * (size if name in ("shift", "elastic") else 1), 3)
    return settings


def _batch_sizes(config: Config, dataset: Dataset) -> list[int]:
    """Return the sizes of batches that the data are enough for."""
    largest = max(len(dataset.train) // STEPS_AN_EPOCH, BATCH_SIZES[0])
    return [size for size in BATCH_SIZES if size <= min(largest, len(dataset.split(config.validation, 0)[0]))]
