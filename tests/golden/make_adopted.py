"""Writes networks of other frameworks, and what they answer, for the tests of `glassnet.adopt`.

Made once, with torch 2.13.0, keras 3.15.1 (on torch) and onnx: ``python tests/golden/make_adopted.py``. The numbers are
drawn, not trained: nothing is zero or one that a wrong reading could leave so.
"""

import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

os.environ["KERAS_BACKEND"] = "torch"
import keras

from glassnet import load_dataset

HERE = Path(__file__).with_name("adopted")
X = (load_dataset("digits").test.images / 255).astype(np.float32)


def torch_network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 16),
        torch.nn.BatchNorm1d(16, eps=1e-3),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 12),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Linear(12, 10),
    )
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.startswith("1.") and tensor.is_floating_point():
                tensor.uniform_(0.2, 2)
        network[5].weight *= 40
    return network.eval()


def keras_network() -> keras.Sequential:
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, name="first"),
            keras.layers.BatchNormalization(scale=False),
            keras.layers.Activation("relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(12, activation="tanh", use_bias=False),
            keras.layers.LeakyReLU(0.1),
            keras.layers.Dense(10, activation="softmax", name="last"),
        ]
    )
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.2, 1, w.shape) if w.ndim == 1 else 2 * w for w in network.get_weights()])
    return network


def torch_convolution() -> torch.nn.Sequential:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 6, (2, 3), bias=False),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.Linear(36, 10),
    )
    with torch.no_grad():
        network[6].weight *= 20
    return network.eval()


def keras_convolution() -> keras.Sequential:
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            keras.layers.AveragePooling2D((2, 2), strides=1),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(6, (2, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.2, 1, w.shape) if w.ndim == 1 else 3 * w for w in network.get_weights()])
    return network


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    network = torch_network()
    save_file(network.state_dict(), HERE / "torch.safetensors")
    torch.onnx.export(
        network, torch.zeros(2, 64), HERE / "torch.onnx", dynamo=False, opset_version=15, do_constant_folding=False,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        training=torch.onnx.TrainingMode.PRESERVE,
    )  # fmt: skip
    answers = {"torch": torch.softmax(network(torch.from_numpy(X.reshape(-1, 64))), 1).detach().numpy()}
    network = keras_network()
    network.save(HERE / "keras.keras")
    network.save(HERE / "keras.h5")
    answers["keras"] = network.predict(X, verbose=0)
    network = torch_convolution()
    shape = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
    torch.onnx.export(network, torch.zeros(2, 1, 8, 8), HERE / "torch-images.onnx", dynamo=False, **shape)
    answers["torch-images"] = torch.softmax(network(torch.from_numpy(X[:, None])), 1).detach().numpy()
    network = keras_convolution()
    network.save(HERE / "keras-images.keras")
    answers["keras-images"] = network.predict(X, verbose=0)
    np.savez_compressed(HERE / "probabilities.npz", **answers)
