import numpy as np
import pytest

from glassnet.nn import Dense, Network
from glassnet.nn.products import product, transposed_product


@pytest.mark.parametrize("n", [1, 64, 128, 200, 449])
@pytest.mark.parametrize(("d", "k"), [(300, 10), (784, 12), (300, 13), (100, 10)])
def test_products_are_those_of_numpy(n: int, d: int, k: int) -> None:
    rng = np.random.default_rng(n)
    X, W, dZ = rng.standard_normal((n, d)), rng.standard_normal((d, k)), rng.standard_normal((n, k))
    np.testing.assert_allclose(product(X, W, np.empty((n, k))), X @ W, rtol=1e-10, atol=1e-10)
    dW = transposed_product(X, dZ, np.empty((d, k)), lambda _, *shape: np.empty(shape))
    np.testing.assert_allclose(dW, X.T @ dZ, rtol=1e-10, atol=1e-10)


def test_products_take_views() -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((256, 600))
    X, W = wide[:, ::2], rng.standard_normal((10, 300)).T
    np.testing.assert_allclose(product(X, W, np.empty((256, 10))), X @ W, rtol=1e-10)


def test_a_replica_computes_the_same_in_memory_of_its_own() -> None:
    rng = np.random.default_rng(0)
    network = Network([Dense(6), Dense(3)], 4, dtype=np.float64)
    twin = network.replica()
    X, Y = rng.standard_normal((2, 5, 4))
    out, theirs = network.forward(X).copy(), twin.forward(Y)
    network.forward(X)
    np.testing.assert_array_equal(theirs, twin.forward(Y))
    twin.backward(np.ones((5, 3)))
    assert not network.gradients.any()
    assert twin.gradients.any()
    np.testing.assert_array_equal(twin.named_gradients["0.b"], twin.layers[0].db)
    twin.layers[0].W += 1
    twin.parameters[-1] += 1
    np.testing.assert_array_equal(network.forward(X), out)
    assert not np.allclose(twin.forward(X), out)
