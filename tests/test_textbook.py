import math
from itertools import pairwise

import numpy as np
import pytest

from glassnet import textbook
from glassnet.nn import SGD, Dense, Network, Pass, ReLU, Sigmoid, SoftmaxCrossEntropy

LAYERS = {"relu": ReLU, "sigmoid": Sigmoid}


def problem(n, sizes, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, sizes[0])), rng.integers(0, sizes[-1], n)
    parameters = [
        (rng.normal(scale=math.sqrt(2 / d_in), size=(d_in, d_out)), rng.normal(scale=0.1, size=d_out))
        for d_in, d_out in pairwise(sizes)
    ]
    return X, y, parameters


@pytest.mark.parametrize("batch_size", [1, 32, 200])
@pytest.mark.parametrize("activation", LAYERS)
def test_the_fast_engine_equals_the_textbook_over_fifty_steps(activation, batch_size):
    X, y, parameters = problem(200, [12, 9, 7, 4])
    layer = LAYERS[activation]
    network = Network([Dense(9), layer(), Dense(7), layer(), Dense(4)], 12, dtype=np.float64)
    network.parameters[...] = np.concatenate([array.ravel() for pair in parameters for array in pair])
    loss, optimizer = SoftmaxCrossEntropy(4), SGD(network.parameters, network.gradients)
    p, rng = Pass(network, training=True), np.random.default_rng(1)
    for step in range(50):
        rows = rng.permutation(200)[:batch_size]
        parameters, expected = textbook.gradient_descent_step(
            parameters, X[rows], y[rows], textbook.ACTIVATIONS[activation], learning_rate=0.3
        )
        found = loss(network.forward(X[rows], p), y[rows])
        network.backward(found.gradient, p)
        optimizer.step(0.3)
        assert found.value == pytest.approx(expected, rel=1e-10), f"step {step}"
        flat = np.concatenate([array.ravel() for pair in parameters for array in pair])
        np.testing.assert_allclose(network.parameters, flat, rtol=1e-10, atol=1e-12, err_msg=f"step {step}")


def loss_of(parameters, X, y, activation):
    """The loss written out, for complex parameters too."""
    _, _, P = textbook.forward(parameters, X, activation)
    return np.mean(-np.log(P[np.arange(len(y)), y]))


@pytest.mark.parametrize("name", LAYERS)
def test_every_gradient_is_the_complex_step_derivative_of_the_loss(name):
    """∂L/∂θ = Im L(θ + ih)/h, to the last digit, since nothing is subtracted (Squire & Trapp, 1998)."""
    activation = textbook.ACTIVATIONS[name]
    X, y, parameters = problem(6, [4, 5, 3, 3], seed=2)
    A, Z, P = textbook.forward(parameters, X, activation)
    gradients = textbook.backward(parameters, A, Z, P, y, activation)
    h = 1e-30
    for layer in range(3):
        for which in range(2):
            for index in np.ndindex(*parameters[layer][which].shape):
                moved = [[W.astype(complex), b.astype(complex)] for W, b in parameters]
                moved[layer][which][index] += 1j * h
                measured = loss_of(moved, X, y, activation).imag / h
                assert gradients[layer][which][index] == pytest.approx(measured, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", LAYERS)
def test_forward_is_its_docstring_a_number_at_a_time(name):
    X, y, parameters = problem(3, [4, 5, 3], seed=3)
    f = {"relu": lambda z: max(z, 0.0), "sigmoid": lambda z: 1 / (1 + math.exp(-z))}[name]
    A, Z, P = textbook.forward(parameters, X, textbook.ACTIVATIONS[name])
    (W1, b1), (W2, b2) = parameters
    total = 0.0
    for i in range(3):
        z1 = [sum(X[i, q] * W1[q, j] for q in range(4)) + b1[j] for j in range(5)]
        a1 = [f(z) for z in z1]
        z2 = [sum(a1[q] * W2[q, j] for q in range(5)) + b2[j] for j in range(3)]
        p = [math.exp(z) / sum(math.exp(other) for other in z2) for z in z2]
        total -= math.log(p[y[i]])
        for mine, naive in ((A[0], X[i]), (A[1], a1), (Z[0], z1), (Z[1], z2), (P, p)):
            np.testing.assert_allclose(mine[i], naive, rtol=1e-12)
    assert len(A) == len(Z) == 2
    assert textbook.cross_entropy(P, y) == pytest.approx(total / 3)


def test_softmax_of_large_scores_does_not_overflow():
    np.testing.assert_array_equal(textbook.softmax(np.array([[1e4, -1e4], [5.0, 5.0]])), [[1, 0], [0.5, 0.5]])


def test_cross_entropy_of_a_guess_and_of_certainty():
    assert textbook.cross_entropy(np.full((2, 10), 0.1), np.array([3, 9])) == pytest.approx(math.log(10))
    assert textbook.cross_entropy(np.eye(3), np.array([0, 1, 2])) == 0


def test_a_step_goes_downhill_and_leaves_the_old_parameters_alone():
    X, y, parameters = problem(20, [4, 5, 3], seed=4)
    before = [(W.copy(), b.copy()) for W, b in parameters]
    activation = textbook.ACTIVATIONS["sigmoid"]
    moved, first = textbook.gradient_descent_step(parameters, X, y, activation, 0.5)
    _, second = textbook.gradient_descent_step(moved, X, y, activation, 0.5)
    assert second < first
    for (W, b), (W0, b0) in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(W, W0)
        np.testing.assert_array_equal(b, b0)
