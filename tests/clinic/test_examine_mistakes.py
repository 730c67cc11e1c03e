"""The doctor finds each planted mistake, alone and in pairs, and nothing else."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from somebodys_network import CLASSES, SomebodysNetwork, digits

from glassnet.clinic import examine
from glassnet.clinic.doctor.diagnosis import KNOWN

# What is found where both are planted. Every other pair is found as planted.
EXCEPTIONS = {
    # Where all held-out images are training images, some are: the wider statement is the one to make.
    ("training-accuracy-reported", "test-images-in-training"): {"training-accuracy-reported"},
    # One softmax takes off either nothing or the global maximum; the network planted here takes off the maximum.
    ("softmax-without-maximum", "softmax-global-maximum"): {"softmax-global-maximum"},
}

# What numbers of one batch can show. Where no logit is large, all ways of taking a maximum off give the same numbers,
# and how a batch without the highest class is treated can only be seen by asking backward.
INVISIBLE_IN_ARRAYS = {"softmax-without-maximum", "softmax-global-maximum", "narrow-one-hot"}
IN_ARRAYS = [name for name in KNOWN if name not in INVISIBLE_IN_ARRAYS]

FORMS = [(True, np.float64), (False, np.float32)]


@pytest.mark.parametrize(("columns", "dtype"), FORMS)
@pytest.mark.parametrize("name", KNOWN)
def test_each_mistake_alone_is_found_by_asking_the_functions(name: str, columns: bool, dtype: Any) -> None:
    diagnosis = examine(**SomebodysNetwork([name], columns, dtype=dtype).functions())
    assert diagnosis.names == (name,)
    assert name in diagnosis.checked


@pytest.mark.parametrize("pair", list(combinations(KNOWN, 2)), ids="+".join)
def test_each_pair_of_mistakes_is_found_by_asking_the_functions(pair: tuple[str, str]) -> None:
    columns = (len(pair[0]) + len(pair[1])) % 2 == 0
    diagnosis = examine(**SomebodysNetwork(pair, columns).functions())
    assert set(diagnosis.names) == EXCEPTIONS.get(pair, set(pair))


@pytest.mark.parametrize(("columns", "dtype"), FORMS)
@pytest.mark.parametrize("name", IN_ARRAYS)
def test_each_visible_mistake_alone_is_found_in_numbers(name: str, columns: bool, dtype: Any) -> None:
    diagnosis = examine(**SomebodysNetwork([name], columns, dtype=dtype).arrays())
    assert diagnosis.names == (name,)
    assert INVISIBLE_IN_ARRAYS.issubset(diagnosis.unchecked)


@pytest.mark.parametrize("pair", list(combinations(IN_ARRAYS, 2)), ids="+".join)
def test_each_visible_pair_is_found_in_numbers(pair: tuple[str, str]) -> None:
    columns = (len(pair[0]) + len(pair[1])) % 2 == 0
    diagnosis = examine(**SomebodysNetwork(pair, columns).arrays())
    expected = EXCEPTIONS.get(pair, set(pair))
    # With equal weights above them, the gradient that arrives at the hidden units is 0.1 Σ (p − t) = 0, and no mask
    # changes a zero.
    if pair == ("equal-weights", "relu-derivative-of-wrong-array"):
        expected = {"equal-weights"}
        assert "the same with and without it" in diagnosis.unchecked["relu-derivative-of-wrong-array"]
    assert set(diagnosis.names) == expected


@pytest.mark.parametrize(("columns", "dtype"), FORMS)
@pytest.mark.parametrize("name", ["softmax-without-maximum", "softmax-global-maximum"])
def test_nan_in_the_probabilities_tells_which_maximum_was_taken(name: str, columns: bool, dtype: Any) -> None:
    network = SomebodysNetwork([name], columns, dtype=dtype)
    network.parameters[2] *= 1_000
    arrays = network.arrays()
    assert 0 < np.isnan(arrays["probabilities"]).sum() < arrays["probabilities"].size
    diagnosis = examine(**arrays, trained=True)
    assert diagnosis.names == (name,)
    assert diagnosis.unchecked["wrong-row-count"] == "the gradients are NaN, as the probabilities are"


def test_gradients_alone_tell_the_axis_of_softmax() -> None:
    arrays = SomebodysNetwork(["softmax-wrong-axis", "wrong-row-count"]).arrays()
    del arrays["probabilities"]
    assert examine(**arrays).names == ("softmax-wrong-axis", "wrong-row-count")


def test_a_forward_by_itself_is_enough_for_softmax() -> None:
    network = SomebodysNetwork(["softmax-global-maximum"])
    diagnosis = examine(**network.data(), forward=network.forward)
    assert diagnosis.names == ("softmax-global-maximum",)
    assert diagnosis.unchecked["one-bias-gradient"] == "neither backward nor gradients were given"


@pytest.mark.parametrize("mode", ["functions", "arrays"])
@pytest.mark.parametrize("mask", ["arriving", "nothing", "above", "above-gradient"])
def test_the_array_that_the_mask_came_from_is_named(mask: str, mode: str) -> None:
    network = SomebodysNetwork(["relu-derivative-of-wrong-array"], hidden=CLASSES, mask=mask)
    words = {
        "arriving": "the gradient that arrives",
        "nothing": "every unit is let through",
        "above": "pre-activation of the layer above",
        "above-gradient": "gradient of the layer above",
    }
    (finding,) = examine(**getattr(network, mode)())
    assert finding.name == "relu-derivative-of-wrong-array"
    assert words[mask] in finding.evidence


def changed(network: SomebodysNetwork, change: Any) -> dict[str, Any]:
    """The network with a backward whose gradients are changed on the way out."""

    def backward(p: Any, X: Any, y: Any) -> Any:
        gradients = network.backward(p, X, y)
        return change(*gradients, y.size)

    return network.functions() | {"backward": backward}


@pytest.mark.parametrize(
    ("change", "names", "evidence"),
    [
        (lambda W1, b1, W2, b2, n: [g * n for g in (W1, b1, W2, b2)], {"wrong-row-count"}, "not divided at all"),
        (lambda W1, b1, W2, b2, n: [g * n / 42000 for g in (W1, b1, W2, b2)], {"wrong-row-count"}, "divided by 42000"),
        (lambda W1, b1, W2, b2, n: [g * n / (n - 1) for g in (W1, b1, W2, b2)], {"wrong-row-count"}, "divided by 299"),
        (lambda W1, b1, W2, b2, n: [W1 / n, b1 / n, W2, b2], {"wrong-row-count"}, "dW1, db1: 0.00333333 ×"),
        (lambda W1, b1, W2, b2, n: [W1, b1 * n, W2, b2 * n], {"wrong-row-count"}, "db1, db2: 300 ×"),
        (lambda W1, b1, W2, b2, n: [W1, b1.sum(), W2, b2], {"one-bias-gradient"}, "db1 is"),
        (lambda W1, b1, W2, b2, n: [W1, b1.mean(), W2, b2.mean()], {"one-bias-gradient"}, "for all 16 units"),
        (lambda W1, b1, W2, b2, n: [W1, 0 * b1 + b1.sum(), W2, b2], {"one-bias-gradient"}, "for all 16 units"),
        (lambda W1, b1, W2, b2, n: [W1, b1.sum() * n, W2, b2 * n], {"one-bias-gradient", "wrong-row-count"}, ""),
        (
            lambda W1, b1, W2, b2, n: [-W1, -b1, -W2, -b2],
            {"unexplained-gradient"},
            "dW1 differs from the right one by 2e+02 %",
        ),
        (lambda W1, b1, W2, b2, n: [W1 + 1, b1, W2, b2], {"unexplained-gradient"}, "dW1 differs"),
        (lambda W1, b1, W2, b2, n: [W1 * np.nan, b1, W2, b2], {"unexplained-gradient"}, "dW1 holds NaN"),
    ],
)
def test_variants_of_wrong_gradients(change: Any, names: set[str], evidence: str) -> None:
    diagnosis = examine(**changed(SomebodysNetwork(), change))
    assert set(diagnosis.names) == names
    assert evidence in diagnosis.findings[0].evidence


def test_one_example_at_a_time_as_in_stochastic_descent() -> None:
    network = SomebodysNetwork(["times-p-one-minus-p"], n=1, one_hot=True)
    assert network.X.shape == (64, 1)
    assert network.y.shape == (10, 1)
    diagnosis = examine(**network.functions())
    assert diagnosis.names == ("times-p-one-minus-p",)
    assert "softmax-global-maximum" in diagnosis.unchecked  # of one example, it is the example's own


def test_a_narrow_one_hot_that_broadcasts_in_silence_is_found() -> None:
    """With two classes its width is 1 where only class 0 is there, and (n, 2) − (n, 1) raises nothing."""
    rng = np.random.default_rng(0)
    X, y = rng.random((80, 5)), rng.integers(2, size=80)
    parameters = [rng.standard_normal((5, 2)), np.zeros(2)]

    def forward(p: Any, X: Any) -> Any:
        Z = X @ p[0] + p[1]
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    def backward(p: Any, X: Any, y: Any) -> Any:
        dZ = (forward(p, X) - np.eye(y.max() + 1)[y]) / len(X)
        return [X.T @ dZ, dZ.sum(axis=0)]

    diagnosis = examine(parameters=parameters, X=X, y=y, forward=forward, backward=backward)
    assert diagnosis.names == ("narrow-one-hot",)


def test_one_hot_labels_given_too_narrow() -> None:
    network = SomebodysNetwork(columns=False)
    keep = network.y < 9
    T = np.eye(9)[network.y[keep]]
    diagnosis = examine(parameters=network.parameters, X=network.X[keep], y=T, forward=network.forward)
    assert diagnosis.names == ("narrow-one-hot",)
    assert "9 columns for 10 classes" in diagnosis.findings[0].evidence


def test_a_batch_that_lacks_the_highest_class_does_not_hide_the_other_mistakes() -> None:
    network = SomebodysNetwork(["narrow-one-hot", "one-bias-gradient"])
    keep = network.y < 9
    network.X, network.y = network.X[:, keep], network.y[keep]
    assert set(examine(**network.functions()).names) == {"narrow-one-hot", "one-bias-gradient"}


def test_somebodys_own_check_for_nan_is_evidence() -> None:
    network = SomebodysNetwork(["softmax-without-maximum"])

    def forward(p: Any, X: Any) -> Any:
        P = network.forward(p, X)
        if np.isnan(P).any():
            raise FloatingPointError("the network exploded")
        return P

    (finding,) = examine(**network.data(), forward=forward)
    assert finding.name == "softmax-without-maximum"
    assert "the network exploded" in finding.evidence


def test_probabilities_of_no_known_softmax() -> None:
    network = SomebodysNetwork()
    diagnosis = examine(**network.data(), forward=lambda p, X: network.forward(p, X) ** 2)
    assert diagnosis.names == ("unexplained-probabilities",)
    assert "softmax-wrong-axis" in diagnosis.unchecked


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("right", [True, False])
def test_the_backward_of_an_unknown_forward_is_held_against_differences(right: bool, dtype: Any) -> None:
    """Logits of twice the size are no known mistake; whether backward knows of them can be measured."""
    network = SomebodysNetwork(dtype=dtype)

    def forward_prop(W1: Any, b1: Any, W2: Any, b2: Any, X: Any) -> Any:
        return network.forward_prop(W1, b1, 2 * W2, 2 * b2, X)

    def backward(p: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2 = network.back_prop(*forward_prop(*p, X), 2 * p[2] if right else p[2], X, y)
        return [W1, b1, 2 * W2, 2 * b2]

    diagnosis = examine(**network.data(), forward=lambda p, X: forward_prop(*p, X)[-1], backward=backward)
    assert diagnosis.names == ("unexplained-probabilities", "unexplained-gradient")[: 1 if right else 2]


def test_labels_of_two_classes_left_behind() -> None:
    """Chance is right every second time there, so it takes more examples to know it."""
    X, y = digits()
    W, y = np.zeros((64, 2)), np.random.default_rng(0).permutation(y < 5).astype(int)
    given: dict[str, Any] = {"parameters": [W, np.zeros(2)], "probabilities": np.full((len(y), 2), 0.5)}
    (finding,) = examine(**given, X=X / 255, y=y)
    assert finding.name == "labels-left-behind"
    given["probabilities"] = given["probabilities"][:400]
    assert "too few examples (400)" in examine(**given, X=X[:400] / 255, y=y[:400]).unchecked["labels-left-behind"]


def test_only_training_pixels_scaled() -> None:
    network = SomebodysNetwork()
    network.X_val = network.X_val * 255
    (finding,) = examine(**network.functions())
    assert finding.name == "unscaled-pixels"
    assert finding.evidence.startswith("held_out goes from 0 to 255")


def test_spread_by_fan_out() -> None:
    rng = np.random.default_rng(0)
    W = [rng.standard_normal((128, 784)) / np.sqrt(128), rng.standard_normal((10, 128)) / np.sqrt(10)]
    X, y = rng.random((784, 40)), rng.integers(10, size=40)
    P = np.full((10, 40), 0.1)
    diagnosis = examine(parameters=[W[0], np.zeros(128), W[1], np.zeros(10)], X=X, y=y, probabilities=P)
    assert "W1 has 784 inputs and a standard deviation of 0.0884, 2.47 ×" in diagnosis.findings[0].evidence
    assert "W2 has 128 inputs" in diagnosis.findings[0].evidence


def test_a_first_layer_of_a_hundredth_is_too_small() -> None:
    network = SomebodysNetwork()
    network.parameters[0] = 0.01 * np.random.default_rng(0).standard_normal((16, 64))
    (finding,) = examine(**network.functions())
    assert finding.name == "ignored-fan-in"
    assert finding.evidence.startswith("W1 has 64 inputs and a standard deviation of 0.00973")


def test_everything_at_once() -> None:
    names = set(KNOWN) - {"softmax-global-maximum", "test-images-in-training", "ignored-fan-in"}
    assert set(examine(**SomebodysNetwork(names).functions()).names) == names
