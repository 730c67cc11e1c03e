"""scikit-learn's ``MLPClassifier``."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError
from ..nn import ReLU, Sigmoid, Tanh
from .reading import Reading

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier

__all__ = ["read_sklearn"]

ACTIVATIONS = {"relu": ReLU, "logistic": Sigmoid, "tanh": Tanh}


def read_sklearn(source: "MLPClassifier") -> Reading:
    """Read a fitted ``MLPClassifier``.

    Raises:
        ConfigError: one that is not fitted, or gives an image several labels.
    """
    if not hasattr(source, "coefs_"):
        raise ConfigError("MLPClassifier: not fitted; call its fit first")
    if source.out_activation_ == "logistic" and source.n_outputs_ > 1:
        raise ConfigError("MLPClassifier: trained for several labels an image; a Model has one")
    reading = Reading("MLPClassifier", source.predict_proba)
    for W, b in zip(source.coefs_, source.intercepts_, strict=True):
        reading.add_dense(np.array(W), np.array(b))
        if len(reading.parts) < 2 * len(source.coefs_) - 1 and source.activation != "identity":
            reading.add(ACTIVATIONS[source.activation]())
    if source.out_activation_ == "logistic":
        reading.add(Sigmoid())
    else:
        reading.end("softmax")
    reading.classes = tuple(map(str, source.classes_))
    return reading
