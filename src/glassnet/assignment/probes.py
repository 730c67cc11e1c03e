"""What the functions of a page are called with: random arrays of several shapes, drawn anew for each check.

Answers that were written into a submission, or that are right for one shape alone, do not fit them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .page import Page, run_page

__all__ = ["COMPARED", "outputs", "probes"]

Array = NDArray[np.float64]
Probe = tuple[str, list[Any]]

CLASSES = 10
FAR = 3_000.0  # e³⁰⁰⁰ overflows and e⁻³⁰⁰⁰ is 0
COMPARED = (
    "one_hot", "relu", "softmax", "convolve", "convolve_backward", "max_pool", "max_pool_backward", "flatten",
    "unflatten", "forward", "backward", "update",
)  # fmt: skip
"""The functions whose results are compared with those of the right page."""


def probes(page: Page, function: str, rng: np.random.Generator) -> Iterator[Probe]:
    """Yield arguments for a function of `COMPARED`, each with words for them."""
    if function in ("forward", "backward"):
        yield from _network_probes(page, function, rng)
    elif function == "softmax":
        yield from ((words, [Z.T if page.name == "dense-columns" else Z]) for words, Z in _logits(rng))
    elif function == "one_hot":
        for n in (12, 5):
            y = rng.integers(CLASSES, size=n)
            y[0] = CLASSES - 1
            yield f"{n} labels", [y]
        yield "labels that lack the last class", [rng.integers(CLASSES - 2, size=9)]
    elif function == "update":
        for shapes in ([(4, 3), (4, 1)], [(2, 5), (5,), (5, 2), (2,)]):
            params, grads = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
            yield f"{len(shapes)} parameters", [params, grads, float(rng.uniform(0.1, 0.9))]
    elif function == "relu":
        for shape in ((7, 5), (3, 4)):
            yield f"shape {shape}", [rng.standard_normal(shape)]
    else:
        yield from _image_probes(function, rng)


def _logits(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Yield logits (n, CLASSES)."""
    for n in (12, 5, CLASSES):
        yield f"{n} examples", rng.standard_normal((n, CLASSES))
    Z = rng.standard_normal((6, CLASSES))
    yield "all logits near 3000", Z + FAR
    yield "one example's logits 3000 below the others", Z - FAR * (np.arange(6) == 2)[:, None]
    yield "one class's logits 3000 below the others", Z - FAR * (np.arange(CLASSES) == 4)


def _network_probes(page: Page, function: str, rng: np.random.Generator) -> Iterator[Probe]:
    right = run_page(page)
    cases: dict[str, list[tuple[int, tuple[int, ...], list[int]]]] = {
        "dense-columns": [(32, (64,), [64, 32, 10]), (5, (17,), [17, 9, 10]), (1, (8,), [8, 12, 10])],
        "dense-rows": [(32, (64,), [64, 48, 24, 10]), (5, (17,), [17, 9, 10]), (1, (8,), [8, 12, 9, 7, 10])],
        "convolution": [(16, (8, 8, 1), [1, 6, 8, 128, 10]), (3, (4, 8, 2), [2, 3, 5, 40, 10])],
    }
    for n, shape, sizes in cases[page.name]:
        X: Array = rng.random((n, *shape))
        X = X.T if page.name == "dense-columns" else X
        params = [p + 0.1 * rng.standard_normal(p.shape) for p in right["init_params"](sizes, int(rng.integers(1000)))]
        y = rng.integers(CLASSES, size=n)
        y[-1] = CLASSES - 1
        words = f"{n} {'example' if n == 1 else 'examples'}"
        if function == "forward":
            yield words, [params, X]
        else:
            yield words, [params, X, y, list(right["forward"](params, X))]


def _image_probes(function: str, rng: np.random.Generator) -> Iterator[Probe]:
    for n, h, w, c, k in ((5, 8, 8, 2, 3), (2, 4, 6, 3, 5)):
        X, W = rng.standard_normal((n, h, w, c)), rng.standard_normal((k, k, c, 4))
        arguments: dict[str, list[Any]] = {
            "convolve": [X, W, rng.standard_normal(4)],
            "convolve_backward": [X, W, rng.standard_normal((n, h, w, 4))],
            "max_pool": [X],
            "max_pool_backward": [X, rng.standard_normal((n, h // 2, w // 2, c))],
            "flatten": [X],
            "unflatten": [rng.standard_normal((n, h * w * c)), [n, h, w, c]],
        }
        yield f"{n} images {h}×{w} with {c} channels", arguments[function]


_SINGLE = {
    "one_hot": "T", "relu": "A", "softmax": "P", "convolve": "Z", "max_pool": "Y", "max_pool_backward": "dX",
    "flatten": "F", "unflatten": "dX",
}  # fmt: skip


def outputs(page: Page, function: str, count: int) -> list[str]:
    """Return the names of what a function returns."""
    if function == "backward":
        return [f"d{'Wb'[i % 2]}{i // 2 + 1}" for i in range(count)]
    if function == "convolve_backward":
        return ["dX", "dW", "db"]
    if function == "forward" and page.name == "convolution":
        return ["Z1", "Q1", "Z2", "A2", "Z3", "P"]
    if function == "forward":
        return [f"{'ZA'[i % 2]}{i // 2 + 1}" for i in range(count - 1)] + ["P"]
    return [_SINGLE[function]] if count == 1 else [f"parameter {i + 1}" for i in range(count)]
