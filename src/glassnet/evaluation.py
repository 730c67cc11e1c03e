"""Evaluation of a model: accuracy, loss, metrics per class, confusion matrix, calibration, hardest images.

Everything follows from two arrays, the true labels and the predicted probabilities, so an `Evaluation` keeps those and
computes the rest on demand.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import Dataset, Examples
from .errors import DataError
from .model import Model
from .notebook import card, table

__all__ = ["ClassFigures", "Evaluation", "Reliability", "evaluate", "examples_for"]

CONFUSIONS_SHOWN = 5  # in a notebook
CALIBRATION_BINS = 15  # as in Guo et al. 2017, so that figures can be compared with published ones


@dataclass(frozen=True)
class ClassFigures:
    """Metrics of one class. Where a denominator is zero, they are 0, as with scikit-learn's ``zero_division=0``.

    Attributes:
        precision: of the images predicted as this class, the fraction that belong to it.
        recall: of the images of this class, the fraction predicted as it.
        f1: the harmonic mean of precision and recall.
        count: images of this class.
    """

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True, eq=False)
class Reliability:
    """Images in 15 bins of equal width by confidence, the probability of what was predicted.

    Attributes:
        confidence: ``(15,)``, mean confidence in each bin; 0 where a bin is empty.
        accuracy: ``(15,)``, fraction of correct predictions in each bin; 0 where a bin is empty.
        count: ``(15,)``, images in each bin.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The predictions of a model for n ≥ 1 labelled images of k classes.

    Attributes:
        labels: ``(n,)``, the true classes, indices into ``classes``.
        probabilities: ``(n, k)``, the predicted probability of each class.
        classes: the k class names.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.floating[Any]]
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Evaluation({len(self.labels):,} images, accuracy {self.accuracy:.2%}, loss {self.loss:.4f})"

    def _repr_html_(self) -> str:
        facts = {
            "images": f"{len(self.labels):,}",
            "accuracy": f"{self.accuracy:.2%}",
            "loss": f"{self.loss:.4f} nats",
            "calibration error": f"{self.calibration_error:.2%}",
        }
        confused = self.most_confused(CONFUSIONS_SHOWN)
        return card(
            "Evaluation", facts, table(["true class", "predicted class", "images"], confused) if confused else ""
        )

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of each image, ``(n,)``."""
        predictions: NDArray[np.int64] = np.argmax(self.probabilities, axis=1)
        return predictions

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Cross-entropy of each image, −ln p(true class), in nats, ``(n,)``.

        A probability that was rounded down to zero counts as the smallest normal number of its dtype, so that one
        image cannot make the mean infinite.
        """
        true = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)[:, 0]
        smallest = np.finfo(self.probabilities.dtype).smallest_normal
        losses: NDArray[np.float64] = -np.log(np.maximum(true, smallest), dtype=np.float64)
        return losses

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Number of images of each true class (row) predicted as each class (column), ``(k, k)``."""
        k = len(self.classes)
        return np.bincount(self.labels * k + self.predictions, minlength=k * k).reshape(k, k)

    @cached_property
    def accuracy(self) -> float:
        """Fraction of the images whose most probable class is the true one."""
        return float(np.mean(self.predictions == self.labels))

    @cached_property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return float(self.losses.mean())

    @cached_property
    def per_class(self) -> dict[str, ClassFigures]:
        """Precision, recall, F1 and count of each class, by name."""
        right, said, count = self.confusion.diagonal(), self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        precision, recall = right / np.maximum(said, 1), right / np.maximum(count, 1)
        f1 = 2 * right / np.maximum(said + count, 1)  # the same as 2 / (1/precision + 1/recall)
        rows = zip(precision.tolist(), recall.tolist(), f1.tolist(), count.tolist(), strict=True)
        return {name: ClassFigures(*row) for name, row in zip(self.classes, rows, strict=True)}

    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy, over 15 bins of equal width.

            ECE = Σ_b (n_b / n) · |accuracy_b − confidence_b|

        Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
        """
        bins = self.reliability()
        return float(np.sum(bins.count * np.abs(bins.accuracy - bins.confidence)) / len(self.labels))

    def reliability(self) -> Reliability:
        """Sort the images by confidence into 15 bins, each open on the left and closed on the right."""
        confidence = self.probabilities.max(axis=1).astype(np.float64)
        inner_edges = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
        bins = np.searchsorted(inner_edges, confidence, side="left")
        count = np.bincount(bins, minlength=CALIBRATION_BINS)
        sure = np.bincount(bins, confidence, minlength=CALIBRATION_BINS)
        right = np.bincount(bins, self.predictions == self.labels, minlength=CALIBRATION_BINS)
        return Reliability(sure / np.maximum(count, 1), right / np.maximum(count, 1), count)

    def hardest(self, n: int) -> NDArray[np.int64]:
        """Indices of the ``n`` images with the highest loss, the hardest first; all of them if there are fewer."""
        return np.argsort(-self.losses, kind="stable")[:n]

    def most_confused(self, n: int) -> list[tuple[str, str, int]]:
        """The ``n`` most common mistakes as ``(true class, predicted class, count)``, the most common first."""
        mistakes = self.confusion * (1 - np.eye(len(self.classes), dtype=np.int64))
        order = np.argsort(-mistakes, axis=None, kind="stable")[: min(n, np.count_nonzero(mistakes))]
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        return [(self.classes[true], self.classes[said], int(mistakes[true, said])) for true, said in pairs]

    def to_json(self) -> dict[str, Any]:
        """Return all metrics in plain Python types, as ``glassnet evaluate --json`` prints them."""
        return {
            "count": len(self.labels),
            "classes": list(self.classes),
            "accuracy": self.accuracy,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "per_class": {name: asdict(figures) for name, figures in self.per_class.items()},
            "confusion": self.confusion.tolist(),
            "reliability": {name: values.tolist() for name, values in vars(self.reliability()).items()},
        }


