"""A submission's own training: the accuracy that it reaches, and which settings are to blame where it is too low."""

import reprlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_dataset
from .formats import digits_table
from .page import Page, run_page
from .submission import CallError, Submission

__all__ = ["EXPECTED", "TRAINING_ROWS", "given_out", "train", "why_not"]

TRAINING_ROWS = 1200  # of the digits are given out; the others are for the accuracy
LAYERS, UNITS, FILTERS, KERNEL = 20, 1024, 64, 9  # at most, of networks whose accuracy is measured
NEEDED = {"train", "prepare"}  # functions of a submission
SEED = 0  # as at the end of a page, so that a student sees the same training
EXPECTED = 0.9
"""The accuracy that a repaired page reaches: of 300 trainings of the solutions, by 100 seeds, the worst had 0.907."""


@cache
def digits() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all digits (1797, 64), 0 to 255, and their labels, in an order of their own."""
    dataset = load_dataset("digits").whole()
    order = np.random.default_rng(20).permutation(len(dataset.train))
    images = dataset.train.images_at(order).reshape(len(order), -1).astype(np.int64)
    return images, dataset.train.labels[order].astype(np.int64)


@cache
def given_out() -> bytes:
    """Return digits.csv, the table of the first `TRAINING_ROWS` digits."""
    images, labels = digits()
    return digits_table(images[:TRAINING_ROWS], labels[:TRAINING_ROWS])


def train(submission: Submission, page: Page, settings: Mapping[str, Any] | None = None) -> tuple[float | None, str]:
    """Let a submission train; return the accuracy on images that it has not seen, or why there is none.

    Args:
        submission: it trains with the same seed each time.
        page: which page it is made of.
        settings: what some of its settings are for this training alone.
    """
    images, labels = digits()
    if missing := NEEDED - submission.functions:
        return None, f"there is no function {min(missing)}"
    try:
        given = images[:TRAINING_ROWS], labels[:TRAINING_ROWS], SEED
        params = submission.call("train", *given, seconds=60.0, settings=settings)
        X = submission.call("prepare", images[TRAINING_ROWS:])
    except CallError as error:
        return None, f"train failed: {error}"
    try:
        return _accuracy(page, params, X, images[TRAINING_ROWS:], labels[TRAINING_ROWS:]), ""
    except (TypeError, ValueError, IndexError, AttributeError, KeyError):
        return None, (
            "train does not return the parameters of the network, as they come from init_params, or more than "
            f"{LAYERS} layers, {UNITS:,} units of one, {FILTERS} filters or {KERNEL}×{KERNEL} weights of one"
        )


def why_not(submission: Submission, page: Page) -> str:
    """Say why a submission does not reach `EXPECTED` although each function that is compared is right by itself.

    It trains once more with each setting that was changed as it was given out, and with all of them. It names the
    settings that, put back, make it reach `EXPECTED`. Where a function is missing that training needs, "" is returned.
    """
    if NEEDED - submission.functions:
        return ""  # `train` has said which
    own = submission.settings
    given = {name: value for name, value in run_page(page).items() if name.isupper()}
    changed = [name for name, right in given.items() if name in own and own[name] != reprlib.repr(right)]
    for names in [[name] for name in changed] + [changed] * (len(changed) > 1):
        accuracy, _ = train(submission, page, {name: given[name] for name in names})
        if accuracy is not None and accuracy >= EXPECTED:
            theirs = " and ".join(f"{name} = {own[name]}" for name in names)
            right = " and ".join(f"{name} = {given[name]}" for name in names)
            reached = f"{100 * accuracy:.1f} %"
            return f"the functions are right, but not {theirs}; with {right}, as given out, it reaches {reached}"
    as_given = given.keys() <= own.keys() and not changed
    alike = "its settings are those given out" if as_given else "no setting explains it"
    return f"each function that is compared is right by itself, and {alike}; look at train"


def _accuracy(page: Page, params: Any, X: Any, images: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the accuracy of somebody's parameters, by the right page.

    Raises:
        TypeError, ValueError, IndexError, AttributeError, KeyError: they are of another kind or shape, some of which
            would take hours, or arrays of many GiB.
    """
    right = run_page(page)
    if X.shape != right["prepare"](images).shape or not _sound(page, params):
        raise ValueError("parameters or images of other shapes")
    return float(right["accuracy"](params, X, labels))


def _sound(page: Page, params: Any) -> bool:
    """Whether parameters have shapes that the page can have."""
    columns = page.name == "dense-columns"
    axes = {"dense-columns": [2, 2] * 2, "dense-rows": [2, 1] * (len(params) // 2), "convolution": [4, 1, 4, 1, 2, 1]}
    if len(params) > 2 * LAYERS or [p.ndim for p in params] != axes[page.name]:
        return False
    for W, b in zip(params[::2], params[1::2], strict=True):
        units = W.shape[0] if columns else W.shape[-1]
        limits = (KERNEL, KERNEL, FILTERS, FILTERS) if W.ndim == 4 else (UNITS, UNITS)
        if b.shape != ((units, 1) if columns else (units,)) or any(np.greater(W.shape, limits)):
            return False
    return True
