"""The doctor says nothing of correct code, whatever its shapes, precision, data and stage of training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from somebodys_network import SomebodysNetwork, digits

from glassnet import nn
from glassnet.clinic import examine
from glassnet.clinic.doctor.diagnosis import KNOWN

INITIALIZERS = [name for name in nn.INITIALIZERS if "_" in name]  # those that follow the fan-in


class EngineNetwork:
    """A network of glassnet's own engine, handed out in the form that others use."""

    def __init__(
        self, widths: list[int], activation: str, initializer: str, columns: bool, bias_shape: int, dtype: Any
    ):
        self.dense = [nn.Dense(width, initializer) for width in (*widths, 10)]
        layers: list[nn.Layer] = []
        for dense in self.dense:
            layers += [dense, nn.ACTIVATIONS[activation]()]
        self.network = nn.Network(layers[:-1], 64, dtype=dtype, seed=len(widths))
        self.p, self.loss = nn.Pass(self.network, training=True), nn.SoftmaxCrossEntropy(10)
        self.columns, self.bias_shape = columns, bias_shape

    def turned(self, A: Any) -> Any:
        return A.T if self.columns else A

    def flat(self, named: dict[str, Any]) -> list[Any]:
        shape = ((-1,), (-1, 1), (1, -1))[self.bias_shape]
        arrays = [array.copy() for array in named.values()]
        return [self.turned(array) if array.ndim == 2 else array.reshape(shape) for array in arrays]

    def load(self, parameters: list[Any]) -> None:
        for dense, W, b in zip(self.dense, parameters[::2], parameters[1::2], strict=True):
            dense.W[...], dense.b[...] = self.turned(W), b.ravel()

    def forward(self, parameters: list[Any], X: Any) -> Any:
        self.load(parameters)
        return self.turned(nn.softmax(self.network.forward(self.turned(X))))

    def backward(self, parameters: list[Any], X: Any, y: Any) -> Any:
        self.load(parameters)
        labels = y if y.ndim == 1 else self.turned(y).argmax(axis=1)
        self.differentiate(self.turned(X), labels)
        return self.flat(self.network.named_gradients)

    def differentiate(self, X: Any, labels: Any) -> None:
        found = self.loss(self.network.forward(X, self.p), labels)
        self.network.backward(found.gradient, self.p)

    def train(self, X: Any, y: Any, steps: int, learning_rate: float) -> None:
        optimizer, rng = nn.Adam(self.network.parameters, self.network.gradients), np.random.default_rng(0)
        for _ in range(steps):
            batch = rng.integers(len(X), size=64)
            self.differentiate(X[batch], y[batch])
            optimizer.step(learning_rate)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    widths=st.lists(st.sampled_from([10, 16, 64, 256]), max_size=3),
    activation=st.sampled_from(list(nn.ACTIVATIONS)),
    initializer=st.sampled_from(INITIALIZERS),
    columns=st.booleans(),
    bias_shape=st.integers(0, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
    n=st.sampled_from([1, 2, 7, 64, 200]),
    one_hot=st.booleans(),
    training=st.sampled_from([(0, 0.01), (0, 0.01), (1, 0.01), (10, 0.01), (60, 0.001), (60, 0.01), (200, 0.01)]),
    functions=st.booleans(),
    seed=st.integers(0, 1_000),
)
def test_networks_of_the_engine_are_healthy_before_and_after_training(
    widths: list[int],
    activation: str,
    initializer: str,
    columns: bool,
    bias_shape: int,
    dtype: Any,
    n: int,
    one_hot: bool,
    training: tuple[int, float],
    functions: bool,
    seed: int,
) -> None:
    images, labels = digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    X, y = (images[order] / 255).astype(dtype), labels[order]
    network = EngineNetwork(widths, activation, initializer, columns, bias_shape, dtype)
    network.train(X, y, *training)
    turned, parameters = network.turned, network.flat(network.network.named_parameters)
    given_y = turned(np.eye(10)[y[:n]]) if one_hot else y[:n]
    if functions:
        how: dict[str, Any] = {"forward": network.forward, "backward": network.backward}
    else:
        how = {
            "probabilities": network.forward(parameters, turned(X[:n])).copy(),
            "gradients": network.backward(parameters, turned(X[:n]), given_y),
        }
    diagnosis = examine(
        parameters=parameters,
        X=turned(X[:n]),
        y=given_y,
        held_out=(turned(X[n : n + 200]), y[n : n + 200]),
        activation=activation,
        examples_in="columns" if columns else "rows",
        **how,
    )
    assert diagnosis.names == (), str(diagnosis)


