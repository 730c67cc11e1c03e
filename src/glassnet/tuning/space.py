"""What a search varies, and between which bounds.

What a person gives stays as it is; the rest of this short list is searched, and everything else is the recipe's.
"""

from collections.abc import Callable, Iterable
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


def _learning_rate(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    """A tenth to ten times the recipe's."""
    rate = trial.suggest_float("learning_rate", config.learning_rate / 10, config.learning_rate * 10, log=True)
    return {"learning_rate": float(f"{rate:.3g}")}


def _hidden(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    """One to three layers of 32 to 512 units."""
    layers = trial.suggest_int("layers", 1, 3)
    return {"hidden": [trial.suggest_int(f"units_{layer}", 32, 512, log=True) for layer in range(1, layers + 1)]}


def _batch_size(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    largest = max(len(dataset.train) // STEPS_AN_EPOCH, BATCH_SIZES[0])
    sizes = [size for size in BATCH_SIZES if size <= min(largest, len(dataset.split(config.validation, 0)[0]))]
    return {"batch_size": trial.suggest_categorical("batch_size", sizes)} if sizes else {}


def _label_smoothing(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    return {"label_smoothing": round(trial.suggest_float("label_smoothing", 0, 0.2, step=0.02), 2)}


def _dropout(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    return {"dropout": round(trial.suggest_float("dropout", 0, 0.5, step=0.05), 2)}


def _batch_norm(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    return {"batch_norm": trial.suggest_categorical("batch_norm", [False, True])}


def _distortion(trial: "Trial", config: Config, dataset: Dataset) -> dict[str, Any]:
    """All ways to distort an image together, from none at all to full strength."""
    strength = trial.suggest_float("distortion", 0, 1, step=0.25)
    size = dataset.image_shape[0] / 28
    scale = {"shift": size, "elastic": size}
    return {name: round(strength * most * scale.get(name, 1), 3) for name, most in DISTORTIONS.items()}


_Suggest = Callable[["Trial", Config, Dataset], dict[str, Any]]

_SPACE: dict[str, tuple[_Suggest, frozenset[str]]] = {
    "learning_rate": (_learning_rate, frozenset({"learning_rate"})),
    "hidden": (_hidden, frozenset({"hidden"})),
    "batch_size": (_batch_size, frozenset({"batch_size"})),
    "label_smoothing": (_label_smoothing, frozenset({"label_smoothing"})),
    "dropout": (_dropout, frozenset({"dropout"})),
    "batch_norm": (_batch_norm, frozenset({"batch_norm"})),
    "distortion": (_distortion, frozenset(DISTORTIONS)),
}
"""How each is suggested, and the settings any of which, when given, holds it still."""


def searched(config: Config, given: Iterable[str]) -> list[str]:
    """Return the names of what is searched where a person has given these settings.

    Whole batches can be neither distorted nor normalised, and single images not normalised; see `Config`.
    """
    without = {"all": {"batch_norm", "distortion"}, 1: {"batch_norm"}}.get(config.batch_size, set())
    held = {name for name, (_, settings) in _SPACE.items() if settings & set(given)}
    without = without if "batch_size" in held else set()
    if len(config.activation) > 1:  # one for each layer, so there must be as many layers
        without = without | {"hidden"}
    return [name for name in _SPACE if name not in held | without]


def suggest(trial: "Trial", names: Iterable[str], config: Config, dataset: Dataset) -> dict[str, Any]:
    """Return settings for a trial, as Optuna's sampler proposes them.

    Args:
        trial: of an Optuna study.
        names: of what is searched, from `searched`.
        config: the recipe.
        dataset: what is learned.
    """
    return {key: value for name in names for key, value in _SPACE[name][0](trial, config, dataset).items()}
