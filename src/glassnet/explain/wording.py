"""What each stage is called, its equation and its shapes, and what it means in plain words.

Equations are Unicode text, such as ``Z₁ = X W₁ + b₁``; `mathml` typesets them.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..data import Preprocessing
from ..errors import DataError
from ..nn import (
    ACTIVATIONS,
    GELU,
    AveragePool2D,
    BatchNorm,
    Bias,
    Conv2D,
    Dense,
    Dropout,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)

__all__ = [
    "Words",
    "ascii_name",
    "forward",
    "input_gradient",
    "logits_gradient",
    "loss",
    "notes",
    "parameter",
    "parameter_gradient",
    "scaling",
    "softmax",
    "subscript",
    "symbols",
    "update",
]

Shape = tuple[int, ...]
_SYMBOLS: dict[str, tuple[type[Layer], ...]] = {
    "Z": (Dense, Conv2D),
    "M": (MaxPool2D, AveragePool2D, GlobalAveragePool2D),
    "N": (BatchNorm,),
    "A": tuple(ACTIVATIONS.values()),
}
_LETTERS = {"W": "W", "b": "b", "gamma": "γ", "beta": "β"}
_NAMES = {"W": "weights", "b": "biases", "γ": "scales", "β": "shifts"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ASCII = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789") | {ord("γ"): "gamma", ord("β"): "beta"}


class Words(NamedTuple):
    """All of a stage that is not a number."""

    title: str
    equation: str
    shapes: str
    meaning: str


def subscript(number: int) -> str:
    """Return a number in subscript digits."""
    return str(number).translate(_SUBSCRIPTS)


def ascii_name(symbol: str) -> str:
    """Return a symbol such as dZ₁ as a name that can be typed."""
    return symbol.translate(_ASCII)


def symbols(layers: Sequence[Layer]) -> list[str]:
    """Return X and then the symbol of what each layer returns.

    It is Z for a layer with weights, M for a pool, N for BatchNorm and A for an activation, and the number is that of
    the layer with weights. A layer that lets everything through leaves the symbol as it is.

    Raises:
        DataError: two of a kind between two layers with weights, which would have one symbol.
    """
    found, level = ["X"], 0
    for layer in layers:
        if isinstance(layer, Bias):
            raise DataError("this network has a bias for each place of an image, which explain has no words for")
        level += isinstance(layer, Dense | Conv2D)
        letter = next((letter for letter, kinds in _SYMBOLS.items() if isinstance(layer, kinds)), "")
        symbol = letter + subscript(level) if letter else found[-1]
        if letter and symbol in found:
            raise DataError(
                f"this network has two layers of the kind {type(layer).__name__} or like it after layer {level}; "
                "explain follows one activation, one pool and one BatchNorm after each"
            )
        found.append(symbol)
    return found


def parameter(name: str, output: str) -> str:
    """Return the symbol of a layer's parameter, given the symbol of what the layer returns."""
    return _LETTERS[name] + output[1:]


def notes(layers: Sequence[Layer], members: int = 1) -> Iterator[str]:
    """Say what is done otherwise than in training, and that of an ensemble's members one is followed."""
    if members > 1:
        yield f"The model is an ensemble of {members} networks; this is the first of them."
    if any(isinstance(layer, Dropout) for layer in layers):
        yield "Dropout is off, as when predicting: every unit takes part."
    if any(isinstance(layer, BatchNorm) for layer in layers):
        yield (
            "Batch normalisation uses its running averages μ and v, as when predicting, since one image has no mean "
            "to take: it is a fixed scaling and shift here."
        )


def scaling(form: Preprocessing) -> Words:
    """The image as a row of numbers."""
    pixels = form.height * form.width
    if form.shift:
        equation = "X = (pixels − m) / s"
        meaning = "The image as one row of numbers. m and s are mean and standard deviation of the training pixels."
    elif form.scale == 1:
        equation, meaning = "X = pixels", "The image as one row of numbers, from 0 to 255, as they are."
    else:
        low, high = ("ink", "paper") if form.dark_on_light else ("paper", "ink")
        equation, meaning = "X = pixels / 255", f"The image as one row of numbers: 0 is {low}, 1 is {high}."
    return Words("input", equation, f"({form.height}, {form.width}) → (1, {pixels})", meaning)


def forward(layer: Layer, x: str, y: str, shape: Shape) -> Words:
    """What ``layer`` makes of x, of the given shape."""
    number = y[1:]
    match layer:
        case Dense():
            d_in, d_out = layer.W.shape
            return Words(
                f"weighted sums, layer {ascii_name(number)}",
                f"{y} = {x} W{number} + b{number}",
                f"(1, {d_in}) ({d_in}, {d_out}) + ({d_out},) → (1, {d_out})",
                "Each unit adds up its inputs, each times a weight, and its bias.",
            )
        case BatchNorm():
            equation = f"{y} = γ{number} ⊙ ({x} − μ{number}) / √(v{number} + ε) + β{number}"
            return Words(
                f"normalised, layer {ascii_name(number)}",
                equation,
                f"{shape} → {shape}",
                "Each unit's sum is normalised by the running averages of training, then scaled and shifted.",
            )
    right, meaning = _activation(layer, x)
    return Words(f"activations, layer {ascii_name(number)}", f"{y} = {right}", f"{shape} → {shape}", meaning)