@pytest.mark.parametrize("mode", ["functions", "arrays"])
@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_plain_numpy_without_a_mistake(columns: bool, one_hot: bool, dtype: Any, mode: str) -> None:
    network = SomebodysNetwork(columns=columns, dtype=dtype, one_hot=one_hot)
    diagnosis = examine(**getattr(network, mode)())
    assert not diagnosis, str(diagnosis)
    if mode == "functions":
        assert diagnosis.checked == tuple(KNOWN)


def healthy(change: Callable[[SomebodysNetwork], None], **options: Any) -> None:
    network = SomebodysNetwork(**options)
    change(network)
    for mode in ("functions", "arrays"):
        diagnosis = examine(**getattr(network, mode)())
        assert not diagnosis, str(diagnosis)


def test_weight_decay_is_no_mistake() -> None:
    def decay(network: SomebodysNetwork) -> None:
        plain = network.backward
        network.backward = lambda p, X, y: [  # type: ignore[method-assign]
            g + 0.01 * w if i % 2 == 0 else g for i, (g, w) in enumerate(zip(plain(p, X, y), p, strict=True))
        ]

    healthy(decay)


@pytest.mark.parametrize("guard", [lambda P: P + 1e-9, lambda P: np.clip(P, 1e-8, 1 - 1e-8)])
def test_a_guard_against_log_of_zero_is_no_mistake(guard: Any) -> None:
    def guarded(network: SomebodysNetwork) -> None:
        plain = network.softmax
        network.softmax = lambda Z: guard(plain(Z))  # type: ignore[method-assign]

    healthy(guarded)


def test_the_derivative_of_relu_at_zero_may_be_one() -> None:
    """Blank images and zero biases put every pre-activation at exactly zero."""
    network = SomebodysNetwork()
    network.X[:, :100] = 0
    arrays = network.arrays()
    W1, b1, W2, b2 = network.parameters
    Z1, A1, _, P = network.forward_prop(W1, b1, W2, b2, network.X)
    dZ2 = P - network.one_hot_of(network.y)
    dZ1 = W2.T @ dZ2 * (Z1 >= 0)
    gradients = [dZ1 @ network.X.T, dZ1.sum(1), dZ2 @ A1.T, dZ2.sum(1)]
    assert not np.allclose(gradients[1] / len(network.y), arrays["gradients"][1].ravel())
    assert not examine(**arrays | {"gradients": [g / len(network.y) for g in gradients]})


def test_standardised_pixels_are_scaled() -> None:
    def standardise(network: SomebodysNetwork) -> None:
        spread = network.X.std(axis=1, keepdims=True) + 1e-3
        mean = network.X.mean(axis=1, keepdims=True)
        network.X, network.X_val = (network.X - mean) / spread, (network.X_val - mean) / spread

    healthy(standardise)


@pytest.mark.parametrize("rule", ["pytorch", "small", "orthogonal"])
def test_other_ways_to_draw_first_weights(rule: str) -> None:
    rng = np.random.default_rng(3)

    def draw(network: SomebodysNetwork) -> None:
        for i, fan_in in ((0, 64), (2, 16)):
            shape = network.parameters[i].shape
            network.parameters[i] = {
                "pytorch": lambda shape, d: rng.uniform(-1, 1, shape) / np.sqrt(d),
                "small": lambda shape, d: 0.05 * rng.standard_normal(shape),
                "orthogonal": lambda shape, d: np.linalg.qr(rng.standard_normal(shape[::-1]))[0].T,
            }[rule](shape, fan_in)
            network.parameters[i + 1] = 0.1 * rng.standard_normal(network.parameters[i + 1].shape)

    healthy(draw)


def test_an_output_layer_of_zeros_learns() -> None:
    def zero(network: SomebodysNetwork) -> None:
        network.parameters[2] = 0 * network.parameters[2]

    healthy(zero)


