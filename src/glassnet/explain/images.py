"""Words and arithmetic of convolutions and pools, of which the rest of the package knows only that they are there.

Arrays are (1, h, w, c). In z₁₂₃ the numbers count rows, columns and filters; in w₁₂₃₄ rows and columns of the window,
channels and filters.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from ..nn import AveragePool2D, Conv2D, GlobalAveragePool2D, LayerPass, MaxPool2D, Window
from ..nn.types import Array
from .sums import factor, number, plus, products
from .wording import Words, ascii_name, subscript

__all__ = [
    "OF_IMAGES",
    "OfImages",
    "example",
    "forward",
    "gradient_sums",
    "input_gradient",
    "input_gradient_sums",
    "parameter_gradient",
    "sums",
]

OfImages: TypeAlias = Conv2D | MaxPool2D | AveragePool2D | GlobalAveragePool2D
OF_IMAGES = Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D
WORKED_OUT = 50  # products: a sum of no more is written out


def forward(layer: OfImages, x: str, y: str, X: Array, Y: Array) -> Words:
    """What ``layer`` makes of x."""
    number_of, shapes = y[1:], f"{X.shape} → {Y.shape}"
    match layer:
        case Conv2D():
            kh, kw, c, filters = layer.W.shape
            places, seen = Y.shape[1] * Y.shape[2], kh * kw * c
            return Words(
                f"weighted sums at each place, layer {ascii_name(number_of)}",
                f"{y} = patches({x}) W{number_of} + b{number_of}",
                f"({places}, {seen}) ({seen}, {filters}) + ({filters},) → ({places}, {filters})",
                f"Each filter adds up what lies under its {kh} × {kw} window, each number times a weight, and its "
                f"bias: the same weights at each of {Y.shape[1]} × {Y.shape[2]} places.",
            )
        case MaxPool2D():
            meaning = f"Of each {layer.size} × {layer.size} numbers of a filter the largest stays."
            return Words(f"pooled, layer {ascii_name(number_of)}", f"{y} = max({x})", shapes, meaning)
    meaning = "The mean of the numbers of each filter under the window, or over the whole image."
    return Words(f"pooled, layer {ascii_name(number_of)}", f"{y} = mean({x})", shapes, meaning)


def parameter_gradient(layer: Conv2D, name: str, x: str, y: str, p: LayerPass) -> Words:
    """The gradient of a convolution's weights or biases."""
    kh, kw, c, filters = layer.W.shape
    places = p.window.places(*p.X.shape[1:3])
    count, level = places[0] * places[1], ascii_name(y[1:])
    if name == "W":
        return Words(
            f"gradient of the weights, layer {level}",
            f"dW{y[1:]} = patches({x})ᵀ d{y}",
            f"({kh * kw * c}, {count}) ({count}, {filters}) → ({kh * kw * c}, {filters})",
            "A weight serves every place, so its gradient is a sum over places: what it multiplied there, times the "
            "gradient of the sum that it went into.",
        )
    return Words(
        f"gradient of the biases, layer {level}",
        f"db{y[1:]} = Σ d{y}",
        f"({count}, {filters}) → ({filters},)",
        "It was added at every place, so its gradient is the sum over all of them.",
    )


def input_gradient(layer: OfImages, x: str, y: str, dX: Array, dY: Array) -> Words:
    """The gradient of what a convolution or a pool was given."""
    title, shapes = f"gradient of the inputs of layer {ascii_name(y[1:])}", f"{dY.shape} → {dX.shape}"
    match layer:
        case Conv2D():
            meaning = "Each number of the image gets back what all windows that it lies in hand down, added up."
            return Words(title, f"d{x} = patchesᵀ(d{y} W{y[1:]}ᵀ)", shapes, meaning)
        case MaxPool2D():
            meaning = "The gradient goes to the number that was the largest, and the others get 0."
            return Words(title, f"d{x} = d{y} ⊙ ({x} = {y})", shapes, meaning)
    return Words(
        title, f"d{x} = d{y} / k", shapes, "Each of the k numbers of a mean gets the same part of the gradient."
    )


