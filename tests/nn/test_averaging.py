import numpy as np
import pytest

from glassnet.nn import BatchNorm, Dense, Network, Pass, WeightAverage
from glassnet.nn.engine import BLOCK


def test_three_steps_by_hand(engine):
    # d = ½: the first steps are at the warm-up's 1/10, 2/11 and 3/12, then ½ holds.
    #   0.1 · 10 + 0.9 · 20 = 19        2/11 · 19 + 9/11 · 8 = 10        ¼ · 10 + ¾ · 2 = 4
    network = Network([Dense(1)], 1, dtype=np.float64, engine=engine)
    network.parameters[...] = 10
    average = WeightAverage(network, 0.5)
    np.testing.assert_array_equal(average.network.parameters, [10, 10])
    for theta, mean in ((20, 19), (8, 10), (2, 4)):
        network.parameters[...] = theta
        average.update()
        np.testing.assert_allclose(average.network.parameters, mean, rtol=1e-14)
        np.testing.assert_array_equal(network.parameters, theta)
    assert average.steps == 3


@pytest.mark.parametrize("decay", [0.0, 0.6, 0.99])
@pytest.mark.parametrize("units", [3, BLOCK // 2, BLOCK])  # a block has no border that shows
def test_it_is_its_docstring(engine, decay, units):
    network = Network([Dense(units)], 1, dtype=np.float64, engine=engine)
    average, rng = WeightAverage(network, decay), np.random.default_rng(0)
    mean = network.parameters.copy()
    for t in range(40):
        network.parameters[...] = rng.normal(size=network.parameters.size)
        d = min(decay, (1 + t) / (10 + t))
        mean = d * mean + (1 - d) * network.parameters
        average.update()
        np.testing.assert_allclose(average.network.parameters, mean, rtol=1e-9, atol=1e-12)


def test_weights_that_rest_are_their_own_mean(engine):
    network = Network([Dense(4), BatchNorm()], 3, engine=engine)
    average = WeightAverage(network, 0.9)
    for _ in range(20):
        average.update()
    np.testing.assert_array_equal(average.network.parameters, network.parameters)
    np.testing.assert_array_equal(average.network.statistics, network.statistics)


def test_the_averaged_network_is_one_of_its_own_with_averaged_statistics(engine):
    rng = np.random.default_rng(0)
    X, network = (
        rng.normal(5, 2, (50, 3)).astype(np.float32),
        Network([Dense(6), BatchNorm(), Dense(4)], 3, engine=engine),
    )
    p = Pass(network, training=True)
    average = WeightAverage(network, 0.99)
    mean = network.statistics.copy()
    for t in range(5):
        network.forward(X, p)
        average.update()
        mean += (1 - (1 + t) / (10 + t)) * (network.statistics - mean)
    np.testing.assert_allclose(average.network.named_statistics["1.running_mean"], mean[:6], rtol=1e-6)
    before, gradients = network.forward(X), network.gradients.copy()
    average.network.parameters[...] = 0
    assert not average.network.forward(X).any()
    np.testing.assert_array_equal(network.forward(X), before)
    np.testing.assert_array_equal(network.gradients, gradients)


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_a_decay_that_is_none(decay):
    with pytest.raises(ValueError, match="0 ≤ decay < 1"):
        WeightAverage(Network([Dense(2)], 2), decay)
