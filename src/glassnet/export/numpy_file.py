"""A model as one Python file that needs only NumPy: a page of equations, followed by the weights."""

import base64
import keyword
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from pprint import pformat
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ConfigError
from ..model import Model
from ..nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Bias,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    SpatialDropout2D,
    Tanh,
)
from ..nn.types import Shape

__all__ = ["numpy_source"]

WIDTH = 119  # characters in a line of numbers

PAGE = '''"""Recognises images of {k} classes by {kind} of {size:,} parameters.

Written by glassnet {version}; needs NumPy and nothing else.

    from {module} import predict, predict_proba

    predict(images)         the class of each image
    predict_proba(images)   the probability of each class for each image

Images are an array (n, {height}, {width}) of uint8: gray values from 0 to 255,
{polarity}. In a shell, from a file of such an array, a table
with an image in each row, or an 8-bit picture of {width}×{height} pixels:

    python {module}.py IMAGES.npy
    python {module}.py TABLE.csv
    python {module}.py PICTURE.png
"""

import base64
import struct
import sys
import zlib

import numpy as np

CLASSES = {classes}

SHAPES = {{
{shapes}
}}

{functions}
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


def read(path):
    """Return the images (n, {height}, {width}) of a file; labels in the first column of a table are left out."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    with open(path, "rb") as file:
        content = file.read()
    if content[:8] == b"\\x89PNG\\r\\n\\x1a\\n":
        return read_png(content)[None]
    lines = content.decode("utf-8-sig").splitlines()
    rows = np.loadtxt(lines[not lines[0][:1].isdigit() :], delimiter=",", ndmin=2)[:, -{inputs}:]
    return rows.astype(np.uint8).reshape(-1, {height}, {width})


def read_png(content):
    """Return the gray values ({height}, {width}) of an 8-bit PNG that is not interlaced."""
    chunks, at = {{}}, 8
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        chunks[kind] = chunks.get(kind, b"") + content[at + 8 : at + 8 + size]
        at += 12 + size
    width, height, *form, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if (width, height, form[0], interlaced) != ({width}, {height}, 8, 0):
        given = f"{{width}}×{{height}} of {{form[0]}} bits"
        raise ValueError(f"give an 8-bit picture of {width}×{height} pixels, not interlaced, in place of {{given}}")
    channels = {{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}}[form[1]]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1).astype(int)
    P = np.zeros((height + 1, width + 1, channels), int)
    for y, (kind, *line) in enumerate(lines):  # each pixel is what its neighbours predict, and a difference
        for x, difference in enumerate(np.reshape(line, (width, channels))):
            a, b, c = P[y + 1, x], P[y, x + 1], P[y, x]
            near = [np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)]
            paeth = np.choose(np.argmin(near, axis=0), [a, b, c])
            P[y + 1, x + 1] = (difference + (0 * a, a, b, (a + b) // 2, paeth)[kind]) % 256
    P = P[1:, 1:]
    if form[1] == 3:
        P = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[P[:, :, 0]]
    gray = P[:, :, 0] if P.shape[2] < 3 else P[:, :, :3] @ [0.299, 0.587, 0.114]
    return np.rint(gray).astype(np.uint8)


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
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.exit(print(__doc__))
    if len(sys.argv) != 2:
        sys.exit("usage: python {module}.py IMAGES.npy, TABLE.csv or PICTURE.png; --help says more")
    try:
        print(*predict(read(sys.argv[1])), sep="\\n")
    except (EOFError, LookupError, OSError, ValueError, struct.error, zlib.error) as error:
        sys.exit(f"{{sys.argv[1]}}: {{error}}")
'''

PATCHES = '''
def patches(X, height, width, stride=1, padding=((0, 0), (0, 0))):
    """Return what lies under a window at each place of images (n, h, w, c): (n, down, across, height, width, c)."""
    X = np.pad(X, ((0, 0), *padding, (0, 0)))
    P = np.lib.stride_tricks.sliding_window_view(X, (height, width), axis=(1, 2))
    return P[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)

'''


def _conv(layer: Any, shape: Shape) -> tuple[tuple[str, ...], str]:
    window = layer.window(*shape[:2])
    padding = f", {((window.top, window.bottom), (window.left, window.right))}" if window.padded else ""
    stride = f", {window.stride}" if window.stride > 1 or padding else ""
    return ("W", "b"), f"np.tensordot(patches(X, {window.height}, {window.width}{stride}{padding}), {{}}, 3) + {{}}"


