"""`adopt`: a network that another framework trained, as a `Model`."""

from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import Dataset, Examples, Preprocessing, as_images
from ..data.arrays import class_names
from ..errors import ConfigError, DataError, FileError
from ..model import Model
from ..nn import (
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
    Reshape,
    Sigmoid,
    softmax,
)
from ..nn.types import Shape
from .keras_network import read_keras
from .onnx_network import read_onnx
from .reading import Numbers, Part, Reading
from .sklearn_network import read_sklearn
from .torch_network import is_torch, read_torch

__all__ = ["TOLERANCE", "adopt"]

TOLERANCE = 1e-5  # between the probabilities of a network and those of its model
OF_IMAGES = (Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D)
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib")


def adopt(
    source: Any,
    images: ArrayLike,
    *,
    scale: float = 1 / 255,
    shift: float = 0.0,
    classes: int | Sequence[str] | None = None,
    probabilities: ArrayLike | None = None,
) -> Model:
    """Make a model of a network that another framework trained.

    The probabilities of the model are compared with those of the network, for the images that are given. A Keras file
    is not run, so it is compared only where ``probabilities`` are given.

    Args:
        source: a fitted scikit-learn ``MLPClassifier``, a PyTorch ``Sequential``, or the path of an ONNX file
            (.onnx) or a Keras ``Sequential`` model (.keras, .h5). Of a file nothing is executed.
        images: (n, h, w), gray values from 0 to 255, in the form of those that the network was trained on. They also
            tell how large a digit is drawn, and whether it is dark.
        scale: the network is given ``pixel · scale + shift``. The default is fractions from 0 to 1. After torchvision's
            ``Normalize((0.1307,), (0.3081,))`` it is scale = 1 / 255 / 0.3081 and shift = −0.1307 / 0.3081.
            An ONNX file whose inputs are whole numbers is always given the pixels.
        shift: see scale.
        classes: the names of the classes, or their number. Default: those that the network knows, or 0, 1, …
        probabilities: (n, k), the network's own for ``images``.

    Raises:
        ConfigError: a source of another kind, a layer that is not here, or a missing package.
        DataError: images or classes that do not fit, or probabilities that differ by more than 1e-5.
        FileError: a file that cannot be read.
    """
    if isinstance(images, Dataset | Examples):
        raise DataError(f"images: a {type(images).__name__}; give an array of images, such as dataset.test.images")
    pixels = as_images(images)
    height, width = pixels.shape[1:]
    reading = _read(source, (height, width))
    _two_outputs(reading)
    network = _network(reading, height, width)
    [outputs] = network.output_shape
    names = class_names(classes or reading.classes or outputs)
    if len(names) != outputs:
        raise DataError(f"{reading.name}: {outputs} outputs for {len(names)} classes; give classes=, one name for each")
    form = Preprocessing.fit(Examples(pixels, np.zeros(len(pixels), np.int64)), "none")
    given = form if reading.takes_pixels else _scaled(form, scale, shift)
    whole = _scaled(form, given.scale * reading.scale, given.shift * reading.scale + reading.shift)
    model = Model(network, whole, names)
    _compare(model, reading, given, pixels, None if probabilities is None else np.asarray(probabilities))
    return model


def _read(source: Any, image_shape: tuple[int, int]) -> Reading:
    """Read a network of any kind."""
    if isinstance(source, str | PathLike):
        return _read_file(Path(fspath(source)))
    if is_torch(source):
        return read_torch(source, image_shape)
    if any(kind.__name__ == "MLPClassifier" for kind in type(source).__mro__):
        return read_sklearn(source)
    raise ConfigError(
        f"a {type(source).__name__} cannot be adopted; give a PyTorch Sequential, a fitted MLPClassifier, or the path "
        "of an ONNX or Keras file"
    )


def _read_file(path: Path) -> Reading:
    if not path.is_file():
        raise FileError(f"{path}: no such file; is the path right?")
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise ConfigError(
            f"{path}: a pickle can run any program, and is never read; export the network to ONNX, or call "
            "glassnet.adopt with the network itself"
        )
    if ending in (".keras", ".h5", ".hdf5"):
        return read_keras(path)
    if ending == ".onnx":
        return read_onnx(path)
    raise ConfigError(f"{path}: unknown kind of file; give one that ends in .onnx, .keras or .h5")


def _two_outputs(reading: Reading) -> None:
    """Make two logits, 0 and z, of a single z under a sigmoid: softmax of them is 1 − σ(z) and σ(z)."""
    *_, last = [Part(Dense(1), {}), *reading.parts]
    if not isinstance(last.layer, Sigmoid):
        return
    below = reading.parts[-2] if len(reading.parts) > 1 else last
    if reading.ending != "logits" or not isinstance(below.layer, Dense) or below.layer.units != 1:
        raise reading.unknown("the sigmoid at the end", "gives numbers that are no probabilities of classes")
    W, b = below.arrays["W"], below.arrays["b"]
    both = {"W": np.hstack([np.zeros_like(W), W]), "b": np.hstack([np.zeros_like(b), b])}
    reading.parts[-2:] = [Part(Dense(2), both)]
    reading.ending = "softmax"


