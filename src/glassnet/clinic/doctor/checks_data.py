"""What can be seen from images and labels alone."""

from math import sqrt

import numpy as np

from ...nn.types import Array
from .case import Case, Labels
from .diagnosis import Report

__all__ = ["check_data", "check_held_out"]

SAMPLE = 2_000  # images that are compared with each other


def check_data(report: Report, case: Case, held_out: Array | None) -> None:
    """Look at the images and labels of the batch."""
    _check_scale(report, {"X": case.images} | ({} if held_out is None else {"held_out": held_out}))
    _check_order(report, case.labels)
    _check_labels(report, case.images, case.labels)


def _check_scale(report: Report, sets: dict[str, Array]) -> None:
    """Pixels of 0 to 1 and standardised ones have a root mean square of at most about 1; bytes have 30 to 150."""
    told = []
    for name, X in sets.items():
        size = sqrt(float(np.mean(np.square(X))))
        if size > 3 and np.abs(X).max() > 10:
            told.append(f"{name} goes from {X.min():g} to {X.max():g}, root mean square {size:.3g}")
    if told:
        report.found("unscaled-pixels", "; ".join(told))


def _check_order(report: Report, y: Labels) -> None:
    """Count neighbours of one class. In any random order of n labels, Σ nₖ(nₖ − 1)/n of them are expected."""
    n, counts = len(y), np.unique_counts(y).counts
    if len(counts) < 2:
        report.skip(["no-shuffling"], "all examples are of one class")
        return
    equal = int(np.count_nonzero(y[1:] == y[:-1]))
    expected = float((counts * (counts - 1)).sum() / n)
    deviation = sqrt(max(expected * (1 - expected / (n - 1)), 0.25))
    if equal > 0.8 * (n - 1) and equal > expected + 6 * deviation:
        report.found(
            "no-shuffling",
            f"{equal} of {n - 1} neighbouring examples have the same label; a random order of these labels has "
            f"{expected:.0f} ± {deviation:.0f}",
        )


def _check_labels(report: Report, X: Array, y: Labels) -> None:
    """See whether labels follow the images at all: by the nearest class mean, and by the nearest other image.

    Labels count as left behind where neither rule is right more often than chance, where there are so many examples
    that ten points above chance would have been seen, and where the images have a structure that labels could follow:
    the largest eigenvalue of their correlations is over twice what independent noise gives, (1 + √(d/n))² (Marchenko &
    Pastur, 1967). So noise with random labels, made to try a program out, is left alone.
    """
    name = "labels-left-behind"
    order = np.random.default_rng(0).permutation(len(X))[:SAMPLE]
    X, y = X[order], y[order]
    n, rules = len(y), {}
    shares = np.bincount(y) / n
    for rule, predicted in {"nearest class mean": _nearest_mean(X, y), "nearest other image": _nearest(X, y)}.items():
        chance = float((shares * np.bincount(predicted, minlength=len(shares))[: len(shares)] / n).sum())
        rules[rule] = float(np.mean(predicted == y)), chance, sqrt(chance * (1 - chance) / n)
    if any(4 * sd >= 0.1 * (1 - chance) for _, chance, sd in rules.values()):
        report.skip([name], f"too few examples ({n}) to tell chance from a weak relation")
    elif all(accuracy < chance + 3 * sd for accuracy, chance, sd in rules.values()):
        structure = _structure(X)
        if structure < 2:
            report.skip([name], "the images look like noise, which no label could follow")
            return
        told = ", ".join(
            f"{rule} {100 * a:.1f} % right (chance {100 * c:.1f} ± {100 * sd:.1f} %)"
            for rule, (a, c, sd) in rules.items()
        )
        report.found(name, f"on {n} images: {told}; yet the images are {structure:.0f} × as correlated as noise")


def _nearest_mean(X: Array, y: Labels) -> Labels:
    """Predict each half of the examples by the class means of the other half."""
    predicted = np.empty_like(y)
    halves = np.arange(len(y)) % 2
    for half in (0, 1):
        known, asked = halves != half, halves == half
        classes = np.unique(y[known])
        if len(classes):
            means = np.stack([X[known & (y == c)].mean(axis=0) for c in classes])
            predicted[asked] = classes[_squared_distances(X[asked], means).argmin(axis=1)]
        else:
            predicted[asked] = y[asked]
    return predicted


def _nearest(X: Array, y: Labels) -> Labels:
    """Predict each example by the nearest other one."""
    distances = _squared_distances(X, X)
    np.fill_diagonal(distances, np.inf)
    nearest: Labels = y[distances.argmin(axis=1)]
    return nearest


def _squared_distances(A: Array, B: Array) -> Array:
    distances: Array = (A**2).sum(axis=1)[:, None] - 2 * A @ B.T + (B**2).sum(axis=1)
    return distances


def _structure(X: Array) -> float:
    """Return the largest eigenvalue of the correlations of the pixels, in units of what noise would give."""
    varying = X[:, X.std(axis=0) > 0]
    if varying.shape[1] < 2:
        return 0.0
    standard = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    n, d = standard.shape
    products = standard.T @ standard if d <= n else standard @ standard.T  # their largest eigenvalue is the same
    return float(np.linalg.eigvalsh(products)[-1] / n / (1 + sqrt(d / n)) ** 2)


def check_held_out(report: Report, X: Array, held_out: Array | None) -> None:
    """Look for held-out images that are, number by number, training images.

    Some images exist twice by nature. How many of those to expect is seen within the training images, and three more
    than three times as many have to be found.
    """
    names = ["training-accuracy-reported", "test-images-in-training"]
    if held_out is None:
        report.skip(names, "held_out was not given")
        return
    training, asked = _fingerprints(X), _fingerprints(held_out)
    distinct = set(training)
    twins = 1 - len(distinct) / len(training)
    shared = sum(image in distinct for image in asked)
    if twins > 0.3:
        report.skip(names, f"{100 * twins:.0f} % of the training images are copies of others among them")
    elif shared >= 0.9 * len(asked):
        report.found(names[0], f"{shared} of {len(asked)} held-out images are training images")
    elif shared > 3 + 3 * twins * len(asked):
        report.found(
            names[1],
            f"{shared} of {len(asked)} held-out images are training images, where {twins * len(asked):.1f} would be "
            "expected from images that exist twice",
        )


def _fingerprints(X: Array) -> list[int]:
    # As float32, so that images that went through another precision are known again.
    return [hash(row.tobytes()) for row in np.ascontiguousarray(X, np.float32) + np.float32(0)]
