"""Confident learning: which labels a network that was not trained on them contradicts."""

import numpy as np
from numpy.typing import NDArray

from ..classifier import DigitClassifier
from ..data import Examples

__all__ = ["confident_mistakes", "out_of_fold"]

LOOKED_AT = 120_000  # images in all epochs of a network, where they are few; at least two epochs
MOST_EPOCHS = 60


def out_of_fold(examples: Examples, classes: int, folds: int = 5, seed: int = 0) -> NDArray[np.float32]:
    """Return the probability of each class (n, k) for each image, by a network that was not trained on it.

    The images are split into folds, stratified where each class has enough, and one network for each fold is trained on
    all others. The network is small and trained for a short time, so that it does not memorise wrong labels.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    labels = examples.labels
    counts = np.bincount(labels)
    kind = StratifiedKFold if counts[counts > 0].min() >= folds else KFold
    X = examples.images.reshape(len(labels), -1).astype(np.float32)
    X /= 255
    network = DigitClassifier(
        (128,),
        epochs=int(np.clip(LOOKED_AT // len(labels), 2, MOST_EPOCHS)),
        schedule="one_cycle",
        learning_rate=0.015,
        batch_size=192,
        validation_fraction=0,
        random_state=seed,
    )
    probabilities = np.zeros((len(labels), classes), np.float32)
    for others, held in kind(folds, shuffle=True, random_state=seed).split(X, labels):
        network.fit(X[others], labels[others])
        probabilities[np.ix_(held, network.classes_)] = network.predict_proba(X[held])
    return probabilities


def confident_mistakes(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which labels (n,) are probably wrong.

    A class is probable for an image if its probability is at least the mean one that images with this label get. A
    label is probably wrong if the most probable of these classes is another one (Northcutt, Jiang and Chuang, Confident
    Learning: Estimating Uncertainty in Dataset Labels, 2021).

    Args:
        probabilities: (n, k), out of fold.
        labels: (n,).
    """
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    probable = np.where(probabilities >= thresholds, probabilities, -1.0)
    wrong: NDArray[np.bool_] = (probable.max(axis=1) >= 0) & (probable.argmax(axis=1) != labels)
    return wrong
