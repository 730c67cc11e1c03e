"""First values of the weights: small enough not to saturate, large enough to keep a signal alive through many layers.

If the inputs of a unit have variance 1, its sum over ``fan_in`` of them has variance ``fan_in · std²``. Each rule below
picks ``std`` so that what flows through the layer keeps its size:

    he        std = √(2 / fan_in)               for ReLU, which silences half of its inputs   (He et al., 2015)
    glorot    std = √(2 / (fan_in + fan_out))   a compromise of forward and backward          (Glorot & Bengio, 2010)
    lecun     std = √(1 / fan_in)               forward alone                                 (LeCun et al., 1998)

Each comes as ``_normal`` and as ``_uniform``; a uniform distribution on (−a, a) has std a/√3, so a = √3 · std.
Plain ``normal`` has std ``scale`` and plain ``uniform`` lies in (−scale, scale), whatever the size of the layer.
"""

import math

import numpy as np

from .types import Array

__all__ = ["INITIALIZERS", "initialize"]

_STANDARD_DEVIATIONS = {
    "he": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    "glorot": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "lecun": lambda fan_in, fan_out: math.sqrt(1 / fan_in),
}

INITIALIZERS = (
    *(f"{rule}_{kind}" for rule in _STANDARD_DEVIATIONS for kind in ("normal", "uniform")),
    "normal",
    "uniform",
)
"""The names that `initialize` knows."""


def initialize(W: Array, name: str, rng: np.random.Generator, scale: float = 1.0) -> None:
    """Fill the weights ``W`` (…, d_in, d_out) with random numbers, in place.

    Of a matrix fan_in is d_in and fan_out is d_out. Filters (kh, kw, c, filters) serve each of kh·kw places, so theirs
    are kh·kw·c and kh·kw·filters.

    Args:
        W: the weights.
        name: one of `INITIALIZERS`.
        rng: where the random numbers come from.
        scale: multiplies the rule's own spread.

    Raises:
        ValueError: ``name`` is not one of `INITIALIZERS`.
    """
    if name not in INITIALIZERS:
        raise ValueError(f"unknown initializer {name!r}; known: {', '.join(INITIALIZERS)}")
    rule, _, kind = name.rpartition("_")
    if rule:
        *places, d_in, d_out = W.shape
        std = _STANDARD_DEVIATIONS[rule](math.prod(places) * d_in, math.prod(places) * d_out) * scale
        bound = math.sqrt(3) * std
    else:
        std = bound = scale
    # Drawn in float64 whatever W holds, so that float32 and float64 networks of one seed begin alike.
    W[...] = rng.standard_normal(W.shape) * std if kind == "normal" else rng.uniform(-bound, bound, W.shape)
