"""Functions that may do their work in many right ways: what has to hold of what they return.

How a table is split, batches are drawn, pixels are scaled and weights are drawn is free. So examples are followed by
their pixels, and weights are looked at as `glassnet.clinic.examine` does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clinic.doctor.case import Case
from ..clinic.doctor.checks_weights import check_weights
from ..clinic.doctor.diagnosis import Report
from ..clinic.doctor.equations import Layer
from .comparing import numbers
from .page import Page, run_page
from .probes import outputs
from .submission import CallError, Submission
from .verdict import UNKNOWN, Finding

__all__ = ["PROPERTIES", "check_property"]

CLASSES = 10
SIZES = {
    "dense-columns": [600, 60, 10],
    "dense-rows": [900, 120, 60, 10],
    "convolution": [8, 9, 10, 300, 10],
}
"""For `init_params`: so many more inputs than units that they cannot be mixed up unseen."""

Check = Callable[[Submission, Page, np.random.Generator], Iterator[tuple[str, str]]]


def check_property(submission: Submission, page: Page, function: str, rng: np.random.Generator) -> list[Finding]:
    """Return the mistakes of one of the functions in `PROPERTIES`."""
    try:
        return [Finding(name, function, evidence) for name, evidence in PROPERTIES[function](submission, page, rng)]
    except CallError as error:
        return [Finding(UNKNOWN, function, f"it failed: {error}")]
    except _WrongError as error:
        return [Finding(UNKNOWN, function, str(error))]
    except (TypeError, ValueError, IndexError) as error:  # of somebody's arrays that are used as if they were right
        return [Finding(UNKNOWN, function, f"what it returns cannot be used: {error}")]


class _WrongError(Exception):
    """A result of the wrong kind or shape."""


def _read(value: Any, names: list[str], single: bool = False) -> list[NDArray[Any]]:
    found = numbers(value, names, single)
    if isinstance(found, str):
        raise _WrongError(found)
    return found


def _images(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return images (n, 64) that all differ, and labels (n,)."""
    images = rng.integers(0, 256, size=(n, 64))
    images[0, :2] = 0, 255
    return images, rng.integers(CLASSES, size=n)


