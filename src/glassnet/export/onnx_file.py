"""A model as an ONNX graph, including the preprocessing, for onnxruntime and other ONNX runtimes.

    images (n, h, w) uint8 -> X = pixel · scale + shift -> layers -> softmax -> probabilities (n, k), label (n)

The graph of an ensemble has the layers of each member, and the mean of their probabilities. That of an estimator begins
with X (n, d) itself.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import ConfigError, FileError, missing_package
from ..model import Model
from ..nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Bias,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    SpatialDropout2D,
    Tanh,
    softmax,
)
from ..nn.types import Shape

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from ..classifier import DigitClassifier

__all__ = ["onnx_graph"]

# Of August 2021. Its operators are enough, and a runtime refuses a file that is newer than itself.
OPSET, IR_VERSION = 15, 8
CLOSE = 1e-3  # to the model's own probabilities: rounding in large inputs, but no other mathematics
TRIED = 32  # images on which that is checked


def onnx_graph(model: "Model | DigitClassifier") -> "ModelProto":
    """Return a model as an ONNX graph that ONNX's checker has passed and that its reference runtime agrees with.

    The input is ``images`` (n, h, w) uint8, of any n; that of an estimator is ``X`` (n, d), of the type it learned. The
    outputs are ``probabilities`` (n, k) in the model's own precision and ``label`` (n,) int64, an index into the
    classes. The metadata have the names of the classes and, of a model, whether the images are dark on light (both in
    JSON), and what data it learned.

    Args:
        model: a model, or an estimator that is fitted.

    Raises:
        ConfigError: the package onnx is not installed, or a layer is not supported.
        DataError: the model's weights are so large that its output is NaN.
        FileError: the output of the graph differs from the model's.
        NotFittedError: the estimator has learned nothing.
    """
    try:
        from onnx import checker, helper
    except ModuleNotFoundError as error:
        raise missing_package("ONNX", error, "onnx") from error
    from ..classifier import DigitClassifier

    if not isinstance(model, Model | DigitClassifier):
        raise ConfigError(f"a {type(model).__name__} cannot be exported; give a Model or a fitted DigitClassifier")
    body, metadata = _of_model(model) if isinstance(model, Model) else _of_estimator(model)
    proto = helper.make_model(
        body,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="glassnet",
        producer_version=__version__,
    )
    helper.set_model_props(proto, metadata)
    checker.check_model(proto, full_check=True)
    _compare(proto, model)
    return proto


def _of_model(model: Model) -> tuple[Any, dict[str, str]]:
    """Return the graph of a model, and its metadata."""
    from onnx import TensorProto, helper

    graph, (height, width) = _Graph(model.network.dtype), model.image_shape
    X = graph.add("Cast", "images", to=graph.number)
    X = graph.add("Flatten", X, axis=1)
    X = graph.add("Mul", X, graph.constant("scale", model.preprocessing.scale))
    X = graph.add("Add", X, graph.constant("shift", model.preprocessing.shift))
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", height, width])
    metadata = {
        "classes": json.dumps(model.classes),
        "dark_on_light": json.dumps(model.preprocessing.dark_on_light),
        "trained_on": Path(model.trained_on).name,  # of a path its end: a file that is passed on need not tell the rest
        "fingerprint": model.fingerprint,
    }
    return _body(graph, images, X, model.networks), metadata


def _of_estimator(model: "DigitClassifier") -> tuple[Any, dict[str, str]]:
    """Return the graph of an estimator, and its metadata."""
    from onnx import helper

    network = model.network_
    graph = _Graph(network.dtype)
    rows = helper.make_tensor_value_info("X", graph.number, ["n", *network.input_shape])
    return _body(graph, rows, "X", [network]), {"classes": json.dumps(model.classes_.tolist(), default=str)}


def _body(graph: "_Graph", given: Any, X: str, networks: Sequence[Network]) -> Any:
    """Return a whole graph: from what is ``given`` to the inputs X, and on to the probabilities of the networks."""
    from onnx import TensorProto, helper

    answers = [graph.add("Softmax", _layers(graph, X, network), axis=1) for network in networks]
    total = graph.add("Sum", *answers)
    graph.add("Div", total, graph.constant("members", len(answers)), output="probabilities")
    graph.add("ArgMax", "probabilities", output="label", axis=1, keepdims=0)
    [classes] = networks[0].output_shape
    outputs = [
        helper.make_tensor_value_info("probabilities", graph.number, ["n", classes]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
    ]
    return helper.make_graph(graph.nodes, "glassnet", [given], outputs, graph.constants)


class _Graph:
    """Nodes and constants as they are added.

    Attributes:
        shape: of an example that the next layer gets. ONNX has the channels of images first, (c, h, w), and so has the
            graph from the layer that makes images to the one that makes rows of them.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        from onnx import helper

        self.shape: Shape = ()
        self.dtype, self.number = dtype, helper.np_dtype_to_tensor_dtype(dtype)
        self.nodes: list[NodeProto] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        output = output or f"{kind}-{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Add numbers in the model's precision and return their name."""
        from onnx import numpy_helper

        name = f"{name}-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, self.dtype), name))
        return name

    def whole_numbers(self, name: str, value: Any) -> str:
        """Add whole numbers and return their name."""
        from onnx import numpy_helper

        name = f"{name}-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.int64), name))
        return name

    def parameters(self, layer: Layer, *names: str) -> list[str]:
        """Add arrays of a layer and return their names."""
        return [self.constant(name, getattr(layer, name)) for name in names]


