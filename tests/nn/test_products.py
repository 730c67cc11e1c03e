import numpy as np
import pytest

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
