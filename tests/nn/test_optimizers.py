import json
from pathlib import Path

import numpy as np
import pytest

from glassnet.nn import OPTIMIZERS, AdamW, Dense, Engine, Momentum, Network, RMSprop, clip_gradient_norm, optimizers
from glassnet.nn.engine import BLOCK, FEW

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "optimizers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-5)])
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_the_path_is_pytorchs_step_by_step(engine, case, dtype, tolerance):
    X, y = np.array(GOLDEN["X"], dtype), np.array(GOLDEN["y"], dtype)
    parameters, gradients = np.zeros(6, dtype), np.zeros(6, dtype)
    w, b = parameters[:5], parameters[5:]
    weights = {"weights": [w]} if case["rule"] == "adamw" else {}
    optimizer = OPTIMIZERS[case["rule"]](parameters, gradients, **case["settings"], **weights, engine=engine)
    for step, (rate, expected) in enumerate(zip(case["learning_rates"], case["path"], strict=True), start=1):
        residual = np.sum(X * w, axis=1) + b - y
        gradients[:5], gradients[5] = 2 * np.mean(X.T * residual, axis=1), 2 * residual.mean()
        optimizer.step(rate)
        assert optimizer.steps == step
        np.testing.assert_allclose(parameters, expected, rtol=tolerance, atol=tolerance, err_msg=f"step {step}")


def naive_path(name, theta, gradient_at, rates, weights):
    """The equations at the head of `glassnet.nn.optimizers` with their default settings, on whole arrays."""
    mu, rho, beta1, beta2, epsilon, decay = 0.9, 0.99, 0.9, 0.999, 1e-8, 0.01
    theta, first, second = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
    for t, eta in enumerate(rates, start=1):
        g = gradient_at(t)
        if name == "sgd":
            theta = theta - eta * g
        elif name in ("momentum", "nesterov"):
            first = mu * first + g
            theta = theta - eta * (first if name == "momentum" else g + mu * first)
        elif name == "rmsprop":
            second = rho * second + (1 - rho) * g**2
            theta = theta - eta * g / (np.sqrt(second) + epsilon)
        else:
            if name == "adamw":
                theta[weights] -= eta * decay * theta[weights]
            first = beta1 * first + (1 - beta1) * g
            second = beta2 * second + (1 - beta2) * g**2
            m_hat, v_hat = first / (1 - beta1**t), second / (1 - beta2**t)
            theta = theta - eta * m_hat / (np.sqrt(v_hat) + epsilon)
        yield theta.copy()


