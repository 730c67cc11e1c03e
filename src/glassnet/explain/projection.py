"""A map of images as a network sees them: the activations of its last hidden layer, brought into a plane."""

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Examples, as_pixels
from ..errors import ConfigError, DataError, missing_package, nearest
from ..model import Model
from ..nn.types import Array
from .top_images import BLOCK, layer_activations

__all__ = ["METHODS", "Projection", "hidden_activations", "project"]

LEAST = 3  # images: fewer make no map
UMAP_AT_WORK = Lock()  # Numba's own pool of threads ends the process when two threads enter it at the same time


@dataclass(frozen=True, eq=False)
class Projection:
    """Where images lie on a map of a network's last hidden layer. Images near each other look alike to the network.

    Attributes:
        method: ``pca`` or ``umap``.
        coordinates: ``(n, 2)``, one row an image.
        explained: ``(2,)`` the fraction of the variance along each axis, for ``pca``; None for ``umap``.
        model: whose map it is.
        reducer: scikit-learn's or umap-learn's object, with ``transform``.
    """

    method: str
    coordinates: NDArray[np.float64]
    explained: NDArray[np.float64] | None
    model: Model
    reducer: Any

    def place(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Return where other images (m, h, w), or one (h, w), lie on the same map, (m, 2).

        Raises:
            DataError: images of another shape.
        """
        pixels = as_pixels(images, self.model.image_shape, maximum=self.model.preprocessing.maximum)
        examples = Examples(pixels, np.zeros(len(pixels), np.int64))
        A = hidden_activations(self.model, examples)
        with UMAP_AT_WORK if self.method == "umap" else nullcontext():
            return _plane(self.reducer.transform(A))


def project(model: Model, examples: Examples, method: str = "pca", seed: int = 0) -> Projection:
    """Bring the last hidden layer's activations for some images into a plane.

    ``pca`` takes the two directions in which the activations vary most (Pearson, 1901). ``umap`` keeps neighbours
    together instead (McInnes, Healy and Melville, 2018), takes seconds for thousands of images, and needs umap-learn.

    Args:
        model: of an ensemble its first network is looked at. Without a hidden layer its inputs are mapped.
        examples: images (n, h, w) of the model's form, at least three.
        method: ``pca`` or ``umap``.
        seed: of what the search for either begins with.

    Raises:
        ConfigError: another method, or umap-learn is not installed.
        DataError: images of another shape, fewer than three, or activations that are not finite.
    """
    if method not in METHODS:
        raise ConfigError(f"method: {method!r:.40} is not a way to make a map{nearest(method, METHODS)}")
    if examples.image_shape != model.image_shape or len(examples) < LEAST:
        raise DataError(f"{examples!r}: give {LEAST} or more of {model.image_shape[0]}×{model.image_shape[1]} pixels")
    A = hidden_activations(model, examples)
    if not np.isfinite(A).all():
        raise DataError("the network's weights are so large that its activations are not finite; train it again")
    reducer = METHODS[method](A, seed)
    explained = _plane(reducer.explained_variance_ratio_[None])[0] if method == "pca" else None
    coordinates = reducer.embedding_ if method == "umap" else reducer.transform(A)
    return Projection(method, _plane(coordinates), explained, model, reducer)


def hidden_activations(model: Model, examples: Examples) -> Array:
    """Return what the last layer of a model's network is given, (n, d): the activations of the last hidden layer."""
    blocks = []
    for block in examples.blocks(model.network.at_a_time(BLOCK)):
        last, _ = deque(layer_activations(model, block), maxlen=2)
        blocks.append(last.reshape(len(block), -1).astype(np.float64))
    return np.concatenate(blocks)


def _pca(A: Array, seed: int) -> Any:
    from sklearn.decomposition import PCA

    if min(A.shape) <= 2:
        return PCA(min(A.shape), svd_solver="full").fit(A)
    return PCA(2, svd_solver="arpack", random_state=seed).fit(A)  # which finds no more directions than are wanted


def _umap(A: Array, seed: int) -> Any:
    try:
        from umap import UMAP
    except ModuleNotFoundError as error:
        raise missing_package("the method umap", error, "umap") from error
    # One seed, one thread: the same images then give the same map.
    with UMAP_AT_WORK:
        return UMAP(n_neighbors=min(15, len(A) - 1), random_state=seed, n_jobs=1, init="pca").fit(A)


METHODS: dict[str, Callable[[Array, int], Any]] = {"pca": _pca, "umap": _umap}
"""How a map can be made, by name."""


def _plane(coordinates: Array) -> NDArray[np.float64]:
    """Return coordinates (n, 2); where there is only one direction, the other is 0."""
    plane = np.zeros((len(coordinates), 2))
    plane[:, : coordinates.shape[1]] = coordinates
    return plane
