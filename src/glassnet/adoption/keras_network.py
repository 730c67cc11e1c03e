"""A Keras ``Sequential`` model as a file: .keras, or .h5 of Keras 2 and 3. Only its numbers and settings are read.

A .keras file is a zip archive of ``config.json`` and ``model.weights.h5``, where a layer's variables are
``layers/<kind of layer>_<count>/vars/<number>``. An .h5 file has the configuration in an attribute, and the variables
of each layer in ``model_weights/<its name>``.
"""

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import FileError, GlassnetError, missing_package
from ..nn import (
    AveragePool2D,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    SpatialDropout2D,
    Tanh,
)
from ..tensor_files import MAX_TENSOR_FILE_BYTES
from .reading import Numbers, Reading

__all__ = ["read_keras"]

Config: TypeAlias = Mapping[str, Any]
Variables: TypeAlias = Callable[[str, str], list[Numbers]]  # of a layer, by its kind and its name

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}

# What zipfile, json and h5py raise on damaged files, and what a configuration of another form comes to.
_DAMAGE = (OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error)


def read_keras(path: Path) -> Reading:
    """Read a Keras file.

    Raises:
        ConfigError: the package h5py is not installed, or a layer is not here.
        FileError: not a Keras file of a Sequential model, or one that is damaged or too large.
    """
    try:
        with _opened(path) as (config, variables):
            if config["class_name"] != "Sequential":
                raise FileError(f"{path}: a {config['class_name']} model; give a Sequential one, or export it to ONNX")
            reading = Reading(str(path))
            for layer in config["config"]["layers"]:
                _add(reading, layer["class_name"], layer["config"], variables)
            return reading
    except GlassnetError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"{path}: not a readable Keras file ({reason})") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Config, Variables]]:
    """Open a file of either kind: its configuration, and what gives a layer's variables."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise missing_package("reading a Keras file", error, "keras") from error
    if path.stat().st_size > MAX_TENSOR_FILE_BYTES:
        raise FileError(f"{path}: more than {MAX_TENSOR_FILE_BYTES:,} bytes, which is too large to adopt")
    if not zipfile.is_zipfile(path):
        with h5py.File(path, "r") as file:
            config = json.loads(file.attrs["model_config"])
            weights = _reached(file, "model_weights", path)
            yield config, lambda _kind, name: _by_names(weights, name, path)
        return
    with zipfile.ZipFile(path) as archive:
        config = json.loads(_member(archive, "config.json", path))
        with h5py.File(io.BytesIO(_member(archive, "model.weights.h5", path)), "r") as file:
            counts: Counter[str] = Counter()
            layers = _reached(file, "layers", path)
            yield config, lambda kind, _name: _by_counts(layers, kind, counts, path)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > MAX_TENSOR_FILE_BYTES:
        raise FileError(f"{path}: {name} is too large to adopt")
    return archive.read(name)


def _by_names(weights: Any, layer: str, path: Path) -> list[Numbers]:
    """Return the variables of a layer in an .h5 file, in the order that the file gives."""
    group = _reached(weights, layer, path)
    names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]
    return [_numbers(_reached(group, name, path), path) for name in names]


def _by_counts(layers: Any, kind: str, counts: Counter[str], path: Path) -> list[Numbers]:
    """Return the variables of the next layer of a kind in a .keras file, where its own name is not used."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
    number = counts[kind]
    counts[kind] += 1
    variables = _reached(layers, f"{name}_{number}/vars" if number else f"{name}/vars", path)
    return [_numbers(_reached(variables, str(i), path), path) for i in range(len(variables))]


def _reached(group: Any, name: str, path: Path) -> Any:
    """Return what a group has under a name, without following a link: one could lead to any file of this machine."""
    import h5py

    for part in name.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise FileError(f"{path}: nothing called {name}, or only a link; is it a whole model, saved by Keras?")
        group = group[part]
    return group


def _numbers(dataset: Any, path: Path) -> Numbers:
    """Return the numbers of an array, whose size is checked first."""
    if dataset.external or dataset.is_virtual or dataset.nbytes > MAX_TENSOR_FILE_BYTES:
        raise FileError(f"{path}: {dataset.name} is too large, or in another file")
    return np.array(dataset)


def _add(reading: Reading, kind: str, config: Config, variables: Variables) -> None:
    name = f"layer {config.get('name')} ({kind})"
    if kind == "Dense":
        arrays = variables(kind, config["name"])
        reading.add_dense(arrays[0], arrays[1] if config["use_bias"] else None)
        _add_activation(reading, name, config["activation"])
    elif kind == "BatchNormalization":
        learned = iter(variables(kind, config["name"]))
        gamma = next(learned) if config["scale"] else None
        beta = next(learned) if config["center"] else None
        reading.add_batch_norm(config["epsilon"], gamma, beta, next(learned), next(learned))
    elif kind == "Activation":
        _add_activation(reading, name, config["activation"])
    elif kind == "ReLU" and not (config.get("max_value") or config.get("negative_slope") or config.get("threshold")):
        reading.add(ReLU())
    elif kind == "LeakyReLU":
        reading.add(LeakyReLU(float(config.get("negative_slope", config.get("alpha", 0.3)))))
    elif kind == "Softmax" and config.get("axis", -1) in (-1, 1):
        reading.end("softmax")
    elif kind in ("Dropout", "SpatialDropout2D"):
        reading.add((Dropout if kind == "Dropout" else SpatialDropout2D)(config["rate"]))
    elif kind == "Flatten":
        reading.add(Flatten())
    elif kind != "InputLayer" and not (kind == "Reshape" and not reading.parts and config["target_shape"][-1] == 1):
        if not _is_plain(config):
            raise reading.unknown(name, "is not in glassnet with these settings")
        _add_of_images(reading, kind, config, variables)


def _is_plain(config: Config) -> bool:
    """Whether a layer of images has none of the settings that glassnet has not."""
    strides = config.get("strides") or [1]
    groups, dilation = config.get("groups", 1), set(config.get("dilation_rate", [1]))
    return len(set(strides)) == 1 and groups == 1 and dilation == {1} and config.get("data_format") != "channels_first"


def _add_of_images(reading: Reading, kind: str, config: Config, variables: Variables) -> None:
    name = f"layer {config.get('name')} ({kind})"
    if kind == "Conv2D":
        arrays = variables(kind, config["name"])
        bias = arrays[1] if config["use_bias"] else None
        reading.add_convolution(arrays[0], bias, config["strides"][0], config["padding"])
        _add_activation(reading, name, config["activation"])
    elif kind == "GlobalAveragePooling2D" and not config.get("keepdims"):
        reading.add(GlobalAveragePool2D())
    elif (
        kind in ("MaxPooling2D", "AveragePooling2D")
        and config["padding"] == "valid"
        and len({*config["pool_size"]}) == 1
    ):
        pool = MaxPool2D if kind == "MaxPooling2D" else AveragePool2D
        reading.add(pool(config["pool_size"][0], (config["strides"] or config["pool_size"])[0]))
    else:
        raise reading.unknown(name)


def _add_activation(reading: Reading, name: str, activation: object) -> None:
    if activation == "softmax":
        reading.end("softmax")
    elif activation == "log_softmax":
        reading.end("log-softmax")
    elif isinstance(activation, str) and activation in ACTIVATIONS:
        reading.add(ACTIVATIONS[activation]())
    elif activation != "linear":
        raise reading.unknown(name, f"has the activation {activation!r:.60}, which is not one of glassnet's")
