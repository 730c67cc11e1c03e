import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import (
    GELU,
    L2,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MeanSquaredError,
    Network,
    Pass,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_gradients,
)

ACTIVATIONS = {
    "ReLU": ReLU,
    "LeakyReLU": lambda: LeakyReLU(0.1),
    "GELU": GELU,
    "Sigmoid": Sigmoid,
    "Tanh": Tanh,
}


def build(layers, input_shape, engine, seed=0):
    """A float64 network away from its first values, so that no bias is zero and no ReLU sits on its kink."""
    network = Network(layers, input_shape, dtype=np.float64, seed=seed, engine=engine)
    network.parameters += np.random.default_rng(seed + 1).normal(scale=0.3, size=network.parameters.size)
    return network


def examples(n, shape, k, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *shape)), rng.integers(0, k, n)


class Weighted(SoftmaxCrossEntropy):
    """With sample weights, which `check_gradients` itself does not hand on."""

    def __call__(self, logits, labels):
        return super().__call__(logits, labels, 1 + np.arange(len(labels)))


LOSSES = {
    "plain": lambda engine: SoftmaxCrossEntropy(3, engine=engine),
    "smoothed": lambda engine: SoftmaxCrossEntropy(3, label_smoothing=0.2, engine=engine),
    "class weights": lambda engine: SoftmaxCrossEntropy(3, class_weights=[1.0, 0.0, 4.0], engine=engine),
    "everything": lambda engine: Weighted(3, label_smoothing=0.1, class_weights=[0.5, 1.0, 2.0], engine=engine),
}


def assert_passed(check, network):
    assert check.passed, str(check)
    assert check.largest_error <= 1e-6
    assert [parameter.name for parameter in check.parameters] == list(network.named_parameters)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_every_layer_under_every_activation(engine, activation):
    """Dense below and above each of the others, so that every input gradient is on the way to some parameter."""
    layers = [Flatten(), Dense(5), activation(), Dense(4), BatchNorm(), activation(), Dropout(0.3), Dense(3)]
    network = build(layers, (2, 3), engine)
    X, y = examples(7, (2, 3), 3)
    check = check_gradients(network, SoftmaxCrossEntropy(3, engine=engine), X, y)
    assert_passed(check, network)
    for parameter in check.parameters:  # each number of each parameter
        assert len(parameter.errors) == network.named_parameters[parameter.name].size


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("regularizer", [None, L2(0.3)], ids=str)
def test_every_loss_with_and_without_l2(engine, loss, regularizer):
    network = build([Dense(4), Tanh(), Dense(3)], 5, engine)
    X, y = examples(6, (5,), 3)
    assert_passed(check_gradients(network, loss(engine), X, y, regularizer=regularizer), network)


def test_mean_squared_error(engine):
    network = build([Dense(4), Sigmoid(), Dense(2)], 5, engine)
    X, _ = examples(6, (5,), 3)
    assert_passed(
        check_gradients(network, MeanSquaredError(), X, np.random.default_rng(9).normal(size=(6, 2))), network
    )


def test_a_larger_network_along_random_directions(engine):
    network = build([Dense(60), BatchNorm(), GELU(), Dropout(0.5), Dense(10)], 64, engine)
    X, y = examples(20, (64,), 10)
    check = check_gradients(
        network, SoftmaxCrossEntropy(10, 0.1, engine=engine), X, y, regularizer=L2(1e-3), projections=7
    )
    assert_passed(check, network)
    assert check.parameters[0].directions == [f"random {i}" for i in range(1, 8)]


@settings(max_examples=12, derandomize=True, deadline=None)
@given(
    n=st.integers(2, 6),
    d=st.integers(1, 4),
    hidden=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(list(ACTIVATIONS)), st.booleans()), max_size=3),
    k=st.integers(2, 4),
)
def test_networks_of_any_shape(engine, n, d, hidden, k):
    layers = []
    for units, activation, normalised in hidden:
        layers += [Dense(units), *([BatchNorm(epsilon=0.1)] if normalised else []), ACTIVATIONS[activation]()]
    network = build([*layers, Dense(k)], d, engine, seed=n)
    X, y = examples(n, (d,), k)
    assert_passed(check_gradients(network, SoftmaxCrossEntropy(k, engine=engine), X, y), network)


