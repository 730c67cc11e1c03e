"""Models to export: one for each layer, and one for everything else that models differ in."""

from collections.abc import Callable
from functools import partial

import numpy as np

from glassnet import Model, nn
from glassnet.data import Preprocessing
from glassnet.nn import ACTIVATIONS, BatchNorm, Dense, Dropout, Flatten, Layer, Network

SIDE, UNITS = 28, 24
CLASSES = tuple("0123456789")

LAYERS = {
    name: kind
    for name, kind in vars(nn).items()
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}

# What each layer is called with; one that has no line here is called with nothing.
ARGUMENTS: dict[type[Layer], tuple[object, ...]] = {Dense: (UNITS,), Dropout: (0.5,)}


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
    return Model(network([Dense(UNITS), layer, Dense(10)], dtype), form(), CLASSES, "/home/somebody/digits", "abc")


def deep(seed: int = 0) -> Network:
    return network([Flatten(), Dense(UNITS), BatchNorm(), ACTIVATIONS["gelu"](), Dropout(0.1), Dense(10)], seed=seed)


# Every layer that there is, so that one which is new is tried here too; then every other thing about models.
MODELS: dict[str, Callable[[], Model]] = {
    **{name: partial(around, kind) for name, kind in LAYERS.items()},
    **{f"{name} in float64": partial(around, kind, "float64") for name, kind in LAYERS.items()},
    "many layers": lambda: Model(deep(), form(), CLASSES),
    "ensemble": lambda: Model([deep(seed) for seed in range(3)], form(), CLASSES),
    "standard scaling": lambda: Model(deep(), form(1 / 78.6, -0.424), CLASSES),
    "no scaling": lambda: Model(network([Dense(UNITS), Dense(10, scale=0.01)]), form(1.0), CLASSES),
    "dark on light": lambda: Model(deep(), form(dark_on_light=True), CLASSES),
    "other classes": lambda: Model(deep(), form(), tuple(f"class {i} {{}}'\"\\é" for i in range(10))),
}
