"""A network as entries that a person can read, such as ``conv 32 5x5``, ``pool 2`` and ``dense 128``.

    conv 32 5x5               32 filters of 5 × 5; then, if they are wanted: stride 2; same, or padding 1
    pool 2                    the largest of each 2 × 2; then, if it is wanted: stride 1
    average pool 2            their mean; stride likewise
    global pool               the mean of each channel over the whole image
    dense 128                 128 units
    dropout 0.5               each number silenced with this probability while training
    spatial dropout 0.2       each channel likewise, at all places of the image

Batch normalisation and the activation follow each convolution and each dense layer, and the output layer comes by
itself, so an entry says only what is different from one network to the next.

A max pool that follows a convolution comes before both, which then have a quarter of the numbers to go through. For an
activation that only rises the largest number stays the largest, so without normalisation nothing else is computed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..nn import (
    ACTIVATIONS,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Reshape,
    SpatialDropout2D,
)
from ..nn.types import Shape

if TYPE_CHECKING:
    from .settings import Architecture

__all__ = [
    "build_layers",
    "entries_of",
    "is_a",
    "layer_of",
    "multiply_adds",
    "network_words",
    "split_entries",
    "tiny_entry",
    "weighted",
]

OF_IMAGES = Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, SpatialDropout2D
LARGEST = 100_000  # of units, filters and sides

KINDS = {
    "conv": r"conv (\d+) (\d+)x(\d+)(?: stride (\d+))?(?: (same|valid|padding \d+))?",
    "pool": r"(?:max )?pool (\d+)(?: stride (\d+))?",
    "average pool": r"average pool (\d+)(?: stride (\d+))?",
    "global pool": r"global pool",
    "dense": r"dense (\d+)",
    "dropout": r"dropout (\d*\.?\d+)",
    "spatial dropout": r"spatial dropout (\d*\.?\d+)",
}
"""How the entries of each kind are written."""

WRITTEN = "conv 32 5x5, pool 2, average pool 2, global pool, dense 128, dropout 0.5 or spatial dropout 0.2"


def split_entries(value: object) -> object:
    """Return entries that are given as one string or several, in which commas part them, as a tuple."""
    parts: Any = (value,) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        return value
    return tuple(entry for part in ",".join(parts).split(",") if (entry := " ".join(part.split())))


def layer_of(entry: str) -> Layer:
    """Return the layer that an entry names.

    Raises:
        ValueError: it names none, or one with a number out of range.
    """
    for kind, pattern in KINDS.items():
        if found := re.fullmatch(pattern, entry, re.ASCII):
            numbers = [part if part is None or not part.isdigit() else int(part) for part in found.groups()]
            if not kind.endswith("dropout") and any(isinstance(n, int) and not 1 <= n <= LARGEST for n in numbers):
                raise ValueError(f"numbers in {entry!r} must be from 1 to {LARGEST:,}")
            return _layer(kind, numbers)
    raise ValueError(f"{entry[:60]!r} is not a layer; write {WRITTEN}")


def _layer(kind: str, numbers: Sequence[Any]) -> Layer:
    match kind, numbers:
        case "conv", (filters, height, width, stride, padding):
            around = int(padding.removeprefix("padding ")) if (padding or "").startswith("padding") else padding
            return Conv2D(filters, (height, width), stride or 1, around or "valid")
        case "pool", (size, stride):
            return MaxPool2D(size, stride)
        case "average pool", (size, stride):
            return AveragePool2D(size, stride)
        case "global pool", _:
            return GlobalAveragePool2D()
        case "dense", (units,):
            return Dense(units)
        case "spatial dropout", _:
            return SpatialDropout2D(float(numbers[0]))
    return Dropout(float(numbers[0]))


def entries_of(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the entries of the layers that `layer_of` knows, but for dropout; the others follow from these."""
    found = [_entry(layer) for layer in layers]
    return tuple(entry for entry in found if entry)


def _entry(layer: Layer) -> str | None:
    match layer:
        case Conv2D(filters=filters, size=(height, width), stride=stride, padding=padding):
            around = f"padding {padding}" if isinstance(padding, int) else padding
            return f"conv {filters} {height}x{width} stride {stride} {around}"
        case MaxPool2D(size=size, stride=stride):
            return f"pool {size} stride {stride or size}"
        case AveragePool2D(size=size, stride=stride):
            return f"average pool {size} stride {stride or size}"
        case GlobalAveragePool2D():
            return "global pool"
        case Dense(units=units):
            return f"dense {units}"
    return None


def weighted(entries: Sequence[str]) -> int:
    """Return how many of the entries have weights, each of which gets an activation."""
    return sum(entry.startswith(("conv", "dense")) for entry in entries)