class OneBiasForAll(Dense):
    """The notebooks' mistake: the bias gradient is summed over the units as well."""

    def parameter_gradients(self, dZ, p):
        super().parameter_gradients(dZ, p)
        p.db[...] = dZ.sum()


class ForgottenTranspose(Dense):
    """Right for parameters, wrong for what lies below; W is square here."""

    def input_gradient(self, dZ, p):
        return dZ @ self.W


class WrongDerivative(Tanh):
    """1 − A instead of 1 − A²."""

    def input_gradient(self, dA, p):
        return dA * (1 - p.A)


class StatisticsForgotten(BatchNorm):
    """The chain rule does not go through mean and variance."""

    def input_gradient(self, dY, p):
        return dY * self.gamma * p.inverse_std


class UndividedDropout(Dropout):
    def input_gradient(self, dY, p):
        return dY * (p.mask > 0)


class TimesP1MinusP(SoftmaxCrossEntropy):
    """Notebook 004's factor p(1 − p), which is the derivative of neither softmax nor cross-entropy."""

    def __call__(self, logits, labels):
        found, P = super().__call__(logits, labels), self.probabilities(logits)
        return found._replace(gradient=found.gradient * P * (1 - P))


class TooManyRows(SoftmaxCrossEntropy):
    """Notebook 001 divides by rows that it does not train on."""

    def __call__(self, logits, labels):
        found = super().__call__(logits, labels)
        return found._replace(gradient=found.gradient * 0.75)


class NotANumber(Dense):
    def parameter_gradients(self, dZ, p):
        super().parameter_gradients(dZ, p)
        p.db[0] = np.nan


class Twice(L2):
    """λ W² without its half."""

    def add_gradient(self, network):
        super().add_gradient(network)
        super().add_gradient(network)


RIGHT = SoftmaxCrossEntropy
# A network, a loss, a regularizer, and the parameters whose gradients the mistake makes wrong.
MISTAKES = {
    "bias": (lambda: [OneBiasForAll(4), Tanh(), Dense(3)], RIGHT, None, {"0.b"}),
    "transpose": (lambda: [Dense(3), ForgottenTranspose(3)], RIGHT, None, {"0.W", "0.b"}),
    "derivative": (lambda: [Dense(4), WrongDerivative(), Dense(3)], RIGHT, None, {"0.W", "0.b"}),
    "statistics": (lambda: [Dense(4), StatisticsForgotten(), Tanh(), Dense(3)], RIGHT, None, {"0.W", "0.b"}),
    "dropout": (lambda: [Dense(4), UndividedDropout(0.5), Dense(3)], RIGHT, None, {"0.W", "0.b"}),
    "p(1 − p)": (lambda: [Dense(4), Tanh(), Dense(3)], TimesP1MinusP, None, {"0.W", "0.b", "2.W", "2.b"}),
    "rows": (lambda: [Dense(4), Tanh(), Dense(3)], TooManyRows, None, {"0.W", "0.b", "2.W", "2.b"}),
    "nan": (lambda: [NotANumber(4), Tanh(), Dense(3)], RIGHT, None, {"0.b"}),
    "l2": (lambda: [Dense(4), Tanh(), Dense(3)], RIGHT, Twice(0.3), {"0.W", "2.W"}),
}