def _places(rows: NDArray[Any], among: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return which rows of ``among`` the given ones are."""
    if rows.ndim != 2 or rows.shape[1] != among.shape[1]:
        raise _WrongError(f"{what} have shape {rows.shape}; (n, {among.shape[1]}) is wanted")
    if len(rows) > 4 * len(among):
        raise _WrongError(f"there are {len(rows)} {what}, made of {len(among)}")
    index = {row.tobytes(): i for i, row in enumerate(among.astype(float))}
    found = [index.get(row.tobytes(), -1) for row in rows.astype(float)]
    if -1 in found:
        raise _WrongError(f"{found.count(-1)} of {len(found)} {what} are not among those given")
    return np.array(found, np.int64)


def _split(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    images, labels = _images(int(rng.integers(60, 90)), rng)
    names = ["training images", "training labels", "test images", "test labels"]
    parts = _read(submission.call("split", images, labels, int(rng.integers(1000))), names)
    train, test = (_places(parts[i], images, names[i]) for i in (0, 2))
    if not (len(train) and len(test)):
        raise _WrongError(f"there are {len(train)} training images and {len(test)} test images")
    if parts[1].shape != train.shape or parts[3].shape != test.shape:
        raise _WrongError(
            f"{len(train)} training images have labels of shape {parts[1].shape}, and {len(test)} test "
            f"images of shape {parts[3].shape}"
        )
    wrong = np.count_nonzero(parts[1] != labels[train]) + np.count_nonzero(parts[3] != labels[test])
    if wrong:
        yield "labels-left-behind", f"{wrong} of {len(train) + len(test)} images have another label than before"
    both = np.isin(test, train).sum()
    if both:
        yield "test-images-in-training", f"{both} of {len(test)} test images are among the training images"
    missing = len(images) - len(np.union1d(train, test))
    if missing:
        yield "unused-rows", f"{missing} of {len(images)} images are neither training nor test images"
    if (np.diff(train) > 0).all():
        yield "no-shuffling", f"the {len(train)} training images are in the order in which they came"


def _prepare(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    evidence = ""
    for n in (20, 7):
        images, _ = _images(n, rng)
        (X,) = _read(submission.call("prepare", images), ["the array"], single=True)
        right = run_page(page)["prepare"](images)
        if X.shape != right.shape:
            raise _WrongError(f"{n} images come in shape {X.shape}; {right.shape} is wanted")
        alike = np.corrcoef(X.ravel(), right.ravel())[0, 1] if X.std() > 0 else 0.0
        if not alike > 0.9:
            raise _WrongError(f"what comes out is not the images: with {n} images, the correlation is {alike:.2g}")
        if np.sqrt(np.mean(np.square(X, dtype=float))) > 3:
            evidence = f"with pixels from 0 to 255, numbers from {X.min():g} to {X.max():g} come out"
    if evidence:
        yield "unscaled-pixels", evidence


def _init_params(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    sizes = SIZES[page.name]
    shapes = [p.shape for p in run_page(page)["init_params"](sizes, 0)]
    names = [f"{'Wb'[i % 2]}{i // 2 + 1}" for i in range(len(shapes))]
    seeds = rng.permutation(1000)[:2]  # two that differ
    drawn = [_read(submission.call("init_params", sizes, int(seed)), names) for seed in seeds]
    for name, p, shape in zip(names, drawn[0], shapes, strict=True):
        if p.shape != shape or not np.isfinite(p).all():
            raise _WrongError(f"{name} has shape {p.shape}; finite numbers of shape {shape} are wanted")
    layers = [
        Layer((W.T if page.name == "dense-columns" else W.reshape(-1, W.shape[-1])).astype(float), b.ravel())
        for W, b in zip(drawn[0][::2], drawn[0][1::2], strict=True)
    ]
    report, nothing = Report(), np.empty(0)
    case = Case(False, [], nothing, nothing, layers, nothing, nothing.astype(np.int64), 0)
    check_weights(report, case, "relu", trained=False)
    for found in report.findings:
        yield found.name, found.evidence
    if not report.findings and np.array_equal(drawn[0][0], drawn[1][0]):
        raise _WrongError("the weights are the same for two seeds")


def _batches(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    n, size = int(rng.integers(60, 80)), int(rng.integers(5, 9))
    images, y = _images(n, rng)
    X = run_page(page)["prepare"](images)
    places, labels = _followed(submission, page, images, [X, y, size, int(rng.integers(1000))])
    missing = n - len(np.unique(places))
    if missing:
        yield "unused-rows", f"{missing} of {n} examples are in no batch"
    elif len(places) > n:
        raise _WrongError(f"{n} examples come {len(places)} times")
    wrong = np.count_nonzero(labels != y[places])
    if wrong:
        yield "labels-left-behind", f"{wrong} of {len(places)} examples have another label than before"
    equal = np.count_nonzero(np.diff(y[places]) == 0)
    if equal > n / 2:
        yield "no-shuffling", f"{equal} of {n - 1} neighbouring examples are of one class; about {n // 10} are expected"
    elif (np.diff(places) > 0).all():
        yield "no-shuffling", f"the {n} examples are in the order in which they came"


def _followed(
    submission: Submission, page: Page, images: NDArray[Any], arguments: list[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return which examples the batches hold, in order, and the labels that come with them."""
    given, size = arguments[0], arguments[2]
    pairs = submission.call("batches", *arguments)
    if not isinstance(pairs, list) or not pairs:
        raise _WrongError("returned no batches")
    axis = 1 if page.name == "dense-columns" else 0
    found = [_read(pair, ["X", "y"]) for pair in pairs]
    for X, y in found:
        if X.ndim != given.ndim or y.ndim != 1 or X.shape[axis] != len(y) or not 0 < len(y) <= size:
            raise _WrongError(f"a batch of at most {size} examples has shapes {X.shape} and {y.shape}")
    rows = np.concatenate([X.T if axis else X.reshape(len(X), -1) for X, _ in found])
    among = given.T if axis else given.reshape(len(given), -1)
    return _places(rows, among, "examples of the batches"), np.concatenate([y for _, y in found])


def _accuracy(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    params, parts, expected = _judged(submission, page, rng)
    for images, labels, fraction in zip(parts[::2], parts[1::2], expected, strict=True):
        X = submission.call("prepare", images)
        (found,) = _read(submission.call("accuracy", params, X, labels), ["the accuracy"], single=True)
        if found.size != 1 or not np.isclose(float(found.item()), fraction):
            raise _WrongError(
                f"it is {found.ravel()[:1]} where {fraction:.0%} of {len(labels)} examples have their label as the "
                "most probable class"
            )
    yield from ()


def _final_accuracy(submission: Submission, page: Page, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    params, parts, (train, test) = _judged(submission, page, rng)
    (found,) = _read(submission.call("final_accuracy", params, parts), ["the accuracy"], single=True)
    value = float(found.item()) if found.size == 1 else np.nan
    if np.isclose(value, train):
        yield (
            "training-accuracy-reported",
            f"it is {value:.2f}, that of the training images; of the test images {test:.2f}",
        )
    elif not np.isclose(value, test):
        raise _WrongError(
            f"it is {value:.3g} where {test:.2f} of the test images and {train:.2f} of the training "
            "images have their label as the most probable class"
        )


def _judged(
    submission: Submission, page: Page, rng: np.random.Generator
) -> tuple[list[NDArray[Any]], list[NDArray[Any]], tuple[float, float]]:
    """Return parameters, two sets of images with labels, and the fraction of these that the submission predicts."""
    right = run_page(page)
    sizes = {"dense-columns": [64, 12, 10], "dense-rows": [64, 12, 10], "convolution": [1, 3, 4, 64, 10]}[page.name]
    params = right["init_params"](sizes, int(rng.integers(1000)))
    parts: list[NDArray[Any]] = []
    for n, hits in ((50, 10), (30, 24)):
        images, _ = _images(n, rng)
        expected = right["forward"](params, right["prepare"](images))
        names = outputs(page, "forward", len(expected))
        P = _read(submission.call("forward", params, submission.call("prepare", images)), names)[-1]
        if P.shape != expected[-1].shape:
            raise _WrongError(f"forward returns probabilities of shape {P.shape} for {n} images")
        predicted = P.argmax(axis=0 if page.name == "dense-columns" else 1)
        labels = (predicted + (rng.permutation(n) >= hits)) % CLASSES
        parts += [images, labels]
    return params, parts, (0.2, 0.8)


PROPERTIES: dict[str, Check] = {
    "split": _split,
    "prepare": _prepare,
    "init_params": _init_params,
    "batches": _batches,
    "accuracy": _accuracy,
    "final_accuracy": _final_accuracy,
}
"""The functions whose results are looked at, not compared."""
