"""A trained network with all that it takes to use it: how pictures become inputs, and what the outputs are called."""

from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .data import Preprocessing, as_pixels
from .errors import DataError, FileError
from .files import open_tensors, write_tensors
from .nn import Network, softmax, tensor_shapes
from .nn.types import Array

__all__ = ["Model"]

VERSION = "1"
BLOCK = 512  # images at a time: their activations stay in the processor's cache


class _Header(BaseModel):
    """What a model file says of itself, checked before any of it is believed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    layers: Annotated[list[dict[str, Any]], Field(max_length=1_000)]
    dtype: Literal["float32", "float64"]
    classes: Annotated[list[str], Field(min_length=2, max_length=100_000)]
    preprocessing: dict[str, Any]
    trained_on: str
    fingerprint: str


class Model:
    """A network that recognises pictures.

    Args:
        network: maps prepared images (n, h·w) to logits (n, k).
        preprocessing: how images become its inputs.
        classes: the name of each of the k classes.
        trained_on: the data set's source, as `glassnet.load_dataset` takes it.
        fingerprint: of that data set.
    """

    def __init__(
        self,
        network: Network,
        preprocessing: Preprocessing,
        classes: tuple[str, ...],
        trained_on: str = "",
        fingerprint: str = "",
    ) -> None:
        self.network, self.preprocessing, self.classes = network, preprocessing, classes
        self.trained_on, self.fingerprint = trained_on, fingerprint

    def __repr__(self) -> str:
        height, width = self.image_shape
        parameters = f"{self.network.parameters.size:,} parameters"
        return f"Model({height}×{width} pixels to {len(self.classes)} classes, {parameters})"

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images that it takes, in pixels."""
        return self.preprocessing.height, self.preprocessing.width

    def logits(self, images: NDArray[Any]) -> Array:
        """Return the network's outputs (n, k) for images (n, h, w) or (n, h·w), or for one image (h, w).

        Raises:
            DataError: images of another shape, or pixels that are not 0 … 255.
        """
        pixels = as_pixels(images, self.image_shape)
        Z = np.empty((len(pixels), len(self.classes)), self.network.dtype)
        for start in range(0, len(pixels), BLOCK):
            X = self.preprocessing.apply(pixels[start : start + BLOCK], dtype=self.network.dtype)
            Z[start : start + BLOCK] = self.network.forward(X)
        return Z

    def predict_proba(self, images: NDArray[Any]) -> Array:
        """Return the probability of each class (n, k) for images (n, h, w); raises as `logits` does."""
        return softmax(self._finite_logits(images))

    def predict(self, images: NDArray[Any]) -> NDArray[np.int64]:
        """Return the index of the most probable class (n,) for images (n, h, w); raises as `logits` does.

        For digits the index is the digit; otherwise `classes` has the name that belongs to it.
        """
        labels: NDArray[np.int64] = self._finite_logits(images).argmax(axis=1)
        return labels

    def _finite_logits(self, images: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            Z = self.logits(images)
        if not np.isfinite(Z).all():
            raise DataError("the model's weights are so large that its answer is no number; train it anew")
        return Z

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file.

        Raises:
            FileError: the file cannot be written, or a parameter is not finite; what was there before is still there.
        """
        tensors = self.network.named_parameters | self.network.named_statistics
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                raise FileError(f"{path}: not saved, since the parameter {name!r} holds a number that is not finite")
        header = _Header(
            layers=self.network.specification(),
            dtype="float64" if self.network.dtype == np.float64 else "float32",
            classes=list(self.classes),
            preprocessing=self.preprocessing.to_dict(),
            trained_on=self.trained_on,
            fingerprint=self.fingerprint,
        )
        metadata = {"kind": "model", "version": VERSION, "header": header.model_dump_json()}
        write_tensors(Path(path), tensors, metadata)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model from the file that `save` wrote. Everything in it is checked; nothing in it is executed.

        Raises:
            FileError: no such file, not a model of this version, or one whose parts do not fit together.
        """
        with open_tensors(Path(path), "model") as file:
            if file.metadata.get("version") != VERSION:
                raise FileError(
                    f"{path}: a model of version {file.metadata.get('version')!r}, and this glassnet reads "
                    f"version {VERSION!r}; use the glassnet that wrote it"
                )
            try:
                header = _Header.model_validate_json(file.metadata.get("header", ""))
                preprocessing = Preprocessing.from_dict(header.preprocessing)
                inputs = preprocessing.height * preprocessing.width
                shapes, output_shape = tensor_shapes(header.layers, (inputs,))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "header"
                raise FileError(f"{path}: damaged metadata: {where}: {first['msg'].lower()}") from error
            except (ValueError, TypeError) as error:
                raise FileError(f"{path}: damaged metadata: {error}") from error
            if output_shape != (len(header.classes),):
                raise FileError(f"{path}: the network has outputs {output_shape} for {len(header.classes)} classes")
            if len(set(header.classes)) < len(header.classes):
                raise FileError(f"{path}: damaged metadata: two classes have the same name")
            tensors = {name: file.read(name, shape, header.dtype) for name, shape in shapes.items()}
            for name, tensor in tensors.items():
                if name.endswith(".running_variance") and (tensor < 0).any():
                    raise FileError(f"{path}: the tensor {name!r} holds a negative variance")
        network = Network.from_specification(header.layers, inputs, dtype=header.dtype, seed=None)
        for name, view in (network.named_parameters | network.named_statistics).items():
            view[...] = tensors[name]
        return cls(network, preprocessing, tuple(header.classes), header.trained_on, header.fingerprint)
