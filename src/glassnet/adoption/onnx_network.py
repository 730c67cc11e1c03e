"""An ONNX file: a chain of nodes from one input to one output."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileError, missing_package
from ..nn import (
    GELU,
    AveragePool2D,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)
from .reading import Numbers, Reading

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["read_onnx"]

IGNORED = ("Identity", "Cast", "Squeeze")
"""What does nothing to rows of numbers. That they are rows is what the comparison of probabilities tells."""
SCALING = ("Mul", "Div", "Add", "Sub")


def read_onnx(path: Path) -> Reading:
    """Read an ONNX file, and let ONNX's reference runtime answer for it.

    Raises:
        ConfigError: the package onnx is not installed, or a node is not a layer that is here.
        FileError: not an ONNX file, or a graph that is not a chain.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import checker
    except ModuleNotFoundError as error:
        raise missing_package("reading ONNX", error, "onnx") from error
    try:
        proto = onnx.load(path)
        checker.check_model(proto)
    except (DecodeError, checker.ValidationError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise FileError(f"{path}: not a readable ONNX file ({reason})") from error
    constants = _constants(proto)
    nodes, given, output = _chain(proto, set(constants), path)
    reading = Reading(str(path), lambda X: _run(proto, given, output, X))
    reading.channels_first = True
    reading.takes_pixels = _dtype(given).kind in "iu"
    for node in nodes:
        if not _scales(reading, node, constants):
            _add(reading, node, [constants[name] for name in node.input if name in constants])
    return reading


def _constants(proto: "ModelProto") -> dict[str, Numbers]:
    """Return the numbers that are part of the graph, by name."""
    from onnx import numpy_helper

    found = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Constant" and (value := _attributes(node).get("value")) is not None:
            found[node.output[0]] = numpy_helper.to_array(value)
    return found


def _attributes(node: "NodeProto") -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _chain(proto: "ModelProto", constants: set[str], path: Path) -> tuple[list["NodeProto"], Any, str]:
    """Return the nodes from the input to the output, the input, and the output's name."""
    from onnx import TensorProto

    inputs = {each.name: each for each in proto.graph.input if each.name not in constants}
    numbers = [
        each.name
        for each in proto.graph.output
        if each.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)
    ]
    if len(inputs) != 1 or len(numbers) != 1:
        raise FileError(
            f"{path}: {len(inputs)} inputs and {len(numbers)} outputs of numbers; a network with one each is needed"
        )
    producers = {name: node for node in proto.graph.node for name in node.output}
    nodes: list[NodeProto] = []
    name = numbers[0]
    while name not in inputs:
        node = producers.get(name)
        before = [each for each in node.input if each and each not in constants] if node else []
        if node is None or len(before) != 1:
            where = f"{node.op_type} has {len(before)} inputs" if node else f"{name} comes from nowhere"
            raise FileError(f"{path}: not a chain of layers: {where}")
        nodes.append(node)
        name = before[0]
    return nodes[::-1], inputs[name], numbers[0]


def _scales(reading: Reading, node: "NodeProto", constants: dict[str, Numbers]) -> bool:
    """Take what scales or shifts the inputs by one number before the first layer; return whether a node does."""
    kind = node.op_type
    if kind not in SCALING or any(not isinstance(part.layer, Flatten) for part in reading.parts):
        return False
    first, second = node.input
    number = constants.get(second, constants.get(first) if kind in ("Mul", "Add") else None)
    if number is None or number.size != 1 or (kind == "Div" and not number.any()):
        return False
    c = float(number.reshape(-1)[0])
    if kind in ("Mul", "Div"):
        factor = c if kind == "Mul" else 1 / c
        reading.scale, reading.shift = reading.scale * factor, reading.shift * factor
    else:
        reading.shift += c if kind == "Add" else -c
    return True


