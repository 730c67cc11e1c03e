"""Each mistake does what its equation says: what is planted equals a plain transcription of ``wrong``, in float64."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from glassnet.clinic import MISTAKES, Mistake
from glassnet.clinic.doctor.diagnosis import KNOWN, OF_CONVOLUTIONS
from glassnet.clinic.mistakes import (
    convolution_mistakes,
    data_mistakes,
    gradient_mistakes,
    softmax_mistakes,
    weight_mistakes,
)
from glassnet.data import Examples
from glassnet.errors import ConfigError, TrainingError
from glassnet.nn import Dense, Network, Pass, SoftmaxCrossEntropy, check_gradients
from glassnet.training import Config, build_loss, build_network

INPUTS, HIDDEN, CLASSES = 7, 5, 4
Arrays = dict[str, np.ndarray]


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((12, INPUTS)), np.arange(12) % CLASSES


def examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.integers(0, 256, (n, 3, 3), np.uint8), rng.integers(0, CLASSES, n))


def planted(*names: str, hidden: int = HIDDEN) -> tuple[Network, SoftmaxCrossEntropy]:
    """Return network and loss with the mistakes, as a run has them that learns from 30 images and holds out 10."""
    mistakes = [MISTAKES[name]() for name in names]
    for mistake in mistakes:
        mistake.see(examples(30, 2), examples(10, 3))
    config = Config.resolve("fast", hidden=[hidden], precision="float64", seed=3)
    network = build_network(config, (INPUTS,), CLASSES, mistakes)
    return network, build_loss(config, np.arange(CLASSES), CLASSES, mistakes)


def gradients(network: Network, loss: SoftmaxCrossEntropy, X: np.ndarray, y: np.ndarray) -> tuple[float, Arrays]:
    p = Pass(network, training=True)
    Z = network.forward(X, p)
    found = loss(Z, y)
    np.testing.assert_array_equal(found.right, Z.argmax(axis=1) == y)
    network.backward(found.gradient, p)
    return found.value, dict(zip(("W1", "b1", "W2", "b2"), network.named_gradients.values(), strict=True))


def plain(
    network: Network,
    X: np.ndarray,
    y: np.ndarray,
    *,
    softmax: Callable[[np.ndarray], np.ndarray] = lambda Z: np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True),
    dZ2_of: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda P, T: (P - T) / len(P),
    mask: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda dA, Z: Z > 0,
    bias: Callable[[np.ndarray], Any] = lambda dZ: dZ.sum(axis=0),
) -> tuple[float, Arrays]:
    """One step forward and back in plain NumPy, with the place of each mistake open."""
    first, second = (layer for layer in network.layers if isinstance(layer, Dense))
    Z1 = X @ first.W + first.b
    A1 = np.maximum(Z1, 0)
    P, T = softmax(A1 @ second.W + second.b), np.eye(CLASSES)[y]
    dZ2 = dZ2_of(P, T)
    dA1 = dZ2 @ second.W.T
    dZ1 = dA1 * mask(dA1, Z1)
    found = {"W1": X.T @ dZ1, "b1": bias(dZ1) * np.ones(HIDDEN), "W2": A1.T @ dZ2, "b2": bias(dZ2) * np.ones(CLASSES)}
    return float(-np.log((P * T).sum(axis=1)).mean()), found


WRONG: dict[str, dict[str, Any]] = {
    "one-bias-gradient": {"bias": lambda dZ: dZ.sum()},
    "wrong-row-count": {"dZ2_of": lambda P, T: (P - T) / 40},
    "times-p-one-minus-p": {"dZ2_of": lambda P, T: (P - T) * P * (1 - P) / len(P)},
    "relu-derivative-of-wrong-array": {"mask": lambda dA, Z: dA > 0},
    "softmax-wrong-axis": {"softmax": lambda Z: np.exp(Z) / np.exp(Z).sum(axis=0)},
    # The same as the right one as long as nothing overflows and no class is missing.
    "softmax-without-maximum": {},
    "softmax-global-maximum": {},
    "narrow-one-hot": {},
}


@pytest.mark.parametrize("name", WRONG)
def test_gradients_are_those_of_the_wrong_equation(name: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
    network, loss = planted(name)
    value, found = gradients(network, loss, *batch)
    expected_value, expected = plain(network, *batch, **WRONG[name])
    assert value == pytest.approx(expected_value, rel=1e-12)
    for parameter, gradient in expected.items():
        np.testing.assert_allclose(found[parameter], gradient, rtol=1e-10, atol=1e-14, err_msg=parameter)


@pytest.mark.parametrize("name", [name for name, wrong in WRONG.items() if wrong])
def test_the_wrong_equation_is_another_one(name: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
    network, loss = planted(name)
    _, found = gradients(network, loss, *batch)
    _, right = plain(network, *batch)
    assert max(np.abs(found[parameter] - right[parameter]).max() for parameter in right) > 1e-3


def convolutional(*names: str) -> Network:
    config = Config.of(layers="conv 30 3x3, pool 2, dense 40", precision="float64", seed=3)
    return build_network(config, (9, 9), CLASSES, [MISTAKES[name]() for name in names])


def test_mistakes_with_first_values_are_made_with_filters_as_with_units() -> None:
    assert np.unique(convolutional("equal-weights").named_parameters["1.W"]) == [1 / 9]
    biases = convolutional("random-biases").named_parameters["1.b"]
    assert 0.2 < biases.std() < 0.5  # 1/3, of 30 numbers
    mixed = convolutional("mixed-up-scales").named_parameters
    assert 0.28 < mixed["1.W"].std() < 0.39  # 1/3
    assert 0.1 < mixed["1.b"].std() < 0.27  # √(1/30) = 0.18


def backward_through(*names: str) -> tuple[Network, Pass, np.ndarray]:
    """Send some images through two convolutions and back; return the gradient that the last Flatten was handed, too."""
    config = Config.of(layers="conv 3 2x2 same, pool 2, conv 4 3x3 same, pool 2", precision="float64", seed=3)
    network = build_network(config, (8, 8), CLASSES, [MISTAKES[name]() for name in names])
    network.parameters += np.random.default_rng(1).normal(scale=0.1, size=network.parameters.size)
    X, y = np.random.default_rng(0).standard_normal((5, 64)), np.arange(5) % CLASSES
    p = Pass(network, training=True)
    dY = SoftmaxCrossEntropy(CLASSES)(network.forward(X, p), y).gradient
    above = dY @ network.layers[-1].W.T
    network.backward(dY, p)
    return network, p, above


def test_the_mistakes_of_convolutions_are_their_wrong_equations() -> None:
    right, p, _ = backward_through()
    pool, mine = right.layers[5], p.layers[5]
    rng = np.random.default_rng(2)
    dY = rng.standard_normal(mine.Y.shape)
    planted, passed, _ = backward_through("pool-gradient-to-all-places")
    found = planted.layers[5].input_gradient(dY.copy(), passed.layers[5])
    np.testing.assert_allclose(found, dY.repeat(2, axis=1).repeat(2, axis=2), rtol=1e-12)
    kept = pool.input_gradient(dY.copy(), mine)
    assert np.count_nonzero(kept) == dY.size

    dZ = rng.standard_normal((5, 4, 4, 4))
    planted, passed, _ = backward_through("unflipped-filters")
    found = planted.layers[4].input_gradient(dZ.copy(), passed.layers[4])
    W, padded = planted.layers[4].W, np.pad(dZ, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(padded[:, u : u + 4, v : v + 4] @ W[u, v].T for u, v in np.ndindex(3, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-10)

    planted, passed, _ = backward_through("wrong-padding")
    found = planted.layers[4].input_gradient(dZ.copy(), passed.layers[4])
    expected = np.zeros((5, 6, 6, 3))
    for u, v in np.ndindex(3, 3):
        expected[:, u : u + 4, v : v + 4] += dZ @ W[u, v].T
    np.testing.assert_allclose(found, expected[:, :4, :4], rtol=1e-10)

    planted, passed, above = backward_through("channels-folded-first")
    found = planted.layers[-2].input_gradient(above.copy(), passed.layers[-2])
    np.testing.assert_array_equal(found[:, 1, 0, 3], above.reshape(5, 4, 2, 2)[:, 3, 1, 0])


def test_a_bias_per_pixel_begins_as_a_bias_per_filter_and_learns_for_each_place() -> None:
    config = Config.of(layers="conv 3 2x2 same", precision="float64", seed=3)
    right, network = (
        build_network(config, (4, 4), CLASSES, planted) for planted in ([], [MISTAKES["bias-per-pixel"]()])
    )
    X, y = np.random.default_rng(0).standard_normal((5, 16)), np.arange(5) % CLASSES
    found = []
    for each in (right, network):
        p = Pass(each, training=True)
        each.backward(SoftmaxCrossEntropy(CLASSES)(each.forward(X, p), y).gradient, p)
        found.append({name: gradient.copy() for name, gradient in each.named_gradients.items()})
    assert network.named_parameters["2.b"].shape == (4, 4, 3)
    np.testing.assert_array_equal(found[1]["1.W"], found[0]["1.W"])
    np.testing.assert_array_equal(found[1]["1.b"], 0)
    np.testing.assert_allclose(found[1]["2.b"].sum(axis=(0, 1)), found[0]["1.b"], rtol=1e-10)


CONVOLUTION_GRADIENTS = ["pool-gradient-to-all-places", "unflipped-filters", "channels-folded-first", "wrong-padding"]


@pytest.mark.parametrize("name", CONVOLUTION_GRADIENTS)
def test_the_gradient_check_sees_the_mistakes_of_convolutions(name: str) -> None:
    config = Config.of(layers="conv 3 2x2 same, pool 2, conv 4 3x3 same, pool 2", precision="float64", seed=3)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 64)), np.arange(5) % CLASSES
    for mistakes in ([], [MISTAKES[name]()]):
        network = build_network(config, (8, 8), CLASSES, mistakes)
        network.parameters += np.random.default_rng(1).normal(scale=0.1, size=network.parameters.size)
        assert check_gradients(network, SoftmaxCrossEntropy(CLASSES), X, y).passed is not bool(mistakes)


@pytest.mark.parametrize(
    ("name", "layers", "needed"),
    [
        ("pool-gradient-to-all-places", "conv 3 2x2", "an entry pool"),
        ("unflipped-filters", "conv 3 2x2, pool 2", "2 entries conv"),
        ("channels-folded-first", "dense 8", "an entry conv"),
        ("wrong-padding", "conv 3 2x2, conv 3 2x2 same", "2 entries padded conv"),
        ("bias-per-pixel", "dense 8", "an entry conv"),
    ],
)
def test_a_mistake_that_has_no_place_in_the_network_is_refused(name: str, layers: str, needed: str) -> None:
    with pytest.raises(ConfigError, match=f"mistakes: {name} needs {needed} in layers; give such layers as well"):
        Config.of(layers=layers, mistakes=[name])


def test_one_bias_gradient_is_the_sum_over_all_filters() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 81)), np.arange(6) % CLASSES
    found = []
    for network in (convolutional(), convolutional("one-bias-gradient")):
        p = Pass(network, training=True)
        network.backward(SoftmaxCrossEntropy(CLASSES)(network.forward(X, p), y).gradient, p)
        found.append(network.named_gradients)
    right, wrong = found
    np.testing.assert_allclose(wrong["1.b"], np.full(30, right["1.b"].sum()), rtol=1e-10)
    np.testing.assert_array_equal(wrong["1.W"], right["1.W"])


def test_a_softmax_without_maximum_is_nan_where_exp_overflows() -> None:
    _, loss = planted("softmax-without-maximum")
    y = np.array([0, 1])
    with np.errstate(all="ignore"):
        assert np.isfinite(loss(np.array([[709.0, 0, 0, 0], [0, 1, 0, 0]]), y).value)
        assert np.isnan(loss(np.array([[710.0, 0, 0, 0], [0, 1, 0, 0]]), y).value)


def test_a_global_maximum_is_nan_for_an_example_far_below_the_largest() -> None:
    _, loss = planted("softmax-global-maximum")
    y = np.array([0, 1])
    with np.errstate(all="ignore"):
        assert np.isfinite(loss(np.array([[800.0, 0, 0, 0], [99, 100, 99, 99]]), y).value)
        assert np.isnan(loss(np.array([[900.0, 0, 0, 0], [99, 100, 99, 99]]), y).value)
        assert np.isfinite(loss(np.array([[99.0, 100, 99, 99]]), np.array([1])).value)


def test_a_narrow_one_hot_stops_at_a_batch_without_the_last_class() -> None:
    _, loss = planted("narrow-one-hot")
    Z = np.zeros((3, CLASSES))
    loss(Z, np.array([0, 1, 3]))
    with pytest.raises(TrainingError, match="4 columns and the one-hot labels 3"):
        loss(Z, np.array([0, 1, 2]))


def test_two_mistakes_in_one_loss_are_both_made() -> None:
    _, loss = planted("softmax-without-maximum", "narrow-one-hot")
    with np.errstate(all="ignore"):
        assert np.isnan(loss(np.full((1, CLASSES), 1000.0), np.array([3])).value)
    with pytest.raises(TrainingError):
        loss(np.zeros((1, CLASSES)), np.array([0]))


# W and b of a hidden layer of 1,600 units and of the last, which has 1,600 inputs: (mean, standard deviation) of each.
WIDE = 1600
FIRST_VALUES = {
    "uniform-weights": [(0.5, 12**-0.5)] * 4,
    "ignored-fan-in": [(0, WIDE**-0.5), (0, WIDE**-0.5), (0, CLASSES**-0.5), (0, CLASSES**-0.5)],
    "equal-weights": [(1 / INPUTS, 0), (0, 0), (1 / WIDE, 0), (0, 0)],
    "mixed-up-scales": [(0, INPUTS**-0.5), (0, WIDE**-0.5), (0, (WIDE + CLASSES) ** -0.5), (0, INPUTS**-0.5)],
    "random-biases": [(0, (2 / INPUTS) ** 0.5), (0, INPUTS**-0.5), (0, (2 / WIDE) ** 0.5), (0, WIDE**-0.5)],
}


@pytest.mark.parametrize("name", FIRST_VALUES)
def test_first_values_have_the_wrong_spread(name: str) -> None:
    network, _ = planted(name, hidden=WIDE)
    arrays = [array for layer in network.layers if isinstance(layer, Dense) for array in (layer.W, layer.b)]
    for array, (mean, spread) in zip(arrays, FIRST_VALUES[name], strict=True):
        few = array.size < 100  # four biases say little about a distribution
        assert array.std() == pytest.approx(spread, rel=0.9 if few else 0.1, abs=1e-12)
        assert array.mean() == pytest.approx(mean, abs=1e-12 + spread * (1.5 if few else 0.1))


def test_first_values_are_drawn_anew_for_each_array_and_repeat_with_the_seed() -> None:
    for name in FIRST_VALUES:
        np.testing.assert_array_equal(planted(name)[0].parameters, planted(name)[0].parameters)
    biases = planted("random-biases")[0].layers[0].b  # type: ignore[attr-defined]
    assert len(set(biases.tolist())) == HIDDEN


def keys(part: Examples) -> list[tuple[bytes, int]]:
    return [(image.tobytes(), int(label)) for image, label in zip(part.images, part.labels, strict=True)]


def changed(name: str) -> tuple[Examples, Examples, Examples, Examples]:
    training, held_out = examples(82, 4), examples(20, 5)
    return training, held_out, *MISTAKES[name]().examples(training, held_out, seed=0)


def test_labels_stay_where_they_were_while_the_images_move() -> None:
    training, held_out, wrong, same = changed("labels-left-behind")
    assert wrong.labels.tolist() == training.labels.tolist()
    assert sorted(image.tobytes() for image in wrong.images) == sorted(image.tobytes() for image in training.images)
    assert not np.array_equal(wrong.images, training.images)
    assert keys(same) == keys(held_out)


def test_sorted_examples_keep_their_labels() -> None:
    training, held_out, wrong, same = changed("no-shuffling")
    assert wrong.labels.tolist() == sorted(training.labels.tolist())
    assert sorted(keys(wrong)) == sorted(keys(training))
    assert keys(same) == keys(held_out)
    assert Config.resolve(mistakes=["no-shuffling"]).shuffle is False


def test_what_is_reported_on_is_what_was_learned_from() -> None:
    training, _, wrong, reported = changed("training-accuracy-reported")
    assert keys(wrong) == keys(reported) == keys(training)
    training, held_out, wrong, reported = changed("test-images-in-training")
    assert keys(wrong) == keys(training) + keys(held_out)
    assert keys(reported) == keys(held_out)


def test_nine_of_forty_one_rows_are_unused() -> None:
    training, held_out, wrong, same = changed("unused-rows")
    assert keys(wrong) == keys(training)[18:]
    assert keys(same) == keys(held_out)


@pytest.mark.parametrize(("name", "setting", "value"), [
    ("unscaled-pixels", "scaling", "none"),
    ("small-learning-rate", "learning_rate", 0.0008),  # a tenth of the default recipe's
])  # fmt: skip
def test_a_mistake_in_a_setting_goes_over_the_recipe(name: str, setting: str, value: object) -> None:
    assert getattr(Config.resolve(mistakes=[name]), setting) == value


def test_the_catalogue_is_complete() -> None:
    modules = (convolution_mistakes, data_mistakes, gradient_mistakes, softmax_mistakes, weight_mistakes)
    classes = {getattr(module, name) for module in modules for name in module.__all__}
    assert classes == set(MISTAKES.values())


def test_the_doctor_knows_all_but_four() -> None:
    known = KNOWN | OF_CONVOLUTIONS
    assert set(known) <= set(MISTAKES)
    unknown = ["small-learning-rate", "mixed-up-scales", "random-biases", "unused-rows"]
    assert [name for name in MISTAKES if name not in known] == list(MISTAKES)[-9:-5] == unknown


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_every_mistake_explains_itself(mistake: type[Mistake]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.name)
    for word in (mistake.summary, mistake.effect, mistake.symptom):
        assert word.endswith(".")
        assert word[0].isupper()
    assert mistake.wrong != mistake.right
    assert len(mistake.check) > 8
    Config.resolve(**mistake.circumstances, mistakes=[mistake.name])