def is_a(kind: str, entry: str) -> bool:
    """Return whether an entry is a ``conv``, a ``padded conv`` or a (max) ``pool``."""
    layer = layer_of(entry)
    if kind == "pool":
        return isinstance(layer, MaxPool2D)
    return isinstance(layer, Conv2D) and (kind == "conv" or layer.padding != "valid")


def tiny_entry(entry: str) -> str:
    """Return an entry of the same kind as small as can be, which fits onto any image."""
    layer = layer_of(entry)
    least = {Conv2D: "conv 2 1x1", Dense: "dense 2", MaxPool2D: "pool 1", AveragePool2D: "average pool 1"}
    return least.get(type(layer), entry)


def build_layers(config: "Architecture", shape: Shape, classes: int) -> list[Layer]:
    """Return the layers of a network for examples of a shape: (h, w) of images, or (d,) of rows.

    Images come as rows of h·w pixels, which a network of convolutions first gives their shape again.

    Raises:
        ConfigError: an entry that does not fit onto what the one before it leaves; it is named, and the shape.
    """
    given, shape = shape, Shape((prod(shape),))
    layers: list[Layer] = []
    for layer, entry in _planned(config):
        if isinstance(layer, OF_IMAGES) and not any(isinstance(below, Dense | Reshape) for below in layers):
            if len(given) != 2:
                raise ConfigError(
                    f"layers: {entry!r} takes images, and rows of numbers are none; give images (n, h, w), or their "
                    "height and width as image_shape"
                )
            layers.append(Reshape((*given, 1)))
            shape = (*given, 1)
        if isinstance(layer, Dense) and len(shape) > 1:
            layers.append(Flatten())
            shape = (prod(shape),)
        layers.append(layer)
        shape = _fitted(layer, entry, shape)
    if len(shape) > 1:
        layers.append(Flatten())
    return [*layers, Dense(classes, config.initializer, config.initializer_scale)]


def _planned(config: "Architecture") -> list[tuple[Layer, str]]:
    """Return the layers that the entries stand for, each with its entry."""
    activations = iter(config.activation * (weighted(config.entries) if len(config.activation) == 1 else 1))
    planned: list[tuple[Layer, str]] = []
    company = 0  # how many layers have come since the last convolution, where nothing else has
    for entry in config.entries:
        layer = layer_of(entry)
        parts = _with_company(layer, config, next(activations)) if isinstance(layer, Dense | Conv2D) else [layer]
        own = [(part, entry) for part in parts]
        if isinstance(layer, MaxPool2D) and company and not isinstance(planned[-1][0], GELU):
            planned[-company:-company] = own
        else:
            planned += own
        company = len(parts) - 1 if isinstance(layer, Conv2D) else 0
    return planned


def _with_company(layer: Dense | Conv2D, config: "Architecture", activation: str) -> list[Layer]:
    """Return a layer with weights, and what goes after it."""
    return [
        replace(layer, initializer=config.initializer, scale=config.initializer_scale),
        *([BatchNorm()] if config.batch_norm else []),
        ACTIVATIONS[activation](),
        *([Dropout(config.dropout)] if config.dropout and isinstance(layer, Dense) else []),
    ]


def _fitted(layer: Layer, entry: str, shape: Shape) -> Shape:
    """Return the shape of what a layer makes of examples of a shape."""
    if len(shape) == 1 and isinstance(layer, OF_IMAGES):
        raise ConfigError(
            f"layers: {entry!r} takes images, and the layers before it leave rows of {shape[0]:,} numbers; put "
            "convolutions and pools before dense layers"
        )
    try:
        return layer.output_shape(shape)
    except ValueError as error:
        advice = "make it smaller, or pad convolutions (same)"
        raise ConfigError(f"layers: {entry!r} does not fit: {error}; {advice}") from error


def network_words(config: "Architecture", shape: Shape, classes: int) -> list[str]:
    """Describe a network: of dense layers by their sizes, else by its entries."""
    if config.layers:
        return [f"{'×'.join(map(str, shape))} pixels", *config.layers, f"{classes} classes"]
    return ["-".join(map(str, [prod(shape), *config.hidden, classes]))]


def multiply_adds(layers: Sequence[Layer], inputs: int) -> list[int]:
    """Return how many multiply-adds each layer with weights takes forward for one example of so many inputs."""
    shape: Shape = (inputs,)
    found = []
    for layer in layers:
        weights = [shape_of for name, shape_of in layer.parameter_shapes(shape).items() if name in layer.weights]
        shape = layer.output_shape(shape)
        places = prod(shape[:-1])  # 1 for what is no image
        found += [places * prod(one) for one in weights]
    return found
