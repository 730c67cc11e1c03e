"""Which layers are a chain."""

import pytest

from glassnet.nn import Dense, Dropout, LeakyReLU, ReLU, Sigmoid
from glassnet.nn.chain import Chain, chain_of


def test_dense_layers_with_one_activation_between_any_two_are_a_chain() -> None:
    layers = [Dense(4), LeakyReLU(0.1), Dense(3), LeakyReLU(0.1), Dense(2)]
    assert chain_of(layers) == Chain((4, 3, 2), LeakyReLU.rule, LeakyReLU.gradient, (0.1,))
    only = chain_of([Dense(2)])
    assert only is not None
    assert only.units == (2,)


class Planted(Dense):
    """A layer with a mistake."""


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [ReLU()],
        [Dense(4), ReLU()],
        [Dense(4), ReLU(), Dense(3), ReLU()],
        [Dense(4), Dense(3)],
        [Dense(4), ReLU(), Dense(3), Sigmoid(), Dense(2)],
        [Dense(4), LeakyReLU(0.1), Dense(3), LeakyReLU(0.2), Dense(2)],
        [Dense(4), Dropout(0.1), Dense(3)],
        [Planted(4), ReLU(), Dense(3)],
    ],
    ids=str,
)
def test_others_are_not(layers: list) -> None:
    assert chain_of(layers) is None