def example(layer: OfImages, X: Array, Y: Array) -> Iterator[str]:
    """Work out the largest number of a convolution, if the sum is not too long to be read."""
    if isinstance(layer, Conv2D) and layer.W[..., 0].size <= WORKED_OUT:
        i, j, f = (int(place) for place in np.unravel_index(Y[0].argmax(), Y.shape[1:]))
        seen = _seen(X, layer.window(*X.shape[1:3]), i, j)
        total = f"{products(seen.ravel(), layer.W[..., f].ravel())}{plus(layer.b[f])} = {number(Y[0, i, j, f])}"
        yield f"filter {f + 1} at row {i + 1}, column {j + 1}, where it finds most: {total}"


def sums(layer: OfImages, X: Array, Y: Array) -> Iterator[str]:
    """Each number that a convolution or a pool gives."""
    if isinstance(layer, GlobalAveragePool2D):
        for c, y in enumerate(Y[0]):
            yield f"m{subscript(c + 1)} = ({_sum(X[0, :, :, c])}) / {X[0, :, :, c].size} = {number(y)}"
        return
    for (i, j, f), y in np.ndenumerate(Y[0]):
        place = _index(i, j, f)
        if isinstance(layer, Conv2D):
            seen = _seen(X, layer.window(*X.shape[1:3]), i, j)
            yield f"z{place} = {products(seen.ravel(), layer.W[..., f].ravel())}{plus(layer.b[f])} = {number(y)}"
            continue
        seen = _seen(X, layer.window(), i, j)[..., f]
        if isinstance(layer, MaxPool2D):
            yield f"m{place} = max({', '.join(map(number, seen.ravel()))}) = {number(y)}"
        else:
            yield f"m{place} = ({_sum(seen)}) / {seen.size} = {number(y)}"


def gradient_sums(name: str, dY: Array, p: LayerPass) -> Iterator[str]:
    """Each gradient of a convolution's weights or biases; places that hand nothing down are left out."""
    if name == "b":
        for f, db in enumerate(p.db):
            yield f"db{subscript(f + 1)} = {_sum(dY[0, :, :, f])} = {number(db)}"
        return
    for (u, v, c, f), dw in np.ndenumerate(p.dW):
        places = [(i, j) for i, j in np.ndindex(*dY.shape[1:3]) if dY[0, i, j, f]]
        given = [_seen(p.X, p.window, i, j)[u, v, c] for i, j in places]
        total = products(np.array(given), np.array([dY[0, i, j, f] for i, j in places])) if places else "0"
        yield f"dw{_index(u, v, c, f)} = {total} = {number(dw)}"


def input_gradient_sums(layer: OfImages, x: str, dY: Array, dX: Array, p: LayerPass) -> Iterator[str]:
    """What each number that a max pool was given gets back; of other layers nothing is written out."""
    if not isinstance(layer, MaxPool2D):
        return
    window, handed = layer.window(), np.zeros((*dX.shape[1:], dY[0].size))
    for count, ((i, j, f), dy) in enumerate(np.ndenumerate(dY[0])):
        seen = _seen(p.X, window, i, j)[..., f]
        u, v = np.unravel_index(seen.argmax(), seen.shape)
        handed[i * window.stride + u, j * window.stride + v, f, count] = dy
    for place, dx in np.ndenumerate(dX[0]):
        given = handed[place]
        total = f" = {_sum(given)}" if np.count_nonzero(given) > 1 else ""
        yield f"d{x[0].lower()}{_index(*place)}{total} = {number(dx)}"


def _seen(X: Array, window: Window, i: int, j: int) -> Array:
    """Return what lies under the window at a place, (kh, kw, c)."""
    around = (window.top, window.bottom), (window.left, window.right), (0, 0)
    padded = np.pad(X[0], around)
    top, left = i * window.stride, j * window.stride
    return padded[top : top + window.height, left : left + window.width]


def _sum(values: Array) -> str:
    """Write down the sum of all numbers that are not 0."""
    first, *others = values[values != 0] if values.any() else values.ravel()[:1]
    return " + ".join([number(first), *map(factor, others)])


def _index(*places: int) -> str:
    return "".join(subscript(place + 1) for place in places)
