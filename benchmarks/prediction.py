"""Prediction on 784-128-64-10: one image, and ten thousand at once, beside onnxruntime, PyTorch and plain NumPy.

All get the same weights and uint8 images, scale them, and return probabilities. The ONNX graph, which is built here
from the weights, begins with the scaling and ends with the softmax.

    python benchmarks/prediction.py [TRIALS SECONDS]     about a minute
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from contenders import THREADS, Steps
from glassnet import Model, load_dataset, nn
from glassnet.data import Preprocessing
from machine import describe_machine, save_result
from workers import Contest

SIZES = (784, 128, 64, 10)
COUNTS = (1, 10_000)

Predict = Callable[[], NDArray[np.float32]]  # the probabilities (n, 10)
Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def images(count: int) -> NDArray[np.uint8]:
    return load_dataset("mnist").test.images[:count]


def weights() -> Weights:
    """W (d_in, d_out) and b (d_out,) of each layer; what is predicted does not change how long it takes."""
    rng = np.random.default_rng(0)
    pairs = pairwise(SIZES)
    return [((rng.standard_normal((a, b)) / a**0.5).astype(np.float32), np.zeros(b, np.float32)) for a, b in pairs]


def with_glassnet(count: int, *, compiled: bool = False) -> Predict:
    """`Model.predict_proba`, with the threads that NumPy has by itself, or compiled, with as many."""
    layers: list[nn.Layer] = []
    for units in SIZES[1:-1]:
        layers += [nn.Dense(units), nn.ReLU()]
    network = nn.Network([*layers, nn.Dense(SIZES[-1])], SIZES[0])
    for i, (W, b) in enumerate(weights()):
        network.named_parameters[f"{2 * i}.W"][...], network.named_parameters[f"{2 * i}.b"][...] = W, b
    X = images(count)
    model = Model(network, Preprocessing.fit(load_dataset("mnist").train, "unit"), tuple("0123456789"))
    return partial((model.compile() if compiled else model).predict_proba, X)


def with_numpy(count: int) -> Predict:
    """The equations, as anybody would write them."""
    layers, X = weights(), images(count)

    def predict() -> NDArray[np.float32]:
        A = X.reshape(len(X), -1).astype(np.float32) / 255
        for W, b in layers[:-1]:
            A = np.maximum(A @ W + b, 0)
        W, b = layers[-1]
        Z = A @ W + b
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    return predict


def with_torch(count: int) -> Predict:
    import torch

    torch.set_num_threads(THREADS)
    layers = [(torch.from_numpy(W.T.copy()), torch.from_numpy(b)) for W, b in weights()]
    X = torch.from_numpy(images(count).copy())

    @torch.inference_mode()
    def predict() -> NDArray[np.float32]:
        A = X.flatten(1).float() / 255
        for W, b in layers[:-1]:
            A = torch.relu(torch.nn.functional.linear(A, W, b))
        return torch.softmax(torch.nn.functional.linear(A, *layers[-1]), dim=1).numpy()

    return predict


def onnx_graph() -> bytes:
    """Cast, Mul by 1/255, then a Gemm and a Relu for each hidden layer, a Gemm, and Softmax."""
    from onnx import TensorProto, checker, helper, numpy_helper

    constants = [numpy_helper.from_array(np.float32(1 / 255), "scale")]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["A"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["A", "scale"], ["A0"]),
    ]
    last = len(SIZES) - 2
    for i, (W, b) in enumerate(weights()):
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [f"A{i}", f"W{i}", f"b{i}"], [f"Z{i}"]))
        after = ["probabilities"] if i == last else [f"A{i + 1}"]
        nodes.append(helper.make_node("Softmax" if i == last else "Relu", [f"Z{i}"], after))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZES[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", SIZES[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    checker.check_model(model)
    return model.SerializeToString()


def with_onnxruntime(count: int) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(onnx_graph(), options, providers=["CPUExecutionProvider"])
    X = images(count).reshape(count, -1)
    return lambda: session.run(None, {"pixels": X})[0]


PREDICTION: dict[str, Callable[[int], Predict]] = {
    "glassnet": with_glassnet,
    "compiled": partial(with_glassnet, compiled=True),
    "onnxruntime": with_onnxruntime,
    "torch": with_torch,
    "numpy": with_numpy,
}


def prepared(name: str, count: int) -> Steps:
    """Return what predicts so many times; raise RuntimeError for a contender that answers otherwise than NumPy does."""
    predict = PREDICTION[name](count)
    if not np.allclose(predict(), with_numpy(count)(), atol=1e-4):
        raise RuntimeError("its probabilities are others than NumPy's")

    def times(n: int) -> None:
        for _ in range(n):
            predict()

    return times


def main(trials: int = 9, trial: float = 0.3) -> None:
    contest, counts = Contest({name: partial(prepared, name) for name in PREDICTION}), {}
    for count in COUNTS:
        counts[count] = contest.run((count,), trials, trial)
        print(count, *(f"{name} {min(row):.3g} s" for name, row in counts[count]["seconds"].items()), flush=True)
    contest.close()
    machine = describe_machine("numpy", "torch", "onnxruntime", "glassnet")
    save_result("prediction", {"machine": machine, "threads": THREADS, "trials": trials, "counts": counts})


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*map(int, arguments[:1]), *map(float, arguments[1:]))
