"""What a unit looks for: the images that excite it most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import Examples
from ..errors import DataError, check_count
from ..model import Model
from ..nn import Pass
from ..nn.types import Array
from .units import UnitLayer, unit_layers

__all__ = ["MOST_SEARCHED", "TopImages", "top_images"]

BLOCK = 256  # images at a time
MOST_SEARCHED = 2_000  # training images, where a person waits for the answer


@dataclass(frozen=True, eq=False)
class TopImages:
    """The images that excite each unit of a layer most, the most exciting first.

    Attributes:
        indices: ``(units, count)`` into the examples; of feature maps, a row is a filter (`UnitLayer.feature`).
        activations: ``(units, count)`` for these images, of a filter the largest over all places.
    """

    indices: NDArray[np.int64]
    activations: Array


def top_images(model: Model, examples: Examples, count: int = 9) -> tuple[TopImages, ...]:
    """Return which images excite the units of each layer most, the input's first and the output's last.

        top_images(model, dataset.train)[1].indices[16]      # of hidden layer 1 unit 17, nine rows of dataset.train

    Args:
        model: of an ensemble its first network is looked at.
        examples: images (n, h, w) of the model's form.
        count: how many for each unit; where there are fewer images, all of them.

    Raises:
        ConfigError: a count below 1.
        DataError: images of another shape, or none.
    """
    check_count("count", count)
    if examples.image_shape != model.image_shape or not len(examples):
        raise DataError(f"{examples!r}: give one image or more of {model.image_shape[0]}×{model.image_shape[1]} pixels")
    found: list[TopImages] = []
    start = 0
    layers = unit_layers(model)
    for block in examples.blocks(model.network.at_a_time(BLOCK)):
        for i, activations in enumerate(layer_activations(model, block)):
            if layers[i].kind == "input":  # whose units are pixels
                activations = activations.reshape(len(block), -1)
            elif activations.ndim == 4:  # a filter is as excited as at the place where it finds most
                activations = activations.max(axis=(1, 2))
            indices = np.broadcast_to(np.arange(start, start + len(block)), activations.T.shape)
            more = TopImages(indices, activations.T)
            if start:
                found[i] = _best([found[i], more], count)
            else:
                found.append(_best([more], count))
        start += len(block)
    return tuple(found)


def layer_activations(model: Model, examples: Examples) -> Iterator[Array]:
    """Yield what each layer of units gives for all examples, (n, d) or (n, h, w, filters), the input's first."""
    layers: Sequence[UnitLayer] = unit_layers(model)
    Y = model.inputs(examples.images)
    done = 0
    passes = Pass(model.network).layers
    for own in layers:
        for i in range(done, own.end):
            Y = model.network.layers[i].forward(Y, passes[i])
        done = own.end
        yield Y.reshape(len(examples), *own.shape)


def _best(parts: Sequence[TopImages], count: int) -> TopImages:
    """Return the ``count`` most exciting images of several lists; of equal ones the first."""
    indices = np.concatenate([part.indices for part in parts], axis=1)
    activations = np.concatenate([part.activations for part in parts], axis=1)
    order = np.argsort(-activations, axis=1, kind="stable")[:, :count]
    return TopImages(np.take_along_axis(indices, order, axis=1), np.take_along_axis(activations, order, axis=1))
