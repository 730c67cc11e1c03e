"""One network or engine asked by many threads at once: each gets what it would get alone, to the last bit."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from glassnet.nn import (
    GELU,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Network,
    Pass,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    formulas,
)
from glassnet.nn.engine import FEW

THREADS, ROUNDS = 8, 4


def build(engine, dtype=np.float32):
    layers = [Flatten(), Dense(300), BatchNorm(), ReLU(), Dropout(0.2), Dense(50), LeakyReLU(), Dense(40), GELU()]
    layers += [Dense(30), Tanh(), Dense(20), Sigmoid(), Dense(10)]
    network = Network(layers, (16, 17), dtype=dtype, engine=engine)  # wide enough for products in slices
    network.statistics += 0.5
    return network


def batch(number):
    """Examples and labels of another size each time, from 1 to some hundreds."""
    rng, n = np.random.default_rng(number), 1 + 97 * number % 400
    return rng.normal(size=(n, 16, 17)).astype(np.float32), rng.integers(0, 10, n)


def all_at_once(work):
    """Call ``work(member)`` in many threads that begin together, and return the results."""
    together = Barrier(THREADS, timeout=60)

    def begin(member):
        together.wait()
        return work(member)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def batches_of(member):
    return [batch(THREADS * turn + member) for turn in range(ROUNDS)]


@pytest.mark.parametrize("with_a_pass", [False, True])
def test_predicting(engine, with_a_pass):
    network = build(engine)

    def predict(member):
        p = Pass(network) if with_a_pass else None
        return [network.forward(X, p).copy() for X, _ in batches_of(member)]

    alone = [predict(member) for member in range(THREADS)]
    for found, expected in zip(all_at_once(predict), alone, strict=True):
        for Y, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(Y, right)


def test_training_with_gradients_of_each_ones_own(engine):
    """All write the running averages of `BatchNorm`, which training does not read."""
    network, loss = build(engine), SoftmaxCrossEntropy(10, 0.1, engine=engine)

    def train(member):
        gradients, found = np.zeros_like(network.parameters), []
        p = Pass(network, training=True, seed=member, gradients=gradients)
        for p.batch.step, (X, y) in enumerate(batches_of(member)):
            value, dZ, right = loss(network.forward(X, p), y)
            network.backward(dZ, p)
            found.append((value, right, gradients.copy()))
        return found

    alone = [train(member) for member in range(THREADS)]
    for found, expected in zip(all_at_once(train), alone, strict=True):
        for (value, right, gradients), (its_value, its_right, its_gradients) in zip(found, expected, strict=True):
            assert value == its_value
            np.testing.assert_array_equal(right, its_right)
            np.testing.assert_array_equal(gradients, its_gradients)
    assert not network.gradients.any()


def test_predicting_while_another_pass_is_between_forward_and_backward(engine):
    network = build(engine, np.float64)
    X, _ = batch(1)
    p = Pass(network, training=True)
    gradients = []
    for disturbed in (False, True):
        p.batch.step = 0
        Y = network.forward(X, p)
        dY = np.cos(Y)
        if disturbed:
            all_at_once(lambda member: network.forward(batch(member)[0]))
        network.backward(dY, p)
        gradients.append(network.gradients.copy())
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("size", [30_000, FEW + 1_000])
def test_computing_with_one_engine(engine, size):
    def compute(member):
        da, z, a = np.random.default_rng(member).normal(size=(3, size))
        X, dZ = z[:30_000].reshape(100, 300), a[:2_000].reshape(200, 10)
        dW, db, results = np.zeros((300, 10)), np.zeros(10), []
        for _ in range(20):
            engine.update(formulas.gelu_gradient, (da,), (z, a))
            engine.affine_gradients(np.concatenate([X, X]), dZ, dW, db)
            dX = engine.normalisation_gradient(X.copy(), X, *X[:3])
            results += [da.copy(), dW.copy(), dX]
        return results

    alone = [compute(member) for member in range(THREADS)]
    for found, expected in zip(all_at_once(compute), alone, strict=True):
        for array, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array, right)