@pytest.mark.parametrize(("layers", "loss", "regularizer", "wrong"), MISTAKES.values(), ids=MISTAKES)
def test_a_planted_mistake_is_found_where_it_is_and_both_gradients_are_printed(
    engine, layers, loss, regularizer, wrong, capsys
):
    network = build(layers(), 5, engine)
    X, y = examples(6, (5,), 3)
    check = check_gradients(network, loss(3, engine=engine), X, y, regularizer=regularizer)
    assert not check.passed
    assert {parameter.name for parameter in check.parameters if not parameter.passed} == wrong
    printed = capsys.readouterr().out
    assert printed == f"{check}\n"
    assert printed.count("by backward") == printed.count("measured") == printed.count("WRONG") == len(wrong)
    for parameter in check.parameters:
        worst = int(np.argmax(parameter.errors))
        numbers = f"{parameter.backward[worst]:>15.8g} {parameter.measured[worst]:>15.8g}"
        assert (f"  {parameter.directions[worst]:<20} {numbers}" in printed) == (parameter.name in wrong)


def test_both_numbers_of_a_mistake_are_the_true_ones(engine):
    network = build([OneBiasForAll(2)], 3, engine)
    X, y = examples(4, (3,), 2)
    loss = SoftmaxCrossEntropy(2, engine=engine)
    (_, bias) = check_gradients(network, loss, X, y).parameters
    dZ = loss(network.forward(X), y).gradient
    np.testing.assert_allclose(bias.backward, [dZ.sum()] * 2, atol=1e-15)
    np.testing.assert_allclose(bias.measured, dZ.sum(axis=0), rtol=1e-8)
    assert bias.directions == ["[0]", "[1]"]


def test_a_mistake_in_a_larger_network_is_found_along_random_directions(engine, capsys):
    network = build([Dense(60), WrongDerivative(), Dense(10)], 64, engine)
    X, y = examples(20, (64,), 10)
    assert not check_gradients(network, SoftmaxCrossEntropy(10, engine=engine), X, y).passed
    assert "random" in capsys.readouterr().out


def test_nothing_is_printed_when_all_is_well_and_the_check_itself_is_a_table(engine, capsys):
    network = build([Dense(3)], 5, engine)
    check = check_gradients(network, SoftmaxCrossEntropy(3, engine=engine), *examples(6, (5,), 3))
    assert capsys.readouterr().out == ""
    heading, *rows = str(check).splitlines()
    assert heading.split() == ["parameter", "checked", "largest", "error"]
    assert [row.split()[:2] for row in rows] == [["0.W", "15"], ["0.b", "3"]]


@pytest.mark.parametrize("mistake", [False, True])
def test_the_network_is_left_as_it_was_found(engine, mistake):
    network = build([Dense(4), BatchNorm(), Dropout(0.5), OneBiasForAll(3) if mistake else Dense(3)], 5, engine)
    X, y = examples(6, (5,), 3)
    network.forward(X, Pass(network, training=True))
    parameters, statistics = network.parameters.copy(), network.statistics.copy()
    assert check_gradients(network, SoftmaxCrossEntropy(3, engine=engine), X, y, regularizer=L2(0.1)).passed != mistake
    np.testing.assert_array_equal(network.parameters, parameters)
    np.testing.assert_array_equal(network.statistics, statistics)


def test_a_kink_within_the_step_is_no_mistake(engine):
    """Z is 4e-6: a step of 1e-5 crosses the kink of ReLU, one of 1e-6 does not."""
    network = Network([Dense(1), ReLU()], 1, dtype=np.float64, engine=engine)
    network.parameters[...] = [4e-6, 0]
    assert check_gradients(network, MeanSquaredError(), np.ones((1, 1)), np.ones((1, 1))).passed


def test_float32_is_refused():
    with pytest.raises(ValueError, match=r"dtype=np\.float64"):
        check_gradients(Network([Dense(3)], 5), SoftmaxCrossEntropy(3), *examples(6, (5,), 3))


def test_a_network_without_parameters_has_nothing_to_check(engine):
    check = check_gradients(build([ReLU()], 3, engine), SoftmaxCrossEntropy(3, engine=engine), *examples(6, (3,), 3))
    assert check.passed
    assert check.largest_error == 0
