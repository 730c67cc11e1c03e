import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import ACTIVATIONS, GELU, LeakyReLU, Network, Pass, ReLU, Sigmoid, Tanh

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "layers.json").read_text(encoding="utf-8"))


def relu(z):
    return (z, 1.0) if z > 0 else (0.0, 0.0)


def leaky_relu(z, s=0.01):
    return (z, 1.0) if z > 0 else (s * z, s)


def gelu(z):
    c = math.sqrt(2 / math.pi)
    t = math.tanh(c * (z + 0.044715 * z**3))
    u_slope = c * (1 + 3 * 0.044715 * z**2)
    return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t**2) * u_slope / 2


def sigmoid(z):
    a = 1 / (1 + math.exp(-z))
    return a, a * (1 - a)


def tanh(z):
    return math.tanh(z), 1 - math.tanh(z) ** 2


CASES = {
    "ReLU": (ReLU, relu),
    "LeakyReLU": (LeakyReLU, leaky_relu),
    "LeakyReLU(0.3)": (lambda: LeakyReLU(0.3), lambda z: leaky_relu(z, 0.3)),
    "LeakyReLU(0)": (lambda: LeakyReLU(0.0), relu),
    "GELU": (GELU, gelu),
    "Sigmoid": (Sigmoid, sigmoid),
    "Tanh": (Tanh, tanh),
}


def there_and_back(layer, Z, dA, engine):
    network = Network([layer], Z.shape[1:], dtype=Z.dtype, engine=engine)
    p = Pass(network, training=True)
    return network.forward(Z, p), layer.backward(dA.copy(), p.layers[0])


@pytest.mark.parametrize(("make", "naive"), CASES.values(), ids=CASES)
@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1_000),
)
def test_forward_and_backward_are_the_docstring_number_by_number(engine, make, naive, shape, dtype, seed):
    rng = np.random.default_rng(seed)
    Z, dA = rng.normal(scale=3, size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    Z.flat[0] = 0
    A, dZ = there_and_back(make(), Z, dA, engine)
    assert A.dtype == dZ.dtype == dtype
    values, slopes = np.array([naive(z) for z in Z.ravel().tolist()]).T.reshape(2, *shape)
    tolerance = 1e-12 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(A, values, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dZ, dA * slopes, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", [make for make, _ in CASES.values()], ids=CASES)
def test_huge_inputs_stay_finite(engine, make):
    Z = np.array([[-1e4, -100, 100, 1e4]], np.float32)
    A, dZ = there_and_back(make(), Z, np.ones_like(Z), engine)
    assert np.isfinite(A).all()
    assert np.isfinite(dZ).all()
    assert np.abs(dZ).max() <= 1.0


def test_gelu_is_pytorchs(engine):
    golden = {name: np.array(value) for name, value in GOLDEN["gelu"].items()}
    A, dZ = there_and_back(GELU(), golden["Z"], golden["dA"], engine)
    np.testing.assert_allclose(A, golden["A"], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(dZ, golden["dZ"], rtol=1e-12, atol=1e-14)


def test_the_input_is_left_alone(engine):
    for activation in ACTIVATIONS.values():
        Z = np.array([[-1.0, 2.0]], np.float32)
        there_and_back(activation(), Z, np.ones_like(Z), engine)
        np.testing.assert_array_equal(Z, [[-1, 2]])


@pytest.mark.parametrize("slope", [-0.1, 1.0, math.nan])
def test_a_leaky_relu_that_is_none_is_refused(slope):
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        LeakyReLU(slope)