def softmax_regression(X: Any, y: Any, classes: int, **options: Any) -> Any:
    W = 0.1 * np.random.default_rng(0).standard_normal((X.shape[1], classes))
    P = np.exp(X @ W) / np.exp(X @ W).sum(axis=1, keepdims=True)
    return examine(parameters=[W, np.zeros(classes)], X=X, y=y, probabilities=P, trained=True, **options)


@pytest.mark.parametrize("seed", range(10))
def test_random_numbers_with_random_labels_are_no_shuffled_images(seed: int) -> None:
    """They are what people try a program out on; nothing was left behind."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(5, 1_500)), int(rng.integers(2, 200))
    X = rng.random((n, d)) if seed % 2 else rng.standard_normal((n, d)) * rng.random(d)
    assert not softmax_regression(X, rng.integers(10, size=n), 10)


@pytest.mark.parametrize("seed", range(10))
def test_noisy_labels_are_no_shuffled_images(seed: int) -> None:
    """Two thirds of the labels are wrong, and yet the images tell something of them."""
    rng = np.random.default_rng(seed)
    X, y = digits()
    chosen = rng.permutation(len(y))[: int(rng.integers(50, 1_500))]
    y = np.where(rng.random(len(y)) < 0.67, rng.integers(10, size=len(y)), y)
    assert not softmax_regression(X[chosen] / 255, y[chosen], 10)


def test_classes_that_no_mean_can_tell_apart_are_no_shuffled_images() -> None:
    """Exclusive or: both classes have the same mean, but near points are alike."""
    rng = np.random.default_rng(0)
    corners = rng.integers(2, size=(2_000, 2))
    X = np.repeat(corners, 10, axis=1) + 0.05 * rng.standard_normal((2_000, 20))
    assert not softmax_regression(X, corners.sum(axis=1) % 2, 2)


def test_rare_classes_in_any_order_are_shuffled() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((500, 20)), (rng.random(500) < 0.02).astype(int)
    assert not softmax_regression(X, y, 2)


def test_images_that_exist_twice_by_nature_are_no_leak() -> None:
    """A tenth of the images have a twin, and the split has parted some twins."""
    rng = np.random.default_rng(0)
    X = rng.random((800, 20))
    X[rng.integers(800, size=80)] = X[rng.integers(800, size=80)]
    held_out = X[600:], np.zeros(200, int)
    shared = (X[600:, None] == X[None, :600]).all(axis=2).any(axis=1).sum()
    assert shared > 3
    assert not softmax_regression(X[:600], rng.integers(3, size=600), 3, held_out=held_out)


@pytest.mark.parametrize("shared", [0, 3, 4, 30])
def test_more_than_three_shared_images_are_a_leak_where_no_image_exists_twice(shared: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((800, 20))
    X[600 : 600 + shared] = X[:shared]
    diagnosis = softmax_regression(X[:600], rng.integers(3, size=600), 3, held_out=(X[600:], np.zeros(200, int)))
    assert diagnosis.names == (("test-images-in-training",) if shared > 3 else ())
    assert not shared > 3 or f"{shared} of 200 held-out images are training images" in str(diagnosis)


def test_a_table_of_few_different_rows_is_no_leak() -> None:
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10, float)
    diagnosis = softmax_regression(X, X.sum(axis=1).astype(int) % 2, 2, held_out=(X[:4], [0, 1, 1, 0]))
    assert not diagnosis
    assert "copies of others" in diagnosis.unchecked["training-accuracy-reported"]


def test_rounding_that_grows_from_layer_to_layer_is_no_mistake() -> None:
    """In float32, large terms that cancel leave an error in the first layer that is seen in the probabilities."""
    network, rng = SomebodysNetwork(columns=False), np.random.default_rng(0)
    u, v = rng.random((300, 1)), rng.random((300, 62))
    w = 1e4 * rng.standard_normal((1, 16))
    network.X = np.hstack([u, v, u])
    network.parameters[0] = np.vstack([w, 0.2 * rng.standard_normal((62, 16)), -w])
    exact = network.arrays()["probabilities"]
    network.X, network.X_val = network.X.astype(np.float32), network.X_val.astype(np.float32)
    network.parameters = [p.astype(np.float32) for p in network.parameters]
    arrays = network.arrays()
    assert arrays["probabilities"].dtype == np.float32
    assert np.abs(arrays["probabilities"] - exact).max() > 1e-4
    diagnosis = examine(**arrays, trained=True)
    assert not diagnosis, str(diagnosis)
