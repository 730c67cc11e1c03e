from collections.abc import Callable

import numpy as np
import pytest

from glassnet.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    Network,
    Pass,
    Reshape,
    SoftmaxCrossEntropy,
    Tanh,
    fast_gradient,
)

STACKS: dict[str, Callable[[], list[Layer]]] = {
    "dense": lambda: [Dense(7), Tanh(), Dense(3)],
    "normalised": lambda: [Dense(7), BatchNorm(), Tanh(), Dense(5), BatchNorm(), Tanh(), Dense(3)],
    "dropout": lambda: [Dropout(0.2), Dense(20), Tanh(), Dropout(0.5), Dense(3)],
    "convolution": lambda: [
        *(Reshape((6, 6, 1)), Conv2D(4, (3, 3)), BatchNorm(), Tanh(), MaxPool2D(2)),
        *(Flatten(), Dense(3)),
    ],
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", STACKS)
def test_the_gradient_of_the_inputs_is_that_of_small_steps(name: str, training: bool) -> None:
    network = Network(STACKS[name](), 36, dtype=np.float64, seed=1)
    rng, loss = np.random.default_rng(0), SoftmaxCrossEntropy(3)
    X, y, p = rng.standard_normal((9, 36)), rng.integers(0, 3, 9), Pass(network, training=training, seed=5)
    dX = network.input_gradient(loss(network.forward(X, p), y).gradient, p).copy()
    for _ in range(20):
        i, j = rng.integers(9), rng.integers(36)
        change = np.zeros_like(X)
        change[i, j] = 1e-5
        above, below = (loss(network.forward(X + sign * change, p), y).value for sign in (1, -1))
        assert dX[i, j] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-9)


def test_each_example_moves_so_far_uphill() -> None:
    rng = np.random.default_rng(0)
    X, dX = rng.standard_normal((6, 3, 4), np.float32), rng.standard_normal((6, 3, 4), np.float32)
    dX *= np.array([1, 1e-3, 1e30, 1e-12, 1e-30, 0], np.float32)[:, None, None]
    moved = X.copy()
    fast_gradient(moved, dX, 0.5)
    way, G = (moved - X).reshape(6, 12), dX.reshape(6, 12).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), [0.5, 0.5, 0.5, 0.5, 0.5, 0], rtol=1e-5)
    along = np.einsum("nd,nd->n", way, G)[:5] / np.linalg.norm(G, axis=1)[:5]
    np.testing.assert_allclose(along, 0.5, rtol=1e-5)


def test_examples_lie_in_memory_as_they_like_and_there_may_be_none() -> None:
    X = np.zeros((4, 6, 5)).transpose(0, 2, 1)
    fast_gradient(X, np.ones((4, 5, 6)), 1.0)
    np.testing.assert_allclose(X, 1 / np.sqrt(30))
    fast_gradient(np.zeros((0, 7)), np.zeros((0, 7)), 1.0)


def test_no_other_step_of_this_length_raises_the_loss_as_much() -> None:
    network = Network([Dense(30), Tanh(), Dense(4)], 20, dtype=np.float64, seed=2)
    rng, loss, p = np.random.default_rng(0), SoftmaxCrossEntropy(4), Pass(network)
    X, y = rng.standard_normal((50, 20)), rng.integers(0, 4, 50)
    before = loss(network.forward(X, p), y)
    moved = X.copy()
    fast_gradient(moved, network.input_gradient(before.gradient.copy(), p), 1e-3)
    rise = loss(network.forward(moved), y).value - before.value
    assert rise > 0
    for _ in range(30):
        other = X.copy()
        fast_gradient(other, rng.standard_normal(X.shape), 1e-3)
        assert loss(network.forward(other), y).value - before.value < rise
