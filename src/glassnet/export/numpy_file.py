"""A model as one Python file that needs only NumPy: a page of equations, followed by the weights."""

import base64
import keyword
import sys
from collections import Counter
from collections.abc import Callable
from pprint import pformat
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ConfigError
from ..model import Model
from ..nn import GELU, BatchNorm, Dense, Dropout, Flatten, Layer, LeakyReLU, ReLU, Sigmoid, Tanh
from ..nn.types import Shape

__all__ = ["numpy_source"]

WIDTH = 119  # characters in a line of numbers

PAGE = '''"""Recognises images of {k} classes by {kind} of {size:,} parameters.

Written by glassnet {version}; needs NumPy and nothing else.

    from {module} import predict, predict_proba

    predict(images)         the class of each image
    predict_proba(images)   the probability of each class for each image

Images are an array (n, {height}, {width}) of uint8: gray values from 0 to 255,
{polarity}. Or in a shell:

    python {module}.py IMAGES.npy
"""

import base64
import sys

import numpy as np

CLASSES = {classes}

SHAPES = {{
{shapes}
}}


def network(X, a):
    """Return the probabilities (n, {k}) for inputs X (n, {inputs}) and a network's arrays."""
{lines}
    E = np.exp(X - X.max(axis=1, keepdims=True))  # softmax
    return E / E.sum(axis=1, keepdims=True)


def predict_proba(images):
    """Return the probability of each class (n, {k}) for images (n, {height}, {width}) of uint8."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != ({height}, {width}):
        given = f"{{images.shape}} of {{images.dtype}}"
        raise ValueError(f"give images (n, {height}, {width}) of uint8, not {{given}}")
    X = images.reshape(-1, {inputs}).astype("{dtype}") * {scale!r}{shift}
    return {answer}


def predict(images):
    """Return the name of the most probable class of each image, a list."""
    return [CLASSES[i] for i in predict_proba(images).argmax(axis=1)]


def unpack(text):
    """Return the arrays of each network by their names."""
    numbers = base64.b85decode("".join(text.split()))
    numbers = np.frombuffer(numbers, "<{code}").astype("{dtype}")
    networks = []
    while numbers.size:
        networks.append({{}})
        for name, shape in SHAPES.items():
            size = int(np.prod(shape))
            networks[-1][name] = numbers[:size].reshape(shape)
            numbers = numbers[size:]
    return networks


NUMBERS = """
{numbers}
"""

NETWORKS = unpack(NUMBERS)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python {module}.py IMAGES.npy")
    try:
        print(*predict(np.load(sys.argv[1], allow_pickle=False)), sep="\\n")
    except (EOFError, OSError, ValueError) as error:
        sys.exit(f"{{sys.argv[1]}}: {{error}}")
'''

# The arrays that a layer needs, and its line of NumPy with a place for each of them; no line where it does nothing.
LINES: dict[type[Layer], Callable[[Any], tuple[tuple[str, ...], str]]] = {
    Dense: lambda _layer: (("W", "b"), "X @ {} + {}"),
    BatchNorm: lambda layer: (
        ("running_mean", "running_variance", "gamma", "beta"),
        f"(X - {{}}) / np.sqrt({{}} + {layer.epsilon!r}) * {{}} + {{}}",
    ),
    Dropout: lambda _layer: ((), ""),
    Flatten: lambda _layer: ((), ""),  # the inputs are rows already
    ReLU: lambda _layer: ((), "np.maximum(X, 0)"),
    LeakyReLU: lambda layer: ((), f"np.maximum(X, {layer.slope!r} * X)"),
    GELU: lambda _layer: ((), "0.5 * X * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X * X * X)))"),
    Sigmoid: lambda _layer: ((), "0.5 * (1 + np.tanh(0.5 * X))"),
    Tanh: lambda _layer: ((), "np.tanh(X)"),
}


def numpy_source(model: Model, module: str = "digits") -> str:
    """Return the text of a Python module that needs NumPy alone and predicts as the model does.

    Args:
        model: what it holds, all members of an ensemble included.
        module: its name.

    Raises:
        ConfigError: Python could not import a module of that name, or would instead of one of its own; a layer is not
            known here; or there are no parameters.
    """
    if not isinstance(model, Model):
        raise ConfigError(f"a {type(model).__name__} cannot be exported to a Python file; give a Model")
    if not module.isidentifier() or keyword.iskeyword(module):
        raise ConfigError(f"{module}.py: not a valid module name; use letters, digits and underscores")
    if module in {"numpy", *sys.stdlib_module_names}:  # which are imported here, or by what is imported here
        raise ConfigError(f"{module}.py: would shadow the module {module} that it imports; choose another name")
    if not model.size:
        raise ConfigError("a network without parameters has learned nothing; there is nothing to export")
    lines, shapes = _equations(model.network.layers)
    dtype, (height, width), form = model.network.dtype, model.image_shape, model.preprocessing
    alone = len(model.networks) == 1
    return PAGE.format(
        k=len(model.classes),
        kind="a network" if alone else f"the mean of {len(model.networks)} networks",
        size=model.size,
        version=__version__,
        module=module,
        height=height,
        width=width,
        polarity="dark on light" if form.dark_on_light else "light on dark",
        classes=pformat(model.classes, width=100, compact=True),
        shapes="\n".join(f'    "{name}": {shape},' for name, shape in shapes.items()),
        inputs=height * width,
        lines="\n".join(f"    X = {line}" for line in lines),
        dtype=dtype.name,
        scale=form.scale,
        shift=f" + {form.shift!r}" if form.shift else "",
        answer="network(X, NETWORKS[0])" if alone else "sum(network(X, a) for a in NETWORKS) / len(NETWORKS)",
        code=f"f{dtype.itemsize}",
        numbers=_as_text(model),
    )


def _equations(layers: list[Layer]) -> tuple[list[str], dict[str, Shape]]:
    """Return the line of each layer that does something, and the shapes of the arrays in them by their names."""
    lines: list[str] = []
    shapes: dict[str, Shape] = {}
    number: Counter[type[Layer]] = Counter()
    for layer in layers:
        needs, line = _line(layer)
        number[type(layer)] += 1
        names = {need: f"{need}{number[type(layer)]}" for need in needs}
        shapes |= {name: getattr(layer, need).shape for need, name in names.items()}
        lines += [line.format(*(f'a["{name}"]' for name in names.values()))] if line else []
    return lines, shapes


def _line(layer: Layer) -> tuple[tuple[str, ...], str]:
    if type(layer) not in LINES:
        raise ConfigError(f"{type(layer).__name__}: not supported by the NumPy export; use another layer")
    return LINES[type(layer)](layer)


def _as_text(model: Model) -> str:
    """Return the arrays of all networks, in the order of their equations, as lines of text."""
    layers = [layer for network in model.networks for layer in network.layers]
    arrays = [getattr(layer, need).ravel() for layer in layers for need in _line(layer)[0]]
    little_endian = model.network.dtype.newbyteorder("<")
    text = base64.b85encode(np.concatenate(arrays).astype(little_endian).tobytes()).decode()
    return "\n".join(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))
