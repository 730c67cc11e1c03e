"""The same grid search with both estimators: glassnet's DigitClassifier and scikit-learn's MLPClassifier.

Six candidates on the digits that come with scikit-learn, of the same nets, batches, rule and epochs, once with features
in float64 and once in float32. The two take turns, and the order of a turn is drawn.

    python benchmarks/grid_search.py [TRIALS]     under a minute
"""

import sys
import warnings
from random import Random
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier

from glassnet import DigitClassifier
from machine import describe_machine, save_result

HIDDEN = [(32,), (64,), (64, 32)]
RATES = [0.001, 0.01]
EPOCHS, BATCH, FOLDS = 20, 128, 3
# All else is the same: no L2, no stopping before the last epoch, Adam with its usual constants.
CONTENDERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DigitClassifier": (
        DigitClassifier(epochs=EPOCHS, batch_size=BATCH),
        {"hidden": HIDDEN, "learning_rate": RATES},
    ),
    "MLPClassifier": (
        MLPClassifier(max_iter=EPOCHS, batch_size=BATCH, alpha=0, n_iter_no_change=EPOCHS),
        {"hidden_layer_sizes": HIDDEN, "learning_rate_init": RATES},
    ),
}


def main(trials: int = 5) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)  # which MLPClassifier gives at its last epoch
    images, labels = load_digits(return_X_y=True)
    dtypes: dict[str, dict[str, dict[str, list[float]]]] = {}
    for dtype in ("float64", "float32"):
        X = (images / 16).astype(dtype)
        runs: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "accuracy": []} for name in CONTENDERS}
        for trial in range(trials):
            X_train, X_test, y_train, y_test = train_test_split(X, labels, stratify=labels, random_state=trial)
            for name in Random(trial).sample(list(CONTENDERS), len(CONTENDERS)):
                estimator, grid = CONTENDERS[name]
                search = GridSearchCV(estimator.set_params(random_state=trial), grid, cv=FOLDS)
                start = perf_counter()
                search.fit(X_train, y_train)
                runs[name]["seconds"].append(perf_counter() - start)
                runs[name]["accuracy"].append(float(np.mean(search.predict(X_test) == y_test)))
        dtypes[dtype] = runs
        print(dtype, *(f"{name} {np.median(run['seconds']):.2f} s" for name, run in runs.items()))
    settings = {"candidates": len(HIDDEN) * len(RATES), "folds": FOLDS, "epochs": EPOCHS, "batch": BATCH}
    machine = describe_machine("numpy", "scikit-learn", "glassnet")
    save_result("grid_search", {"machine": machine, "trials": trials, **settings, "dtypes": dtypes})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
