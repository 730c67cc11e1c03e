"""Mistakes in what is learned from, and in what it is judged by."""

import numpy as np

from ...data import Examples
from .mistake import Mistake

__all__ = [
    "LabelsLeftBehind",
    "NoShuffling",
    "TestImagesInTraining",
    "TrainingAccuracyReported",
    "UnscaledPixels",
    "UnusedRows",
]


class UnscaledPixels(Mistake):
    """The network is given bytes."""

    name = "unscaled-pixels"
    tutorial = "10-when-it-does-not-learn"
    summary = "The pixels go into the network as they are stored, from 0 to 255."
    wrong = "X = pixels"
    right = "X = pixels / 255"
    effect = (
        "The first layer's sums X W are 255 times as large, and so is the factor X in dW = Xᵀ dZ. The first steps "
        "overshoot, ReLU units die, and a learning rate small enough for the weights is far too small for the biases."
    )
    symptom = "The loss of the first batch is tens or hundreds instead of about 2.3, and it jumps rather than falls."
    check = "loss at step 0 against ln k; the largest input"
    settings = {"scaling": "none"}


class LabelsLeftBehind(Mistake):
    """Images in a new order, labels in the old."""

    name = "labels-left-behind"
    tutorial = "10-when-it-does-not-learn"
    summary = "The images are shuffled and their labels are not."
    wrong = "X = X[order]"
    right = "X, y = X[order], y[order]"
    effect = "A label no longer says anything about its image. All that is left is to memorise the pairs."
    symptom = (
        "Predictions for new images are guesses, with a loss of ln k (2.30 for ten classes) or more, whatever is "
        "tried. The training loss stays near ln k, unless the network is large enough to memorise the wrong pairs."
    )
    check = "do images of one class look more like each other than like the rest?"

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        order = np.random.default_rng(seed).permutation(len(training))
        return Examples(training.images[order], training.labels), held_out


class NoShuffling(Mistake):
    """First all zeros, then all ones."""

    name = "no-shuffling"
    tutorial = "08-batches"
    summary = "The examples come sorted by class, as they lie in folders, and are taken in that order."
    wrong = "batches = X[0:b], X[b:2b], …        all of class 0 first, then all of class 1, …"
    right = "order = permutation(n)        batches = X[order[0:b]], X[order[b:2b]], …"
    effect = (
        "Each batch holds one class, and the network learns to predict that class, until the next one wipes it out."
    )
    symptom = (
        "The training loss falls within a class and jumps at the next. After the first epochs the last class is "
        "predicted for most images; accuracy comes late, and goes up and down."
    )
    check = "are equal labels neighbours more often than by chance?"
    settings = {"shuffle": False}

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        return training.take(np.argsort(training.labels, kind="stable")), held_out


class TrainingAccuracyReported(Mistake):
    """The exam consists of the exercises."""

    name = "training-accuracy-reported"
    tutorial = "09-the-whole-thing"
    summary = "The accuracy that is reported as the result is that on the training images."
    wrong = "accuracy(network, training images)"
    right = "accuracy(network, images it has never learned from)"
    effect = "Training itself is unchanged, but memorised images count as recognised, and overfitting goes unseen."
    symptom = "The reported accuracy goes on rising, to 100 %, and new images are recognised less often than that."
    check = "are the images that it is judged by the training images?"
    circumstances = {"hidden": [64], "validation": 0.8, "epochs": 60}

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        return training, training


class TestImagesInTraining(Mistake):
    """The exam is among the exercises."""

    name = "test-images-in-training"
    tutorial = "09-the-whole-thing"
    summary = "The images that the network is judged by are also among those that it learns from."
    wrong = "learn from X and X_test, then accuracy(network, X_test)"
    right = "learn from X alone, then accuracy(network, X_test)"
    effect = (
        "The network memorises the answers, so the reported accuracy is too high, and choices based on it are misled. "
        "New images are recognised a little better, as with any larger training set, but far less well than reported."
    )
    symptom = "Test accuracy is as high as training accuracy, and far above the accuracy on new images."
    check = "is any image in both sets?"
    circumstances = {"hidden": [64], "validation": 0.5, "epochs": 40, "initializer_scale": 3.0}
    from_the_start = True

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        return training.joined(held_out), held_out


class UnusedRows(Mistake):
    """A slice that begins too late."""

    name = "unused-rows"
    tutorial = "09-the-whole-thing"
    summary = "Of the 41,000 rows left for training, the first 9,000 are never used."
    wrong = "validation = rows 0 … 999        training = rows 10,000 … 41,999"
    right = "validation = rows 0 … 999        training = rows 1,000 … 41,999"
    effect = "A little accuracy, as with any smaller set of images."
    symptom = "The sizes of the parts do not add up to that of the whole."
    check = "rows learned from and rows held out, against rows there are"
    from_the_start = True

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        return training.take(np.arange(len(training) * 9 // 41, len(training))), held_out
