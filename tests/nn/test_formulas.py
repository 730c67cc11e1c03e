"""Each rule is the equation in its docstring, and an engine that applies it to arrays gives what calling it gives."""

from math import exp, pi, sqrt, tanh
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import formulas
from glassnet.nn.elementwise import Formula
from glassnet.nn.engine import BLOCK, FEW

GELU = sqrt(2 / pi)


class Rule(NamedTuple):
    """An equation for plain numbers, and how many of its arguments are changed, only read, and constants."""

    equation: Formula
    targets: int
    inputs: int = 0
    constants: int = 0


def gelu_slope(z):
    t = tanh(GELU * (z + 0.044715 * z**3))
    return (1 + t) / 2 + z / 2 * (1 - t**2) * GELU * (1 + 3 * 0.044715 * z**2)


def momentum(theta, v, g, eta, mu):
    moved = mu * v + g
    return theta - eta * moved, moved


def nesterov(theta, v, g, eta, mu):
    moved = mu * v + g
    return theta - eta * (g + mu * moved), moved


def rmsprop(theta, s, g, eta, rho, epsilon):
    square = rho * s + (1 - rho) * g**2
    return theta - eta * g / (sqrt(square) + epsilon), square


def adam(theta, m, v, g, eta, beta1, beta2, epsilon):
    first, second = beta1 * m + g, beta2 * v + g**2
    return theta - eta * first / (sqrt(second) + epsilon), first, second


# A rule without targets writes to another array; all others work in place.
RULES = {
    "relu": Rule(lambda z: max(z, 0.0), 0, 1),
    "relu_gradient": Rule(lambda da, z, a: da if a > 0 else 0.0, 1, 2),
    "leaky_relu": Rule(lambda z, s: z if z > 0 else s * z, 0, 1, 1),
    "leaky_relu_gradient": Rule(lambda da, z, a, s: da if a > 0 else s * da, 1, 2, 1),
    "gelu": Rule(lambda z: z / 2 * (1 + tanh(GELU * (z + 0.044715 * z**3))), 0, 1),
    "gelu_gradient": Rule(lambda da, z, a: da * gelu_slope(z), 1, 2),
    "sigmoid": Rule(lambda z: 1 / (1 + exp(-z)), 0, 1),
    "sigmoid_gradient": Rule(lambda da, z, a: da * a * (1 - a), 1, 2),
    "tanh": Rule(tanh, 0, 1),
    "tanh_gradient": Rule(lambda da, z, a: da * (1 - a**2), 1, 2),
    "sgd": Rule(lambda theta, g, eta: theta - eta * g, 1, 1, 1),
    "momentum": Rule(momentum, 2, 1, 2),
    "nesterov": Rule(nesterov, 2, 1, 2),
    "rmsprop": Rule(rmsprop, 2, 1, 3),
    "adam": Rule(adam, 3, 1, 4),
    "moving_average": Rule(lambda mean, theta, share: (1 - share) * mean + share * theta, 1, 1, 1),
    "multiple": Rule(lambda theta, factor: theta * factor, 1, 0, 1),
    "add_multiple": Rule(lambda g, theta, factor: g + factor * theta, 1, 1, 1),
    "product": Rule(lambda x, m: x * m, 1, 1, 0),
    "without_traces": Rule(lambda m: 0.0 if abs(m) < 1e-30 else m, 1),
}
SQUARES = "rmsprop", "adam"  # whose last moment is a mean of squares
NUMBERS = st.floats(-30, 30) | st.sampled_from([0.0, 1e-31, -1e-29])
CONSTANTS = st.floats(0.001, 0.999)


def test_every_rule_is_tested_here():
    assert set(RULES) == set(formulas.__all__)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_rule_is_its_docstring_number_by_number(engine, name, data):
    rule, formula = RULES[name], getattr(formulas, name)
    numbers = [data.draw(NUMBERS) for _ in range(rule.targets + rule.inputs)]
    constants = [data.draw(CONSTANTS) for _ in range(rule.constants)]
    if name.endswith("_gradient"):  # whose last input is what the activation made of the one before
        numbers[-1] = RULES[name.removesuffix("_gradient")].equation(numbers[-2], *constants)
    if name in SQUARES:
        numbers[rule.targets - 1] = abs(numbers[rule.targets - 1])
    expected = np.ravel(rule.equation(*numbers, *constants))
    np.testing.assert_allclose(np.ravel(formula(*numbers, *constants)), expected, rtol=1e-12, atol=1e-12)
    found = applied(engine, formula, rule, [np.array([[number]]) for number in numbers], constants)
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-12, atol=1e-12)


def applied(engine, formula, rule, arrays, constants):
    """What an engine makes of a rule: the targets, or the array that is written to."""
    targets, inputs = arrays[: rule.targets], arrays[rule.targets :]
    if not targets:
        out = np.full_like(inputs[0], np.nan)
        assert engine.apply(formula, inputs, constants, out=out) is out
        return [out]
    engine.update(formula, targets, inputs, constants)
    return targets


def laid_out(array, layout):
    """The same numbers elsewhere in memory, which nobody else shares."""
    if layout == "by columns":
        return np.array(array, order="F")
    if layout == "with gaps":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array.copy()


PLACES = [
    ((0,), "together"),
    ((0, 10), "together"),
    ((7,), "with gaps"),
    ((BLOCK,), "together"),
    ((BLOCK + 1,), "together"),
    ((FEW + BLOCK + 17,), "together"),
    ((FEW + 17,), "with gaps"),
    ((700, 333), "together"),
    ((700, 333), "with gaps"),
    ((700, 333), "by columns"),
    ((5, BLOCK + 3), "together"),
    ((40, 10, 600), "together"),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RULES)
def test_arrays_of_any_size_and_layout_become_what_the_rule_makes_of_them(engine, name, dtype):
    rule, formula, rng = RULES[name], getattr(formulas, name), np.random.default_rng(0)
    constants = [0.3, 0.9, 0.99, 1e-3][: rule.constants]
    # One rule is called with a comparison times a number, which NumPy computes in float64 there.
    # Compiled, 1 − ρ is computed in the arrays' type, too, and tanh otherwise.
    inexact = {"leaky_relu_gradient": 1e-6}
    if engine.name == "compiled":
        inexact |= dict.fromkeys(("rmsprop", "tanh", "sigmoid", "gelu"), 2e-6) | {"gelu_gradient": 2e-5}
    tolerance = inexact.get(name, 0) if dtype == np.float32 else 0
    for shape, layout in PLACES:
        numbers = rng.standard_normal((rule.targets + rule.inputs, *shape)).astype(dtype)
        if name in SQUARES:
            np.abs(numbers[rule.targets - 1], out=numbers[rule.targets - 1])
        arrays = [laid_out(array, layout) for array in numbers]
        expected = formula(*numbers, *constants)
        found = applied(engine, formula, rule, arrays, constants)
        for result, right in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            assert result.dtype == dtype
            np.testing.assert_allclose(result, right, rtol=tolerance, atol=tolerance, err_msg=f"{shape} {layout}")
        for array, before in zip(arrays[rule.targets :], numbers[rule.targets :], strict=True):
            np.testing.assert_array_equal(array, before)
