"""`audit`: labels and duplicates of a data set in one result."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, Examples
from ..errors import ConfigError, DataError
from .duplicates import Pair, identical, near_duplicates
from .labels import confident_mistakes, out_of_fold

__all__ = ["FIRST", "LEAST", "Audit", "Place", "audit"]

FIRST = 0.02  # of all images: how many `Audit.listed` has, where fewer labels are probably wrong
LEAST = 0.99  # correlation of near-duplicates; the most similar of MNIST's training and test images have 0.9916
MOST_FOLDS = 20


class Place(NamedTuple):
    """Where an image is: its part, train or test; its row in the source's own part, from 0; and its file.

    Where the source has no test images, both parts have the rows of the source. In a folder of pictures, the file is
    the path in that folder; elsewhere it is "".
    """

    part: str
    row: int
    file: str

    def __str__(self) -> str:
        return self.file or f"{self.part} {self.row}"


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. Images are counted through training images first, then test images.

    Attributes:
        dataset: what was audited.
        examples: all its labelled images (n).
        probabilities: (n, k), each by a network that was not trained on the image.
        wrong: (n,), which labels are probably wrong.
        duplicates: groups of images that are the same, pixel by pixel.
        near: test images that are almost a training image, but not the same.
    """

    dataset: Dataset
    examples: Examples
    probabilities: NDArray[np.float32]
    wrong: NDArray[np.bool_]
    duplicates: list[list[int]]
    near: list[Pair]

    def __repr__(self) -> str:
        return (
            f"Audit({self.dataset.name!r}: {int(self.wrong.sum()):,} of {len(self.examples):,} labels probably wrong, "
            f"{len(self.duplicates):,} groups of duplicates, {len(self.near):,} near-duplicates across the split)"
        )

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """All images, the one whose label got the lowest probability first."""
        own = self.probabilities[np.arange(len(self.examples)), self.examples.labels]
        return np.argsort(own, kind="stable")

    @cached_property
    def listed(self) -> NDArray[np.int64]:
        """The likeliest wrong labels, in `order`: all that are probably wrong, and others up to a fiftieth of all."""
        wrong = self.wrong[self.order]
        others = max(int(np.ceil(FIRST * len(wrong))) - int(wrong.sum()), 0)
        return self.order[wrong | (np.cumsum(~wrong) <= others)]

    @property
    def across(self) -> list[list[int]]:
        """The groups of duplicates with both training and test images."""
        border = len(self.dataset.train)
        return [group for group in self.duplicates if group[0] < border <= group[-1]]

    @property
    def contradictory(self) -> list[list[int]]:
        """The groups of duplicates whose labels differ."""
        return [group for group in self.duplicates if len(set(self.examples.labels[group].tolist())) > 1]

    def place(self, index: int) -> Place:
        """Return where an image is."""
        border = len(self.dataset.train)
        part, examples, own = (
            ("train", self.dataset.train, index) if index < border else ("test", self.dataset.test, index - border)
        )
        _, [row] = examples.located(np.array([own]))
        return Place(part, int(row), examples.file_at(own))

    def rows(self) -> list[dict[str, Any]]:
        """Return what is known of the images in `listed`."""
        return [self._row(int(index)) for index in self.listed]

    def _row(self, index: int) -> dict[str, Any]:
        label, probable = int(self.examples.labels[index]), int(self.probabilities[index].argmax())
        return self.place(index)._asdict() | {
            "label": self.dataset.classes[label],
            "label_probability": round(float(self.probabilities[index, label]), 6),
            "predicted": self.dataset.classes[probable],
            "predicted_probability": round(float(self.probabilities[index, probable]), 6),
            "probably_wrong": bool(self.wrong[index]),
        }

    def worst_duplicates(self) -> list[list[int]]:
        """Return the groups of duplicates: those whose labels differ, those across the split, then all others."""
        contradictory, across = ({id(group) for group in groups} for groups in (self.contradictory, self.across))
        return sorted(self.duplicates, key=lambda group: (id(group) not in contradictory, id(group) not in across))

    def near_groups(self) -> list[list[int]]:
        """Return the pairs of near-duplicates as groups, the most similar first."""
        return [[pair.train, pair.test + len(self.dataset.train)] for pair in self.near]

    def duplicate_rows(self) -> list[dict[str, Any]]:
        """Return a row for each image of each group of duplicates, the worst first, then of each near-duplicate pair.

        Groups and pairs are numbered from 1.
        """
        exact = len(self.duplicates)
        return [
            {"group": number, "kind": "identical" if number <= exact else "near", **self.place(index)._asdict()}
            | {"label": self.dataset.classes[int(self.examples.labels[index])]}
            for number, group in enumerate([*self.worst_duplicates(), *self.near_groups()], 1)
            for index in group
        ]


def audit(dataset: Dataset, folds: int = 5, seed: int = 0, announce: Callable[[str], None] = lambda _: None) -> Audit:
    """Look for wrong labels, and for images that occur more than once.

    Args:
        dataset: labelled images. Training and test images are audited together.
        folds: into how many parts the images are split; a network for each is trained on all others.
        seed: of the split and of the networks.
        announce: is told what is being done.

    Raises:
        ConfigError: less than 2 folds, or more than 20.
        DataError: fewer than two classes, or fewer images than folds.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise ConfigError(f"folds: must be from 2 to {MOST_FOLDS}, not {folds}")
    dataset.require_trainable()
    examples = dataset.train.joined(dataset.test)
    if len(examples) < 2 * folds:
        raise DataError(f"{dataset.source or dataset.name}: {len(examples)} images are too few for {folds} folds")
    announce(f"training {folds} networks, each tested on a part that it was not trained on")
    probabilities = out_of_fold(examples, len(dataset.classes), folds, seed)
    announce("comparing images")
    same = identical(examples)
    known = {index for group in same for index in group}
    border = len(dataset.train)
    near = [
        pair
        for pair in near_duplicates(dataset.train, dataset.test, LEAST)
        if not (pair.train in known and pair.test + border in known)
    ]
    return Audit(dataset, examples, probabilities, confident_mistakes(probabilities, examples.labels), same, near)
