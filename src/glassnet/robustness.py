"""Robustness: the accuracy of a model on corrupted pictures.

A corrupted picture is processed like a picture file given to `predict`: by `frame_picture`, then by the model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corruptions import CORRUPTIONS, corrupt
from .data import Examples, frame_picture
from .data.dataset import Images
from .errors import ConfigError, DataError
from .evaluation import evaluate
from .model import Model

__all__ = ["Robustness", "Score", "evaluate_corruptions"]

MOST = 1_000  # images: a thousand tell 98 % from 97 %, and 41 times as many are prepared in about a minute


@dataclass(frozen=True)
class Score:
    """How many of ``count`` pictures were recognised correctly.

    Attributes:
        right: pictures recognised correctly.
        refused: pictures in which no digit was found; they count as wrong.
        count: all of them.
    """

    right: int
    refused: int
    count: int

    @property
    def accuracy(self) -> float:
        """Fraction of the pictures that were recognised correctly."""
        return self.right / self.count

    @property
    def spread(self) -> float:
        """Standard error of the accuracy, √(p (1 − p) / n), as of n independent pictures."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / self.count))

    def to_json(self) -> dict[str, Any]:
        """Return accuracy, spread and refused."""
        return {"accuracy": self.accuracy, "spread": self.spread, "refused": self.refused}


@dataclass(frozen=True)
class Robustness:
    """What `evaluate_corruptions` found.

    Attributes:
        available: images there were; those that were used are spread evenly over them.
        unprepared: of the original images, without the preprocessing of picture files.
        clean: of the original images, preprocessed like picture files.
        scores: of each corruption, one for each of its five strengths.
    """

    available: int
    unprepared: Score
    clean: Score
    scores: dict[str, tuple[Score, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return all scores in plain Python types, as ``glassnet evaluate --corruptions --json`` prints them."""
        return {
            "count": self.clean.count,
            "available": self.available,
            "unprepared": self.unprepared.to_json(),
            "clean": self.clean.to_json(),
            "corruptions": {
                name: {
                    "unit": CORRUPTIONS[name].unit,
                    "levels": [
                        {"strength": strength, **score.to_json()}
                        for strength, score in zip(CORRUPTIONS[name].strengths, scores, strict=True)
                    ],
                }
                for name, scores in self.scores.items()
            },
        }


def evaluate_corruptions(
    model: Model,
    examples: Examples,
    *,
    most: int = MOST,
    seed: int = 0,
    announce: Callable[[str], None] = lambda name: None,
) -> Robustness:
    """Measure a model's accuracy on corrupted pictures.

    Args:
        model: the model, whose preprocessing is applied to the pictures.
        examples: labelled images of the model's shape, with labels that index into ``model.classes``.
        most: the maximum number of images, evenly sampled.
        seed: of directions, positions and noise, which are the same at each strength.
        announce: called with the name of each corruption before it is measured.

    Raises:
        ConfigError: ``most`` is less than 1.
        DataError: as for `evaluate`: no images, another shape, or a label that is not one of the model's classes.
    """
    if most < 1:
        raise ConfigError(f"most = {most}: must be at least 1")
    count = min(len(examples), most)
    chosen = examples.take(np.arange(count) * len(examples) // max(count, 1))
    unprepared = evaluate(model, chosen)
    scores = {}
    for name in CORRUPTIONS:
        announce(name)
        corrupted = (
            corrupt(chosen.images, name, level, dark_on_light=model.preprocessing.dark_on_light, seed=seed)
            for level in range(1, 6)
        )
        scores[name] = tuple(_score(model, pictures, chosen.labels) for pictures in corrupted)
    return Robustness(
        available=len(examples),
        unprepared=Score(int(unprepared.confusion.trace()), 0, count),
        clean=_score(model, chosen.images, chosen.labels),
        scores=scores,
    )


def _score(model: Model, pictures: Images, labels: NDArray[np.int64]) -> Score:
    """Preprocess pictures one by one, as if each were a file, and compare the predictions with the labels."""
    framed = np.zeros((len(pictures), *model.image_shape), np.uint8)
    refused = np.zeros(len(pictures), bool)
    for i, picture in enumerate(pictures):
        try:
            framed[i] = frame_picture(picture, model.preprocessing)
        except DataError:
            refused[i] = True
    right = (model.predict(framed) == labels) & ~refused
    return Score(int(right.sum()), int(refused.sum()), len(pictures))