def _activation(layer: Layer, z: str) -> tuple[str, str]:
    match layer:
        case ReLU():
            return f"max({z}, 0)", "A negative sum becomes 0: that unit is inactive. A positive sum passes unchanged."
        case LeakyReLU():
            meaning = f"A positive sum passes unchanged; a negative one is multiplied by {layer.slope:g}."
            return f"max({z}, {layer.slope:g} {z})", meaning
        case Sigmoid():
            return f"1 / (1 + e^(−{z}))", "Every number is squeezed between 0 and 1."
        case Tanh():
            return f"tanh({z})", "Every number is squeezed between −1 and 1."
        case GELU():
            meaning = "Each number is multiplied by the probability that a standard normal number is below it."
            return f"½ {z} ⊙ (1 + tanh(√(2 / π) ({z} + 0.044715 {z}³)))", meaning
    raise TypeError(f"no words for {type(layer).__name__}")


def _slope(layer: Layer, z: str, a: str) -> tuple[str, str]:
    match layer:
        case ReLU():
            return f"({a} > 0)", "An inactive unit passes no gradient back: its factor is 0. For the others it is 1."
        case LeakyReLU():
            meaning = f"A positive unit passes the whole gradient back, a negative one {layer.slope:g} of it."
            return f"({a} > 0 ? 1 : {layer.slope:g})", meaning
        case Sigmoid():
            return f"{a} ⊙ (1 − {a})", "The flatter the activation at this point, the less gradient passes back."
        case Tanh():
            return f"(1 − {a}²)", "The flatter the activation at this point, the less gradient passes back."
    return f"f′({z})", "Each number is multiplied by the slope of the activation at this point."


def softmax(z: str, shape: Shape) -> Words:
    """From logits to probabilities."""
    meaning = "Each logit z becomes eᶻ, divided by the sum of them all: numbers above 0 that sum to 1."
    return Words("probabilities", f"P = softmax({z}) = e^({z}) / (Σ e^({z}))", f"{shape} → {shape}", meaning)


def loss(name: str, shape: Shape) -> Words:
    """How wrong it was."""
    meaning = (
        f"How wrong the prediction is: 0 if the true class, “{name}”, had probability 1, and larger the less it had."
    )
    return Words("loss", "L = −ln p_y", f"{shape} → ()", meaning)


def logits_gradient(z: str, shape: Shape) -> Words:
    """The gradient with which backpropagation begins."""
    meaning = (
        "The probabilities minus the one-hot target T, which is 1 for the true class and 0 for all others. "
        "Negative: this logit should rise."
    )
    return Words("gradient of the logits", f"d{z} = P − T", f"{shape} − {shape} → {shape}", meaning)


def parameter_gradient(layer: Layer, name: str, x: str, y: str, shape: Shape) -> Words:
    """The gradient of a parameter."""
    own, number = parameter(name, y), ascii_name(y[1:])
    sizes = ", ".join(map(str, shape))
    match name:
        case "W":
            d_in, d_out = shape
            return Words(
                f"gradient of the weights, layer {number}",
                f"d{own} = {x}ᵀ d{y}",
                f"({d_in}, 1) (1, {d_out}) → ({d_in}, {d_out})",
                "A weight's gradient is the input that it multiplied, times the gradient of the sum that it went into. "
                "Where the input is 0, so is the gradient.",
            )
        case "gamma":
            equation = f"d{own} = d{y} ⊙ ({x} − μ{y[1:]}) / √(v{y[1:]} + ε)"
            return Words(
                f"gradient of the scales, layer {number}",
                equation,
                f"(1, {sizes}) → ({sizes},)",
                "A scale's gradient is the normalised number that it multiplied, times the gradient of the result.",
            )
    return Words(
        f"gradient of the {_NAMES[own[0]]}, layer {number}",
        f"d{own} = d{y}",
        f"(1, {sizes}) → ({sizes},)",
        "It was added, so its gradient is that of the sum itself, summed over the batch: here, one image.",
    )


def input_gradient(layer: Layer, x: str, y: str, shape: Shape) -> Words:
    """The gradient of a layer's inputs."""
    match layer:
        case Dense():
            d_in, d_out = layer.W.shape
            return Words(
                f"gradient of the inputs of layer {ascii_name(y[1:])}",
                f"d{x} = d{y} W{y[1:]}ᵀ",
                f"(1, {d_out}) ({d_out}, {d_in}) → (1, {d_in})",
                "The gradient goes back through the same weights that the inputs came forward through.",
            )
        case BatchNorm():
            right = f"γ{y[1:]} / √(v{y[1:]} + ε)"
            meaning = "The same fixed factor for each unit as in the forward pass."
        case _:
            right, meaning = _slope(layer, x, y)
    return Words(
        f"gradient of the weighted sums, layer {ascii_name(y[1:])}",
        f"d{x} = d{y} ⊙ {right}",
        f"{shape} ⊙ {shape} → {shape}",
        meaning,
    )


def update(symbol: str, shape: Shape) -> Words:
    """The step."""
    return Words(
        f"{_NAMES[symbol[0]]} of layer {ascii_name(symbol[1:])} after the step",
        f"{symbol} ← {symbol} − η d{symbol}",
        f"{shape} → {shape}",
        "Every number moves a small step against its gradient, downhill.",
    )
