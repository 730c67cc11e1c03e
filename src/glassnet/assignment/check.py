"""`check`: run a submission and say what is repaired. Read this first."""

import os
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_dataset
from ..errors import ConfigError, FileError, similar
from .diagnosis import compare_function
from .formats import digits_table
from .key import Key
from .page import PAGES, Page, Plant, read_page, run_page
from .probes import COMPARED
from .properties import PROPERTIES, check_property
from .submission import CallError, Submission, read_cells
from .verdict import UNKNOWN, Finding, Hidden, Verdict

__all__ = ["EXPECTED", "TRAINING_ROWS", "check"]

TRAINING_ROWS = 1200  # of the digits are given out; the others are for the accuracy
LAYERS, UNITS, FILTERS, KERNEL = 20, 1024, 64, 9  # at most, of networks whose accuracy is measured
EXPECTED = 0.9
"""The accuracy that a repaired page reaches: of 300 runs of the solutions the worst had 0.931."""


def check(file: str | os.PathLike[str], key: Key | None = None) -> Verdict:
    """Check a submission: a page that somebody has repaired.

    It runs in a process of its own, which has taken network, files and more away from itself, see `confine`. Its
    functions are called with random arrays, new ones each time; what they return is compared here with what the right
    page returns, and with what mistakes would make of that.

    Args:
        file: a .py or .ipynb file.
        key: of the assignment; without one nothing is known of what was planted.

    Returns:
        The verdict; where the submission cannot be checked at all, its `error` says why.

    Raises:
        ConfigError: this is Windows.
    """
    if os.name != "posix":
        raise ConfigError("submissions can be checked on Linux and macOS alone; on Windows, do it in WSL")
    rng = np.random.default_rng()
    try:
        with Submission(read_cells(file), {"digits.csv": given_out()}) as submission, np.errstate(all="ignore"):
            page = read_page(key.page if key else _page_of(submission))
            names = [name for name in page.functions if name in (*COMPARED, *PROPERTIES)]
            if not submission.functions.intersection(names):
                return Verdict(str(file), page.name, submission.error or _no_functions(page, names))
            if key and _is_another_page(submission, page):
                words = (
                    f"it is made of the page {_page_of(submission)}, and the key is of {page.name}; give its own key"
                )
                return Verdict(str(file), page.name, words)
            return _checked(str(file), submission, page, names, key, rng)
    except FileError as error:
        return Verdict(str(file), key.page if key else "", str(error))
    except Exception as error:  # noqa: BLE001  # whatever one submission does, the verdicts on others are not lost
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Verdict(str(file), key.page if key else "", f"cannot be judged ({words})")


def _no_functions(page: Page, names: list[str]) -> str:
    return f"it defines none of the functions of the page {page.name}: {', '.join(names)}; names have to be kept"


def _page_of(submission: Submission) -> str:
    """Return which page a submission is made of: by what its functions do."""
    if "convolve" in submission.functions:
        return "convolution"
    try:
        return "dense-columns" if np.shape(submission.call("prepare", np.zeros((3, 64)))) == (64, 3) else "dense-rows"
    except (CallError, ValueError):
        return "dense-rows"


def _is_another_page(submission: Submission, page: Page) -> bool:
    """Whether a submission has the functions of another page; the dense pages have the same, and are not told apart."""
    for other in PAGES:
        functions = read_page(other).functions
        own, foreign = page.functions.keys() - functions, functions.keys() - page.functions.keys()
        if submission.functions & foreign or (own and not submission.functions & own):
            return True
    return False


def _checked(
    file: str, submission: Submission, page: Page, names: list[str], key: Key | None, rng: np.random.Generator
) -> Verdict:
    loading = submission.error
    found: list[Finding] = []
    there: frozenset[Plant] = frozenset()
    for name in names:
        if name not in submission.functions:
            found.append(Finding(UNKNOWN, name, _missing(submission, name, names)))
        elif _unexplained(found, page.called_by(name)):
            continue  # nothing can be said of it
        elif name in PROPERTIES:
            found += check_property(submission, page, name, rng)
        else:
            new, plants = compare_function(submission, page, name, there, rng)
            found += new
            there |= plants
    accuracy, training = _train(submission, page, rng)
    hidden = [
        Hidden(mistake, name, f"nothing known explains what {_listed(reasons)}")
        for name in names
        for mistake in dict.fromkeys(plant.mistake for plant in page.planted_in(name))
        if (reasons := _unexplained(found, {name, *page.called_by(name)}))
    ]
    facts = {"accuracy": accuracy, "expected": EXPECTED, "training": training, "loading": loading}
    return _verdict(file, page, found, hidden, key, facts | {"unenforced": tuple(submission.unenforced)})


def _listed(functions: list[str]) -> str:
    return f"{' and '.join(functions)} {'returns' if len(functions) == 1 else 'return'}"


def _missing(submission: Submission, name: str, names: Iterable[str]) -> str:
    others = submission.functions.difference(names)
    reason = f" ({submission.error})" if submission.error else ""
    return f"there is no such function{reason or similar(name, others)}; its name has to be kept"


def _unexplained(found: list[Finding], functions: set[str]) -> list[str]:
    """Return those of the functions that return what nothing explains."""
    return sorted({each.function for each in found if each.name == UNKNOWN and each.function in functions})


def _verdict(
    file: str, page: Page, found: list[Finding], hidden: list[Hidden], key: Key | None, facts: dict[str, Any]
) -> Verdict:
    if key is None:
        return Verdict(file, page.name, remaining=tuple(found), hidden=tuple(hidden), **facts)
    planted = {(plant.mistake, plant.function) for plant in key.mistakes}
    remaining = [each for each in found if (each.name, each.function) in planted]
    covered = [each for each in hidden if (each.name, each.function) in planted]
    left = {each.name for each in remaining} | {each.name for each in covered}
    return Verdict(
        file,
        page.name,
        planted=len(planted),
        gone=tuple(plant.mistake for plant in key.mistakes if plant.mistake not in left),
        remaining=tuple(remaining),
        new=tuple(each for each in found if each not in remaining),
        hidden=tuple(covered),
        **facts,
    )


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


def _train(submission: Submission, page: Page, rng: np.random.Generator) -> tuple[float | None, str]:
    """Let the submission train; return the accuracy on images that it has not seen, or why there is none."""
    images, labels = digits()
    if missing := {"train", "prepare"} - submission.functions:
        return None, f"there is no function {missing.pop()}"
    try:
        seed = int(rng.integers(1000))
        params = submission.call("train", images[:TRAINING_ROWS], labels[:TRAINING_ROWS], seed, seconds=60.0)
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