def _add(reading: Reading, node: "NodeProto", arrays: list[Numbers]) -> None:
    kind, settings = node.op_type, _attributes(node)
    if kind == "Gemm" and not settings.get("transA") and _is_one(settings, "alpha") and _is_one(settings, "beta"):
        W = arrays[0].T if settings.get("transB") else arrays[0]
        reading.add_dense(W, arrays[1].reshape(-1) if len(arrays) > 1 else None)
    elif kind == "MatMul" and len(arrays) == 1 and arrays[0].ndim == 2 and node.input[0]:
        reading.add_dense(arrays[0], None)
    elif kind == "Add" and len(arrays) == 1 and _takes_bias(reading, arrays[0]):
        last = reading.parts[-1].arrays
        last["b"] = last["b"] + arrays[0].reshape(-1)
    elif kind == "BatchNormalization" and len(arrays) == 4:
        reading.add_batch_norm(settings.get("epsilon", 1e-5), *arrays)
    elif kind in ("Relu", "Sigmoid", "Tanh"):
        reading.add({"Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh}[kind]())
    elif kind == "LeakyRelu":
        reading.add(LeakyReLU(settings.get("alpha", 0.01)))
    elif kind == "Gelu" and settings.get("approximate") == b"tanh":
        reading.add(GELU())
    elif kind == "Dropout":
        reading.add(Dropout(0.0))
    elif kind in ("Softmax", "LogSoftmax"):
        reading.end("softmax" if kind == "Softmax" else "log-softmax")
    elif kind in ("Flatten", "Reshape"):
        reading.add(Flatten())
    elif kind == "Transpose" and settings.get("perm") == [0, 2, 3, 1]:
        reading.channels_first = False  # for the rows that follow
    elif kind == "ReduceMean" and settings.get("axes") == [2, 3] and not settings.get("keepdims", 1):
        reading.add(GlobalAveragePool2D())
    elif not _does_nothing(node, arrays) and not _add_of_images(reading, kind, settings, arrays):
        raise reading.unknown(f"the node {kind}", "is not a layer of glassnet, or not with these settings")


def _does_nothing(node: "NodeProto", arrays: list[Numbers]) -> bool:
    """Whether a node does nothing to rows, such as the mean that glassnet's own file takes over a single network."""
    kind = node.op_type
    alone = kind == "Sum" and len(node.input) == 1
    by_one = kind == "Div" and len(arrays) == 1 and bool((arrays[0] == 1).all())
    channels_first = kind == "Transpose" and _attributes(node).get("perm") == [0, 3, 1, 2]  # of gray images
    return kind in IGNORED or alone or by_one or channels_first


def _add_of_images(reading: Reading, kind: str, settings: dict[str, Any], arrays: list[Numbers]) -> bool:
    """Add a layer that takes images; return whether there is one with these settings."""
    if kind == "GlobalAveragePool":
        reading.add(GlobalAveragePool2D())
        return True
    strides, pads, size = settings.get("strides", [1]), settings.get("pads", [0]), settings.get("kernel_shape", [0])
    automatic = {b"NOTSET": pads[0], b"VALID": 0, b"SAME_UPPER": "same"}.get(settings.get("auto_pad", b"NOTSET"))
    plain = len({*strides}) == len({*pads}) == 1 and {*settings.get("dilations", [1])} == {1} and automatic is not None
    if kind == "Conv" and plain and settings.get("group", 1) == 1 and arrays and arrays[0].ndim == 4:
        W, *b = arrays
        reading.add_convolution(W.transpose(2, 3, 1, 0), b[0] if b else None, strides[0], automatic or 0)
        return True
    if kind not in ("MaxPool", "AveragePool") or not plain or automatic or len({*size}) != 1:
        return False
    if settings.get("ceil_mode") or "kernel_shape" not in settings:
        return False
    reading.add((MaxPool2D if kind == "MaxPool" else AveragePool2D)(size[0], strides[0]))
    return True


def _is_one(settings: dict[str, Any], name: str) -> bool:
    return bool(settings.get(name, 1.0) == 1.0)


def _takes_bias(reading: Reading, array: Numbers) -> bool:
    """Whether the layer before is an affine map to which this can be added."""
    return bool(reading.parts) and "b" in reading.parts[-1].arrays and array.size == reading.parts[-1].arrays["b"].size


def _dtype(given: Any) -> np.dtype[Any]:
    """Return the type of a graph's inputs."""
    from onnx import helper

    return np.dtype(helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type))


def _run(proto: "ModelProto", given: Any, output: str, X: Numbers) -> Numbers:
    """Return the output of a graph for inputs (n, d), in ONNX's reference runtime."""
    from onnx.reference import ReferenceEvaluator

    shape_of = given.type.tensor_type.shape.dim
    sides = [dimension.dim_value for dimension in shape_of][1:]
    shape = sides if all(sides) else [X.shape[1]]
    rows = X.reshape(len(X), *shape).astype(_dtype(given))
    if shape_of and shape_of[0].dim_value == 1:  # exported for one example at a time
        return np.concatenate([_answer(ReferenceEvaluator(proto), given.name, output, row[None]) for row in rows])
    return _answer(ReferenceEvaluator(proto), given.name, output, rows)


def _answer(runtime: Any, given: str, output: str, rows: Numbers) -> Numbers:
    [answer] = runtime.run([output], {given: rows})
    return np.asarray(answer)