def _layers(graph: _Graph, X: str, network: Network) -> str:
    """Add layers, one after the other, and return the name of the last one's output."""
    graph.shape = (math.prod(network.input_shape),)
    for layer in network.layers:
        if type(layer) not in NODES:
            raise ConfigError(f"{type(layer).__name__}: not supported by the ONNX export; use another layer")
        X = NODES[type(layer)](graph, X, layer)
        graph.shape = layer.output_shape(graph.shape)
    return X


def _dense(graph: _Graph, X: str, layer: Any) -> str:
    return graph.add("Gemm", X, *graph.parameters(layer, "W", "b"))


def _bias(graph: _Graph, X: str, layer: Any) -> str:
    b = layer.b.transpose(2, 0, 1) if layer.b.ndim == 3 else layer.b
    return graph.add("Add", X, graph.constant("b", b))


def _conv(graph: _Graph, X: str, layer: Any) -> str:
    window = layer.window(*graph.shape[:2])
    W, b = graph.constant("W", layer.W.transpose(3, 2, 0, 1)), graph.constant("b", layer.b)
    pads = [window.top, window.left, window.bottom, window.right]
    return _single(graph, "Conv", X, W, b, strides=[window.stride] * 2, pads=pads)


def _pool(graph: _Graph, kind: str, X: str, layer: Any) -> str:
    window = layer.window()
    return _single(graph, kind, X, kernel_shape=[window.height, window.width], strides=[window.stride] * 2)


def _single(graph: _Graph, kind: str, *inputs: str, **attributes: Any) -> str:
    """Add a node that onnxruntime has in float32 alone."""
    from onnx import TensorProto

    if graph.number == TensorProto.FLOAT:
        return graph.add(kind, *inputs, **attributes)
    single = [graph.add("Cast", name, to=TensorProto.FLOAT) for name in inputs]
    return graph.add("Cast", graph.add(kind, *single, **attributes), to=graph.number)


def _reshape(graph: _Graph, X: str, layer: Any) -> str:
    Y = graph.add("Reshape", X, graph.whole_numbers("shape", [-1, *layer.shape]))
    return graph.add("Transpose", Y, perm=[0, 3, 1, 2]) if len(layer.shape) == 3 else Y


def _flatten(graph: _Graph, X: str, _layer: Any) -> str:
    rows_last = graph.add("Transpose", X, perm=[0, 2, 3, 1]) if len(graph.shape) == 3 else X
    return graph.add("Flatten", rows_last, axis=1)


def _batch_norm(graph: _Graph, X: str, layer: Any) -> str:
    arrays = graph.parameters(layer, "gamma", "beta", "running_mean", "running_variance")
    return graph.add("BatchNormalization", X, *arrays, epsilon=layer.epsilon)


def _leaky_relu(graph: _Graph, Z: str, layer: Any) -> str:
    # As max(Z, s Z): onnxruntime has ONNX's own LeakyRelu in float32 alone.
    return graph.add("Max", Z, graph.add("Mul", Z, graph.constant("slope", layer.slope)))


def _gelu(graph: _Graph, Z: str, _layer: Any) -> str:
    """Add ½ Z (1 + tanh(c (Z + 0.044715 Z³))), c = √(2/π); ONNX's own Gelu is newer, and float32 alone."""
    cube = graph.add("Mul", graph.add("Mul", Z, Z), Z)
    u = graph.add("Add", Z, graph.add("Mul", cube, graph.constant("cubic", 0.044715)))
    t = graph.add("Tanh", graph.add("Mul", u, graph.constant("c", math.sqrt(2 / math.pi))))
    half = graph.add("Mul", Z, graph.constant("half", 0.5))
    return graph.add("Mul", half, graph.add("Add", t, graph.constant("one", 1)))


NODES: dict[type[Layer], Callable[[_Graph, str, Any], str]] = {
    Dense: _dense,
    Bias: _bias,
    BatchNorm: _batch_norm,
    Dropout: lambda _graph, X, _layer: X,  # predicting, it does nothing
    SpatialDropout2D: lambda _graph, X, _layer: X,
    Conv2D: _conv,
    MaxPool2D: lambda graph, X, layer: _pool(graph, "MaxPool", X, layer),
    AveragePool2D: lambda graph, X, layer: _pool(graph, "AveragePool", X, layer),
    GlobalAveragePool2D: lambda graph, X, _layer: graph.add("ReduceMean", X, axes=[2, 3], keepdims=0),
    Reshape: _reshape,
    Flatten: _flatten,
    ReLU: lambda graph, X, _layer: graph.add("Relu", X),
    LeakyReLU: _leaky_relu,
    GELU: _gelu,
    Sigmoid: lambda graph, X, _layer: graph.add("Sigmoid", X),
    Tanh: lambda graph, X, _layer: graph.add("Tanh", X),
}


def _compare(proto: "ModelProto", model: "Model | DigitClassifier") -> None:
    """Check that a graph gives the output of the model; raise FileError if it does not."""
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(0)
    if isinstance(model, Model):
        form = model.preprocessing
        images = rng.integers(0, 256, (TRIED, form.height, form.width), np.uint8)
        given: dict[str, Any] = {"images": images}
        expected = model.predict_proba(images)
    else:
        network = model.network_
        given = {"X": rng.normal(size=(TRIED, *network.input_shape)).astype(network.dtype)}
        expected = softmax(network.forward(given["X"]))
    with np.errstate(all="ignore"):
        [found] = list(ReferenceEvaluator(proto).run(["probabilities"], given))
    apart = float(np.abs(np.asarray(found) - expected).max())
    if not apart <= CLOSE:  # not true of NaN
        raise FileError(
            f"the ONNX graph's probabilities differ by up to {apart:.1g} from the model's own; not exported"
        )
