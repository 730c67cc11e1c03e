"""The form of a model file: its header, its tensors, and what is checked when it is read."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .data import Preprocessing
from .doubt import Doubt
from .errors import FileError
from .files import as_path
from .nn import Network, tensor_shapes
from .nn.types import Array, Shape
from .tensor_files import open_tensors, write_tensors

__all__ = ["MAX_MEMBERS", "ModelParts", "model_metadata", "read_model", "write_model"]

VERSION = "3"  # of a model file; it has a digest, so that a damaged one is not taken for an older file
ONE, SEVERAL = "1", "2"  # older versions, some without a digest: of one network, and of more
MAX_MEMBERS = 100


class ModelParts(NamedTuple):
    """What a model is made of, as `glassnet.Model` describes it."""

    networks: Sequence[Network]
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    trained_on: str
    fingerprint: str
    seen: Sequence[str]
    doubts: Doubt | None


class _Header(BaseModel):
    """What a model file says of itself, checked before any of it is believed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    layers: Annotated[list[dict[str, Any]], Field(max_length=1_000)]
    dtype: Literal["float32", "float64"]
    classes: Annotated[list[str], Field(min_length=2, max_length=100_000)]
    preprocessing: dict[str, Any]
    trained_on: str
    fingerprint: str
    members: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] = 1
    seen: list[str] = []
    weights: Literal["float16"] | None = None  # None: as dtype says


def write_model(path: str | PathLike[str], parts: ModelParts, *, durable: bool = True) -> None:
    """Write a model to a file, as `glassnet.Model.save` describes it.

    Raises:
        FileError: the file cannot be written, or a parameter is not finite; what was there before is still there.
    """
    tensors = _named_tensors(parts.networks)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise FileError(f"{path}: not saved, since the parameter {name!r} holds a number that is not finite")
    write_tensors(as_path(path), tensors, model_metadata(parts), durable=durable)


def model_metadata(parts: ModelParts, weights: Literal["float16"] | None = None) -> dict[str, str]:
    """Return what a model file says beside its tensors; ``weights`` is their type where it is not the network's."""
    network = parts.networks[0]
    header = _Header(
        layers=network.specification(),
        dtype="float64" if network.dtype == np.float64 else "float32",
        classes=list(parts.classes),
        preprocessing=parts.preprocessing.to_dict(),
        trained_on=parts.trained_on,
        fingerprint=parts.fingerprint,
        members=len(parts.networks),
        seen=list(parts.seen),
        weights=weights,
    )
    metadata = {"kind": "model", "version": VERSION, "header": header.model_dump_json(exclude_defaults=True)}
    if parts.doubts is not None:
        metadata["doubt"] = parts.doubts.to_json()
    return metadata


def read_model(path: str | PathLike[str]) -> ModelParts:
    """Read what `write_model` wrote. Everything in it is checked; nothing in it is executed.

    Raises:
        FileError: no such file, not a model of this version, or one whose parts do not fit together.
    """
    with open_tensors(as_path(path), "model") as file:
        header, preprocessing, shapes = _read_header(path, file.metadata)
        expected = _expected_tensors(header, shapes)
        if strangers := sorted(file.shapes.keys() - expected.keys()):
            raise FileError(f"{path}: the tensor {strangers[0]!r} belongs to none of the layers: a damaged file")
        tensors = file.read_all(expected, undigested=file.metadata["version"] != VERSION)
        for name, tensor in tensors.items():
            if name.endswith(".running_variance") and (tensor < 0).any():
                raise FileError(f"{path}: the tensor {name!r} holds a negative variance")
    networks = _made_of(tensors, header, preprocessing.height * preprocessing.width)
    try:
        doubts = Doubt.from_json(text, networks[0]) if (text := file.metadata.get("doubt")) else None
    except (ValueError, TypeError, RecursionError) as error:
        raise FileError(f"{path}: damaged metadata: {error}") from error
    about = header.trained_on, header.fingerprint, header.seen
    return ModelParts(networks, preprocessing, tuple(header.classes), *about, doubts)


def _read_header(
    path: str | PathLike[str], metadata: Mapping[str, str]
) -> tuple[_Header, Preprocessing, dict[str, Shape]]:
    """Return the header, its preprocessing, and the shape of each tensor of one of the networks that it describes."""
    version = metadata.get("version")
    if version not in (ONE, SEVERAL, VERSION):
        raise FileError(
            f"{path}: a model of version {version!r}, and this glassnet reads "
            f"versions {ONE!r} to {VERSION!r}; use the glassnet that wrote it"
        )
    try:
        header = _Header.model_validate_json(metadata.get("header", ""))
        preprocessing = Preprocessing.from_dict(header.preprocessing)
        shapes, output_shape = tensor_shapes(header.layers, (preprocessing.height * preprocessing.width,))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "header"
        raise FileError(f"{path}: damaged metadata: {where}: {first['msg'].lower()}") from error
    except (ValueError, TypeError) as error:
        raise FileError(f"{path}: damaged metadata: {error}") from error
    if version not in (VERSION, ONE if header.members == 1 else SEVERAL):
        raise FileError(f"{path}: damaged metadata: version {version!r} with {header.members} members")
    if output_shape != (len(header.classes),):
        raise FileError(f"{path}: the network has outputs {output_shape} for {len(header.classes)} classes")
    if len(set(header.classes)) < len(header.classes):
        raise FileError(f"{path}: damaged metadata: two classes have the same name")
    return header, preprocessing, shapes


def _expected_tensors(header: _Header, shapes: Mapping[str, Shape]) -> dict[str, tuple[Shape, str]]:
    """Return shape and dtype of each tensor that belongs in the file.

    Running averages are never in float16, which may be too small for them.
    """
    return {
        prefix + name: (shape, header.dtype if ".running_" in name else header.weights or header.dtype)
        for prefix in _prefixes(header.members)
        for name, shape in shapes.items()
    }


def _made_of(tensors: Mapping[str, NDArray[Any]], header: _Header, inputs: int) -> list[Network]:
    """Return the networks of a header, with the numbers in the tensors."""
    networks = [
        Network.from_specification(header.layers, inputs, dtype=header.dtype, seed=None) for _ in range(header.members)
    ]
    for name, view in _named_tensors(networks).items():
        view[...] = tensors[name]
    return networks


def _named_tensors(networks: Sequence[Network]) -> dict[str, Array]:
    """Return views of the networks' tensors by their names in a model file."""
    return {
        prefix + name: view
        for prefix, network in zip(_prefixes(len(networks)), networks, strict=True)
        for name, view in (network.named_parameters | network.named_statistics).items()
    }


def _prefixes(members: int) -> list[str]:
    """Return how the names of each network's tensors begin in a model file."""
    return [""] if members == 1 else [f"member-{number}." for number in range(1, members + 1)]
