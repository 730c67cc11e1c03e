import numpy as np
import pytest

from glassnet.nn import Dense, Network, Pass, SomeColumns
from glassnet.nn.products import product, transposed_product


@pytest.mark.parametrize("n", [1, 64, 128, 200, 449])
@pytest.mark.parametrize(("d", "k"), [(300, 10), (784, 12), (300, 13), (100, 10)])
def test_products_are_those_of_numpy(n: int, d: int, k: int) -> None:
    rng = np.random.default_rng(n)
    X, W, dZ = rng.standard_normal((n, d)), rng.standard_normal((d, k)), rng.standard_normal((n, k))
    np.testing.assert_allclose(product(X, W, np.empty((n, k))), X @ W, rtol=1e-10, atol=1e-10)
    dW = transposed_product(X, dZ, np.empty((d, k)), lambda _, shape, dtype: np.empty(shape, dtype))
    np.testing.assert_allclose(dW, X.T @ dZ, rtol=1e-10, atol=1e-10)


def test_products_take_views() -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((256, 600))
    X, W = wide[:, ::2], rng.standard_normal((10, 300)).T
    np.testing.assert_allclose(product(X, W, np.empty((256, 10))), X @ W, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.0, -0.4])
@pytest.mark.parametrize(("n", "d", "m", "k"), [(1, 9, 4, 3), (5, 9, 0, 3), (6, 9, 9, 20), (200, 784, 600, 10)])
def test_some_columns_are_the_matrix_that_they_stand_for(engine, dtype, shift, n, d, m, k):
    rng = np.random.default_rng(0)
    P = np.zeros((n, d))
    columns = np.sort(rng.choice(d, m, replace=False))
    P[:, columns] = rng.integers(0, 256, (n, m))
    some = SomeColumns(P[:, columns].astype(dtype), columns, d, 1 / 255, shift)
    X = (P / 255 + shift).astype(dtype)
    assert (len(some), some.shape) == (n, X.shape)
    W, b, dZ = (rng.standard_normal(shape).astype(dtype) for shape in ((d, k), k, (n, k)))
    results = []
    for examples in (some, X):
        Z, dW, db = (np.full(shape, np.nan, dtype) for shape in ((n, k), (d, k), k))
        assert engine.affine(examples, W, b, out=Z) is Z
        engine.affine_gradients(examples, dZ, dW, db)
        results.append((Z, dW, db))
    for found, expected in zip(*results, strict=True):
        tolerance = 1e-11 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_a_network_learns_the_same_from_some_columns(engine, shift):
    rng = np.random.default_rng(1)
    P, columns = rng.integers(0, 256, (6, 3)).astype(float), np.array([0, 2, 5])
    X = np.full((6, 7), shift)
    X[:, columns] += P / 255
    network = Network([Dense(4), Dense(2)], 7, dtype=np.float64, engine=engine)
    p, gradients = Pass(network, training=True), []
    for examples in (SomeColumns(P, columns, 7, 1 / 255, shift), X):
        np.testing.assert_allclose(network.forward(examples, p), network.forward(X), rtol=1e-12, atol=1e-12)
        network.backward(np.ones((6, 2)), p)
        gradients.append(network.gradients.copy())
    np.testing.assert_allclose(*gradients, rtol=1e-12, atol=1e-12)


def test_no_nan_of_one_example_is_hidden_where_some_columns_are_zero(engine):
    """0 · NaN is NaN: a gradient that broke must not look whole in the columns that are not there."""
    some = SomeColumns(np.ones((2, 1)), np.array([1]), 3, 1 / 255, 0.0)
    dW, db = np.zeros((3, 2)), np.zeros(2)
    engine.affine_gradients(some, np.array([[1.0, np.nan], [1.0, 1.0]]), dW, db)
    np.testing.assert_array_equal(np.isnan(dW), [[False, True]] * 3)