@pytest.mark.parametrize("size", [BLOCK, FEW + BLOCK + 17, 5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_is_its_docstring_across_the_borders_of_blocks(engine, name, size):
    def gradient_at(t):
        return np.random.default_rng(t).normal(size=size)

    theta, gradients = np.random.default_rng(0).normal(size=size), np.empty(size)
    weights = slice(1, size // 2)
    rates = [0.1, 0.05, 0.2, 0.0, 0.1]
    expected = naive_path(name, theta, gradient_at, rates, weights)
    options = {"weights": [theta[weights]]} if name == "adamw" else {}
    optimizer = OPTIMIZERS[name](theta, gradients, **options, engine=engine)
    for t, (rate, path) in enumerate(zip(rates, expected, strict=True), start=1):
        gradients[...] = gradient_at(t)
        optimizer.step(rate)
        np.testing.assert_allclose(theta, path, rtol=1e-11, atol=1e-13)
        np.testing.assert_array_equal(gradients, gradient_at(t))


def test_adamw_shrinks_the_weights_that_it_is_given_or_else_everything(engine):
    network = Network([Dense(3)], 2)
    network.parameters[...] = 1
    weights = [W for W, _ in network.weights()]
    AdamW(network.parameters, network.gradients, weight_decay=0.5, weights=weights, engine=engine).step(0.1)
    np.testing.assert_allclose(network.named_parameters["0.W"], np.full((2, 3), 0.95), rtol=1e-6)
    np.testing.assert_array_equal(network.named_parameters["0.b"], np.ones(3))
    AdamW(network.parameters, network.gradients, weight_decay=0.5, engine=engine).step(0.1)
    np.testing.assert_allclose(network.named_parameters["0.b"], np.full(3, 0.95), rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_and_steps_are_all_that_is_needed_to_go_on(engine, name):
    def run(optimizer, parameters, gradients, steps):
        for t in steps:
            gradients[...] = np.random.default_rng(t).normal(size=gradients.size)
            optimizer.step(0.01)
        return parameters

    def begin(parameters):
        gradients = np.zeros(50, np.float32)
        return OPTIMIZERS[name](parameters, gradients, engine=engine), parameters, gradients

    whole = run(*begin(np.ones(50, np.float32)), range(100))
    first = begin(np.ones(50, np.float32))
    second = begin(run(*first, range(40)).copy())
    second[0].steps = first[0].steps
    for key, moment in first[0].state.items():
        second[0].state[key][...] = moment
    np.testing.assert_array_equal(run(*second, range(40, 100)), whole)


FADING = {
    "momentum": {},
    "nesterov": {},
    "rmsprop": {"decay": 0.9},
    "adam": {"beta2": 0.95},
    "adamw": {"beta2": 0.95},
}


def silent_and_living(name, dtype, engine, check=lambda optimizer: None):
    """Train two parameters of which the first never sees a gradient again after step 20."""
    parameters, gradients = np.zeros(2, dtype), np.zeros(2, dtype)
    optimizer = OPTIMIZERS[name](parameters, gradients, **FADING[name], engine=engine)
    for t in range(2_000):
        gradients[...] = [np.sin(t) if t < 20 else 0, np.cos(t)]
        optimizer.step(0.01)
        check(optimizer)
    return optimizer


@pytest.mark.parametrize("name", FADING)
def test_moments_of_a_silent_unit_become_zero_without_being_subnormal_on_the_way(engine, name):
    def no_subnormals(optimizer):
        for moment in optimizer.state.values():
            assert not ((moment != 0) & (np.abs(moment) < np.finfo(np.float32).tiny)).any()

    optimizer = silent_and_living(name, np.float32, engine, no_subnormals)
    for moment in optimizer.state.values():
        assert moment[0] == 0
        assert moment[1] != 0


@pytest.mark.parametrize("name", FADING)
def test_setting_faded_moments_to_zero_moves_no_parameter(engine, name, monkeypatch):
    flushed = silent_and_living(name, np.float64, engine)
    monkeypatch.setattr(optimizers, "FLUSH_EVERY", 10**9)
    unflushed = silent_and_living(name, np.float64, engine)
    assert any(moment[0] != 0 for moment in unflushed.state.values())
    np.testing.assert_array_equal(flushed.parameters, unflushed.parameters)


@pytest.mark.parametrize("rule", [Momentum, RMSprop])
def test_moments_begin_at_zero_and_are_as_long_as_the_parameters(engine, rule):
    optimizer = rule(np.ones(7, np.float32), np.ones(7, np.float32), engine=engine)
    for moment in optimizer.state.values():
        np.testing.assert_array_equal(moment, np.zeros(7))
        assert moment.dtype == np.float32


def test_a_gradient_within_the_limit_is_not_clipped(engine):
    gradients = np.array([3.0, 4.0])
    assert clip_gradient_norm(gradients, 6.0, engine) == 5.0
    np.testing.assert_array_equal(gradients, [3, 4])


def test_a_longer_gradient_is_shortened_to_the_limit_and_keeps_its_direction(engine):
    gradients = np.array([3.0, 4.0, 0.0])
    assert clip_gradient_norm(gradients, 1.0, engine) == 5.0  # as it was
    np.testing.assert_allclose(gradients, [0.6, 0.8, 0], rtol=1e-15)


def test_a_gradient_whose_squares_overflow_keeps_its_direction(engine):
    g = np.array([3e20, 4e20], np.float32)
    with np.errstate(over="ignore"):
        assert clip_gradient_norm(g, 1.0, engine) == pytest.approx(5e20)
    np.testing.assert_allclose(g, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_several_threads_take_the_very_same_step(name):
    n = max(FEW, BLOCK) + BLOCK + 7
    rng = np.random.default_rng(0)
    theta, gradients = rng.standard_normal((2, n)).astype(np.float32)
    results = []
    for threads in (1, 3):
        parameters = theta.copy()
        optimizer = OPTIMIZERS[name](parameters, gradients, engine=Engine(threads))
        for _ in range(3):
            optimizer.step(0.01)
        results.append(parameters)
    np.testing.assert_array_equal(*results)
    assert (results[0] != theta).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_a_part_leaves_the_rest_to_others(engine, name):
    """Two who move a part each go the way of one who moves all; AdamW's weights decay beside that."""
    theta, gradients = np.random.default_rng(0).standard_normal((2, 11))
    options = {"weights": []} if name == "adamw" else {}
    whole = OPTIMIZERS[name](theta.copy(), gradients, **options, engine=engine)
    parts = slice(0, 4), slice(4, 11)
    shares = [OPTIMIZERS[name](theta.copy(), gradients, **options, engine=engine) for _ in parts]
    for _ in range(3):
        whole.step(0.1)
        for share, part in zip(shares, parts, strict=True):
            share.step(0.1, part)
    for share, part, rest in zip(shares, parts, reversed(parts), strict=True):
        np.testing.assert_array_equal(share.parameters[part], whole.parameters[part])
        np.testing.assert_array_equal(share.parameters[rest], theta[rest])
        for key, moment in share.state.items():
            np.testing.assert_array_equal(moment[part], whole.state[key][part])
            assert not moment[rest].any()
