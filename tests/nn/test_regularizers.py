import numpy as np
import pytest

from glassnet.nn import L2, BatchNorm, Dense, Network, Pass, Sigmoid, SoftmaxCrossEntropy


@pytest.fixture
def network(engine):
    network = Network([Dense(4), BatchNorm(), Sigmoid(), Dense(3)], 5, dtype=np.float64, seed=3, engine=engine)
    network.parameters += np.random.default_rng(4).normal(size=network.parameters.size)
    return network


def test_penalty_is_half_of_the_squared_weights_and_of_nothing_else(network):
    total = 0.0
    for name in ("0.W", "3.W"):
        for w in network.named_parameters[name].ravel():
            total += w**2
    assert L2(0.3).penalty(network) == pytest.approx(0.3 / 2 * total, rel=1e-13)


def test_gradient_is_added_to_the_weights_alone(network):
    network.gradients[...] = 1.0
    L2(0.3).add_gradient(network)
    for name, gradient in network.named_gradients.items():
        expected = 1 + 0.3 * network.named_parameters[name] if name.endswith(".W") else np.ones(gradient.shape)
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_the_batch_size_does_not_change_what_it_costs(network):
    """Ten copies of each example are the same data, so loss, penalty and gradient are the same."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    p = Pass(network, training=True)
    totals, gradients = [], []
    for copies in (1, 10):
        loss = SoftmaxCrossEntropy(3, engine=network.engine)
        found = loss(network.forward(np.tile(X, (copies, 1)), p), np.tile(y, copies))
        network.backward(found.gradient, p)
        L2(0.1).add_gradient(network)
        totals.append(found.value + L2(0.1).penalty(network))
        gradients.append(network.gradients.copy())
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("strength", [-0.1, np.nan, np.inf])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ValueError, match="at least 0"):
        L2(strength)