def _pool(layer: Any, rule: str) -> tuple[tuple[str, ...], str]:
    window = layer.window()
    return (), f"patches(X, {window.height}, {window.width}, {window.stride}).{rule}(axis=(3, 4))"


# For a layer and the shape of one of its inputs: the arrays that it needs, and its line of NumPy with a place for each
# of them; no line where it does nothing.
LINES: dict[type[Layer], Callable[[Any, Shape], tuple[tuple[str, ...], str]]] = {
    Dense: lambda _layer, _shape: (("W", "b"), "X @ {} + {}"),
    Bias: lambda _layer, _shape: (("b",), "X + {}"),
    Conv2D: _conv,
    MaxPool2D: lambda layer, _shape: _pool(layer, "max"),
    AveragePool2D: lambda layer, _shape: _pool(layer, "mean"),
    GlobalAveragePool2D: lambda _layer, _shape: ((), "X.mean(axis=(1, 2))"),
    Reshape: lambda layer, _shape: ((), f"X.reshape(len(X), {', '.join(map(str, layer.shape))})"),
    Flatten: lambda _layer, shape: ((), "X.reshape(len(X), -1)" if len(shape) > 1 else ""),
    BatchNorm: lambda layer, _shape: (
        ("running_mean", "running_variance", "gamma", "beta"),
        f"(X - {{}}) / np.sqrt({{}} + {layer.epsilon!r}) * {{}} + {{}}",
    ),
    Dropout: lambda _layer, _shape: ((), ""),
    SpatialDropout2D: lambda _layer, _shape: ((), ""),
    ReLU: lambda _layer, _shape: ((), "np.maximum(X, 0)"),
    LeakyReLU: lambda layer, _shape: ((), f"np.maximum(X, {layer.slope!r} * X)"),
    GELU: lambda _layer, _shape: ((), "0.5 * X * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X * X * X)))"),
    Sigmoid: lambda _layer, _shape: ((), "0.5 * (1 + np.tanh(0.5 * X))"),
    Tanh: lambda _layer, _shape: ((), "np.tanh(X)"),
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
    lines, shapes = _equations(model.network)
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
        functions=PATCHES if any("patches(" in line for line in lines) else "",
        lines="\n".join(f"    X = {line}" for line in lines),
        dtype=dtype.name,
        scale=form.scale,
        shift=f" + {form.shift!r}" if form.shift else "",
        answer="network(X, NETWORKS[0])" if alone else "sum(network(X, a) for a in NETWORKS) / len(NETWORKS)",
        code=f"f{dtype.itemsize}",
        numbers=_as_text(model),
    )


def _equations(network: Network) -> tuple[list[str], dict[str, Shape]]:
    """Return the line of each layer that does something, and the shapes of the arrays in them by their names."""
    lines: list[str] = []
    shapes: dict[str, Shape] = {}
    number: Counter[str] = Counter()  # of the arrays of a name so far
    for layer, (needs, line) in _lines(network):
        number.update(needs)
        names = {need: f"{need}{number[need]}" for need in needs}
        shapes |= {name: getattr(layer, need).shape for need, name in names.items()}
        lines += [line.format(*(f'a["{name}"]' for name in names.values()))] if line else []
    return lines, shapes


def _lines(network: Network) -> Iterator[tuple[Layer, tuple[tuple[str, ...], str]]]:
    """Yield each layer with what `LINES` says of it."""
    shape: Shape = (prod(network.input_shape),)  # a model's images are laid out as rows, whatever the network takes
    for layer in network.layers:
        if type(layer) not in LINES:
            raise ConfigError(f"{type(layer).__name__}: not supported by the NumPy export; use another layer")
        yield layer, LINES[type(layer)](layer, shape)
        shape = layer.output_shape(shape)


def _as_text(model: Model) -> str:
    """Return the arrays of all networks, in the order of their equations, as lines of text."""
    layers = [each for network in model.networks for each in _lines(network)]
    arrays = [getattr(layer, need).ravel() for layer, (needs, _) in layers for need in needs]
    little_endian = model.network.dtype.newbyteorder("<")
    text = base64.b85encode(np.concatenate(arrays).astype(little_endian).tobytes()).decode()
    return "\n".join(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))