def evaluate(model: Model, examples: Examples, shifts: int = 0) -> Evaluation:
    """Compare the predictions of ``model`` with the labels, which are indices into ``model.classes``.

    Args:
        model: one network or an ensemble.
        examples: labelled images of its shape.
        shifts: of test-time augmentation; see `Model.logits`.

    Raises:
        ConfigError: shifts that are not 0 to 3.
        DataError: there are no images, their shape is not the model's, or a label is not one of its classes.
    """
    if not len(examples.labels):
        raise DataError("there are no images to evaluate the model on; give other data")
    (height, width), (model_height, model_width) = examples.image_shape, model.image_shape
    if (height, width) != (model_height, model_width):
        raise DataError(
            f"the images are {height}×{width} pixels, but this model was trained on {model_height}×{model_width}; "
            "evaluate it on data of that shape"
        )
    strangers = np.flatnonzero((examples.labels < 0) | (examples.labels >= len(model.classes)))
    if strangers.size:
        first = int(strangers[0])
        raise DataError(
            f"image {first} has the label {examples.labels[first]}, but this model has {len(model.classes)} classes, "
            f"0 to {len(model.classes) - 1}; evaluate it on data with the classes that it was trained on"
        )
    probabilities = [model.predict_proba(block.images, shifts) for block in examples.blocks()]
    return Evaluation(examples.labels, np.concatenate(probabilities), model.classes)


def examples_for(model: Model, dataset: Dataset) -> Examples:
    """Return the images of a data set to evaluate a model on, with labels that index into ``model.classes``.

    They are its test images if the source has test images, or if the model was trained on this data; otherwise, all
    labelled images.

    Raises:
        DataError: no labelled images, classes that the model does not have, or training data that has changed since.
    """
    examples, where = dataset.test, dataset.source or dataset.name
    if not dataset.official_test and dataset.fingerprint != model.fingerprint:
        if dataset.whole().fingerprint == model.fingerprint:
            raise DataError(f"{where}: the model was trained on all of its images; evaluate it on other data")
        if dataset.source and dataset.source == model.trained_on:
            raise DataError(
                f"{where}: has changed since the model was trained on it, so it is unknown which images it has seen; "
                "restore the old data, or evaluate the model on other images"
            )
        examples = dataset.train.joined(dataset.test)
    if not len(examples):
        raise DataError(f"{where}: no labelled images to evaluate the model on")
    if dataset.classes == model.classes:
        return examples
    index = np.array([model.classes.index(name) if name in model.classes else -1 for name in dataset.classes])
    labels = index[examples.labels]
    if (labels < 0).any():
        stranger = dataset.classes[int(examples.labels[np.argmin(labels)])]
        raise DataError(f"{where}: the model has no class {stranger!r}; its classes are {', '.join(model.classes)}")
    return examples.relabelled(labels)
