"""Models to export: one for each layer, and one for everything else that models differ in."""

from collections.abc import Callable
from functools import partial

import numpy as np

from glassnet import Model, nn
from glassnet.data import Preprocessing
from glassnet.nn import (
    ACTIVATIONS,
    AveragePool2D,
    BatchNorm,
    Bias,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    SpatialDropout2D,
)

SIDE, UNITS = 28, 24
CLASSES = tuple("0123456789")

LAYERS = {
    name: kind
    for name, kind in vars(nn).items()
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}

# What each layer is called with; one that has no line here is called with nothing.
ARGUMENTS: dict[type[Layer], tuple[object, ...]] = {
    Dense: (UNITS,),
    Dropout: (0.5,),
    SpatialDropout2D: (0.5,),
    Reshape: ((UNITS // 2, 2, 1),),
    Conv2D: (5, (3, 4), 2, "same"),
    MaxPool2D: (3, 2),
    AveragePool2D: (4, 3),
}
OF_IMAGES = Bias, Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, SpatialDropout2D


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, SIDE, SIDE), np.uint8)


def network(layers: list[Layer], dtype: str = "float32", seed: int = 0) -> Network:
    """A network all of whose numbers are drawn: biases and running averages too."""
    made = Network(layers, SIDE * SIDE, dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    for name, array in (made.named_parameters | made.named_statistics).items():
        if not name.endswith(".W"):
            array[...] = rng.uniform(0.2, 2, array.shape)
    return made


def form(scale: float = 1 / 255, shift: float = 0.0, *, dark_on_light: bool = False) -> Preprocessing:
    return Preprocessing(SIDE, SIDE, scale, shift, 20, dark_on_light)


def around(kind: type[Layer], dtype: str = "float32") -> Model:
    """A model that has a layer of a kind between two others."""
    layer = kind(*ARGUMENTS.get(kind, ()))
    if kind in OF_IMAGES:
        # Of noise the mean over many places would be nearly the same for each image.
        size, flat = (25, []) if kind is GlobalAveragePool2D else (3, [Flatten()])
        layers = [Reshape((SIDE, SIDE, 1)), Conv2D(4, size), layer, BatchNorm(), *flat, Dense(10)]
        return Model(network(layers, dtype), form(), CLASSES)
    if kind is Reshape:
        return Model(network([Dense(UNITS), layer, Flatten(), Dense(10)], dtype), form(), CLASSES)
    return Model(network([Dense(UNITS), layer, Dense(10)], dtype), form(), CLASSES, "/home/somebody/digits", "abc")


def deep(seed: int = 0) -> Network:
    return network([Flatten(), Dense(UNITS), BatchNorm(), ACTIVATIONS["gelu"](), Dropout(0.1), Dense(10)], seed=seed)


def lenet(seed: int = 0) -> Network:
    layers = [Reshape((SIDE, SIDE, 1)), Conv2D(6, 5, padding=1), BatchNorm(), ReLU(), MaxPool2D(2), Dropout(0.2)]
    layers += [Conv2D(8, 3, 2, "same"), BatchNorm(), ReLU(), AveragePool2D(2, 1), Flatten(), Dense(UNITS), ReLU()]
    return network([*layers, Dense(10)], seed=seed)


# Every layer that there is, so that one which is new is tried here too; then every other thing about models.
MODELS: dict[str, Callable[[], Model]] = {
    **{name: partial(around, kind) for name, kind in LAYERS.items()},
    **{f"{name} in float64": partial(around, kind, "float64") for name, kind in LAYERS.items()},
    "many layers": lambda: Model(deep(), form(), CLASSES),
    "ensemble": lambda: Model([deep(seed) for seed in range(3)], form(), CLASSES),
    "convolutions": lambda: Model(lenet(), form(), CLASSES),
    "ensemble of convolutions": lambda: Model([lenet(seed) for seed in range(2)], form(), CLASSES),
    "standard scaling": lambda: Model(deep(), form(1 / 78.6, -0.424), CLASSES),
    "no scaling": lambda: Model(network([Dense(UNITS), Dense(10, scale=0.01)]), form(1.0), CLASSES),
    "dark on light": lambda: Model(deep(), form(dark_on_light=True), CLASSES),
    "other classes": lambda: Model(deep(), form(), tuple(f"class {i} {{}}'\"\\é" for i in range(10))),
}
