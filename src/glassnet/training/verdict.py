"""Whether a run has learned anything, and if not, what most likely kept it from learning."""

import math

import numpy as np

from .callbacks import RunUnderWay
from .config import DEFAULT_LEARNING_RATES, Config
from .history import best_row

__all__ = ["chance_note"]

SPREADS = 3.0  # standard errors above always naming the most common class: less is no better than chance
FAR = 10.0  # times the usual learning rate, or less than one such part of it
FITTED = 0.5  # of training images correct: what is learned, although it does not hold for validation images


def chance_note(run: RunUnderWay) -> str | None:
    """Return a sentence if the validation accuracy of a run's best epoch is no better than chance.

    None if it is better, or if that cannot be told. Chance is to name the most common class of the validation images
    every time. Of planted mistakes nothing is said.
    """
    labels = run.validation.labels
    rows = [row for row in run.rows if row["validation_accuracy"] is not None]
    if run.config.mistakes or not len(labels) or not rows:
        return None
    chance = float(np.bincount(labels).max() / len(labels))
    better = chance + SPREADS * math.sqrt(chance * (1 - chance) / len(labels))
    best = best_row(rows, run.config.monitor)["validation_accuracy"] or 0.0  # not the luckiest of many epochs
    if best > better or better >= 1:  # of one class, or of so few images that nothing could be better than chance
        return None
    cause = _cause(run.config, rows[-1]["accuracy"], dark_on_light=run.model.preprocessing.dark_on_light)
    return (
        f"Nothing was learned: {100 * best:.2f} % is no better than chance ({100 * chance:.2f} %, always the most "
        f"common class). {cause}"
    )


def _cause(config: Config, accuracy: float, *, dark_on_light: bool) -> str:
    """Return the most likely cause, and the cure."""
    usual = DEFAULT_LEARNING_RATES[config.optimizer]
    if accuracy > FITTED:
        return "The training images are fitted, so the labels of the validation images may not belong to them."
    if config.scaling == "none":
        return "Likely cause: inputs from 0 to 255 (scaling none); use scaling unit or standard."
    if config.learning_rate > FAR * usual or config.learning_rate < usual / FAR:
        size = "large" if config.learning_rate > usual else "small"
        return (
            f"Likely cause: the learning rate {config.learning_rate:g} is too {size} for {config.optimizer} (usual: "
            f"{usual:g}); glassnet lr-find suggests one."
        )
    if config.adversarial:
        return f"Likely cause: adversarial {config.adversarial:g} moves images farther than they differ; use less."
    if dark_on_light and config.scaling == "unit":
        return "Likely cause: the images are dark on light, so that most inputs are 1; use scaling standard."
    return "Do the labels belong to the images? If they do, more epochs or another learning rate may help."