def _network(reading: Reading, height: int, width: int) -> Network:
    """Return the network of the layers that were read, with their numbers."""
    of_images = any(isinstance(part.layer, OF_IMAGES) for part in reading.parts)
    first = next((part.arrays for part in reading.parts if part.arrays), None)
    if first is None:
        raise ConfigError(f"{reading.name}: no layer with weights")
    inputs = len(next(iter(first.values())))  # the rows of W, or as many as there are γ
    if not of_images and inputs != height * width:
        raise DataError(
            f"{reading.name}: takes {inputs} inputs, but images of {height}×{width} pixels have {height * width}"
        )
    try:
        parts = _in_place(reading, (height, width, 1)) if of_images else _without_flatten(reading.parts)
        arrays = {f"{i}.{name}": array for i, part in enumerate(parts) for name, array in part.arrays.items()}
        dtype = "float64" if all(array.dtype == np.float64 for array in arrays.values()) else "float32"
        network = Network([part.layer for part in parts], height * width, dtype=dtype, seed=None)
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{reading.name}: {error}") from error
    for name, view in (network.named_parameters | network.named_statistics).items():
        if arrays[name].shape != view.shape:
            raise ConfigError(f"{reading.name}: {name} has shape {arrays[name].shape}, expected {view.shape}")
        view[...] = arrays[name]
    return network


def _without_flatten(parts: list[Part]) -> list[Part]:
    """Leave out what does nothing where images come as rows."""
    return [part for part in parts if not isinstance(part.layer, Flatten)]


def _in_place(reading: Reading, shape: Shape) -> list[Part]:
    """Return layers that take rows of pixels and make images (h, w, 1) of them.

    Where the network has channels first, a row of its image is in another order than here, so the numbers of what takes
    such rows are reordered.
    """
    parts = [Part(Reshape(shape), {})]
    places: NDArray[np.int64] | None = None
    for layer, arrays in reading.parts:
        if isinstance(layer, Flatten):
            if len(shape) == 1 or len(parts) == 1:  # nothing to flatten, or an image that was a row to begin with
                continue
            if reading.channels_first:
                h, w, c = shape
                places = np.arange(h * w * c).reshape(c, h, w).transpose(1, 2, 0).ravel()
        if places is not None and isinstance(layer, Dense | BatchNorm):
            by_row = ("W",) if isinstance(layer, Dense) else tuple(arrays)
            arrays = {name: array[places] if name in by_row else array for name, array in arrays.items()}
            places = None if isinstance(layer, Dense) else places
        if isinstance(layer, Conv2D) and len(shape) == 3 and arrays["W"].shape[2] != shape[2]:
            count = arrays["W"].shape[2]
            raise ValueError(f"a convolution takes {count} channels where there are {shape[2]}; images are gray here")
        parts.append(Part(layer, arrays))
        shape = layer.output_shape(shape)
    return parts


def _scaled(form: Preprocessing, scale: float, shift: float) -> Preprocessing:
    try:
        return Preprocessing.from_dict(asdict(form) | {"scale": float(scale), "shift": float(shift)})
    except ValueError as error:
        raise ConfigError(str(error).removeprefix("preprocessing: ")) from error


def _compare(model: Model, reading: Reading, given: Preprocessing, pixels: Any, expected: Numbers | None) -> None:
    """Check that a model gives the probabilities of the network; raise DataError if it does not."""
    if expected is None:
        if reading.run is None:
            return
        X = given.apply(pixels, model.network.dtype).reshape(len(pixels), -1)
        expected = _probabilities(reading, reading.run(X))
    if expected.shape == (len(pixels), 1):
        expected = np.hstack([1 - expected, expected])
    found = model.predict_proba(pixels)
    if expected.shape != found.shape:
        raise DataError(f"{reading.name}: probabilities of shape {expected.shape}, expected {found.shape}")
    apart = float(np.abs(found - expected).max())
    if not apart <= TOLERANCE:  # not true of NaN
        raise DataError(
            f"{reading.name}: the model's probabilities differ by up to {apart:.1g} from the network's own, more than "
            f"{TOLERANCE:g}; are scale and shift those that it was trained with?"
        )


def _probabilities(reading: Reading, outputs: Numbers) -> Numbers:
    """Return a network's outputs as probabilities."""
    if reading.ending == "log-softmax":
        return np.exp(outputs)
    return outputs if reading.ending == "softmax" else softmax(outputs)
