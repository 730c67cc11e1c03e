import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import MeanSquaredError, SoftmaxCrossEntropy, softmax

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "layers.json").read_text(encoding="utf-8"))


def naive_cross_entropy(logits, labels, epsilon=0.0, class_weights=None, sample_weights=None):
    """The docstring's equations, a number at a time: the loss and dZ."""
    n, k = logits.shape
    w = [1.0] * n
    for i in range(n):
        if class_weights is not None:
            w[i] *= class_weights[labels[i]]
        if sample_weights is not None:
            w[i] *= sample_weights[i]
    loss, dZ = 0.0, np.zeros((n, k))
    for i in range(n):
        z = [float(number) for number in logits[i]]
        total = sum(math.exp(number) for number in z)
        p = [math.exp(number) / total for number in z]
        t = [(1 - epsilon) * (j == labels[i]) + epsilon / k for j in range(k)]
        loss -= w[i] * sum(t[j] * math.log(p[j]) for j in range(k))
        dZ[i] = [w[i] * (p[j] - t[j]) for j in range(k)]
    return loss / sum(w), dZ / sum(w)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    n=st.integers(1, 9),
    k=st.integers(2, 7),
    epsilon=st.sampled_from([0.0, 0.1, 0.9]),
    weigh_classes=st.booleans(),
    weigh_samples=st.booleans(),
    label_dtype=st.sampled_from([np.uint8, np.int32, np.int64]),
    seed=st.integers(0, 1_000),
)
def test_cross_entropy_is_its_docstring(engine, n, k, epsilon, weigh_classes, weigh_samples, label_dtype, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(scale=3, size=(n, k)), rng.integers(0, k, n).astype(label_dtype)
    class_weights = rng.uniform(0.1, 3, k) if weigh_classes else None
    sample_weights = rng.uniform(0.1, 3, n) if weigh_samples else None
    loss = SoftmaxCrossEntropy(k, epsilon, class_weights, engine)
    value, gradient, _ = loss(logits, labels, sample_weights)
    expected, expected_gradient = naive_cross_entropy(logits, labels, epsilon, class_weights, sample_weights)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(("n", "k"), [(1, 2), (63, 10), (64, 3), (300, 10), (65, 70)])
def test_in_float32_it_is_right_to_the_last_digits(engine, n, k):
    rng = np.random.default_rng((n, k))
    logits, labels = rng.uniform(-110, 0, (n, k)).astype(np.float32), rng.integers(0, k, n)
    found = engine.cross_entropy(logits, labels, 0.0, 1.0)
    exact = engine.cross_entropy(logits.astype(np.float64), labels, 0.0, 1.0)
    np.testing.assert_allclose(found.losses, exact.losses, rtol=1e-6, atol=1e-6)
    own = np.eye(k, dtype=bool)[labels]  # where p − 1 loses digits
    np.testing.assert_allclose(found.gradient[own], exact.gradient[own], atol=1e-6)
    np.testing.assert_allclose(found.gradient[~own], exact.gradient[~own], rtol=8e-6, atol=1.2e-38)  # ½ ulp of 110
    np.testing.assert_array_equal(found.right, exact.right)


@pytest.mark.parametrize("epsilon", [0.0, 0.2])
@pytest.mark.parametrize("class_weights", [None, (1.0, 0.0, 2.5)])
@pytest.mark.parametrize("sample_weights", [None, (1.0, 2.0, 0.0, 0.5, 3.0)])
def test_cross_entropy_gradient_is_the_slope_of_its_value(engine, epsilon, class_weights, sample_weights):
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(5, 3)), np.array([0, 1, 2, 2, 1])
    loss = SoftmaxCrossEntropy(3, epsilon, class_weights, engine)
    assert_slope(lambda Z: loss(Z, labels, sample_weights), logits)


def assert_slope(loss, Y, h=1e-6):
    gradient = loss(Y).gradient
    for index in np.ndindex(*Y.shape):
        step = np.zeros_like(Y)
        step[index] = h
        measured = (loss(Y + step).value - loss(Y - step).value) / (2 * h)
        assert gradient[index] == pytest.approx(measured, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", GOLDEN["cross_entropy"]["cases"], ids=lambda case: str(case["settings"]))
def test_cross_entropy_is_pytorchs(engine, case):
    logits, labels = np.array(GOLDEN["cross_entropy"]["logits"]), np.array(GOLDEN["cross_entropy"]["labels"])
    found = SoftmaxCrossEntropy(4, **case["settings"], engine=engine)(logits, labels)
    assert found.value == pytest.approx(case["loss"], rel=1e-13)
    np.testing.assert_allclose(found.gradient, case["dZ"], rtol=1e-12, atol=1e-15)


def test_weight_two_is_the_same_example_twice(engine):
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(size=(4, 3)), np.array([0, 1, 2, 1])
    twice = [0, 1, 2, 2, 3]
    loss = SoftmaxCrossEntropy(3, 0.1, engine=engine)
    weighted, repeated = loss(logits, labels, [1, 1, 2, 1]), loss(logits[twice], labels[twice])
    assert weighted.value == pytest.approx(repeated.value)


@pytest.mark.parametrize("class_weights", [None, (1.0, 0.0, 2.5)])
@pytest.mark.parametrize("sample_weights", [None, np.arange(9.0)], ids=str)
def test_blocks_that_know_the_total_weight_add_up_to_the_batch(engine, class_weights, sample_weights):
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(size=(9, 3)), np.arange(9) % 3
    loss = SoftmaxCrossEntropy(3, 0.1, class_weights, engine)
    whole = loss(logits, labels, sample_weights)
    weights = np.ones(9) if sample_weights is None else sample_weights
    total = float(weights @ (np.ones(3) if class_weights is None else np.array(class_weights))[labels])
    if sample_weights is None:
        assert loss.weight(labels) == total
    some = [None] * 3 if sample_weights is None else np.split(weights, (2, 7))
    parts = [
        loss(*block, total) for block in zip(np.split(logits, (2, 7)), np.split(labels, (2, 7)), some, strict=True)
    ]
    assert sum(part.value for part in parts) == pytest.approx(whole.value, rel=1e-12)
    np.testing.assert_allclose(np.concatenate([part.gradient for part in parts]), whole.gradient, rtol=1e-12)
    np.testing.assert_array_equal(np.concatenate([part.right for part in parts]), whole.right)


@pytest.mark.parametrize("sample_weights", [None, [1.0, 0.0, 0.0]])
def test_a_batch_of_weight_zero_teaches_nothing(engine, sample_weights):
    loss = SoftmaxCrossEntropy(3, 0.1, class_weights=[0.0, 0.0, 1.0], engine=engine)
    found = loss(np.ones((3, 3)), np.array([0, 1, 1]), sample_weights)
    assert found.value == 0.0
    np.testing.assert_array_equal(found.gradient, np.zeros((3, 3)))


SPECIAL = st.sampled_from([0.0, 1.0, 1.0, -2.0, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5)])
@settings(max_examples=200, derandomize=True, deadline=None)
@given(rows=st.lists(st.tuples(st.tuples(SPECIAL, SPECIAL, SPECIAL), st.integers(0, 2)), min_size=1, max_size=4))
def test_right_is_whether_argmax_is_the_label_with_ties_and_nan_too(engine, weights, dtype, rows):
    logits, labels = (np.array(column) for column in zip(*rows, strict=True))
    logits = logits.astype(dtype)
    with np.errstate(all="ignore"):
        found = SoftmaxCrossEntropy(3, class_weights=weights, engine=engine)(logits, labels)
    np.testing.assert_array_equal(found.right, logits.argmax(axis=1) == labels)
    broken = np.isnan(logits).any(axis=1) | (logits.max(axis=1) == np.inf) | (logits.max(axis=1) == -np.inf)
    np.testing.assert_array_equal(np.isnan(found.gradient).all(axis=1), broken)
    assert math.isnan(found.value) >= broken.any()


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_huge_logits_neither_overflow_nor_lose_the_answer(engine, epsilon):
    logits = np.array([[1e4, 0, -1e4], [1e4, 0, -1e4], [-1e4, -1e4, -1e4]], np.float32)
    value, dZ, _ = SoftmaxCrossEntropy(3, epsilon, engine=engine)(logits, np.array([0, 2, 1]))
    # Row by row −Σ t log p, where log p is (0, −1e4, −2e4) twice and then −ln 3 for each class.
    rows = [epsilon / 3 * 3e4, (1 - epsilon) * 2e4 + epsilon / 3 * 3e4, math.log(3)]
    assert value == pytest.approx(sum(rows) / 3, rel=1e-6)
    assert dZ.dtype == np.float32
    p = np.array([[1, 0, 0], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    t = (1 - epsilon) * np.eye(3)[[0, 2, 1]] + epsilon / 3
    np.testing.assert_allclose(dZ, (p - t) / 3, atol=1e-7)


def test_logits_are_left_alone(engine):
    logits = np.array([[1.0, 2.0]])
    SoftmaxCrossEntropy(2, engine=engine)(logits, np.array([0]))
    np.testing.assert_array_equal(logits, [[1, 2]])


@pytest.mark.parametrize(
    "labels", [np.array([0, 3]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([True, False])], ids=repr
)
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        SoftmaxCrossEntropy(3)(np.zeros((2, 3)), labels)


def test_the_number_of_classes_is_not_guessed_from_the_labels(engine):
    labels = np.array([0, 0])
    loss = SoftmaxCrossEntropy(10, engine=engine)
    assert loss(np.zeros((2, 10)), labels).value == pytest.approx(math.log(10))
    with pytest.raises(ValueError, match=r"logits \(n, 10\)"):
        loss(np.zeros((2, 4)), labels)


@pytest.mark.parametrize(("shape", "labels"), [((2, 3), [0]), ((2, 3), [[0], [1]]), ((3,), [0, 1, 2])])
def test_shapes_that_do_not_fit_are_refused(shape, labels):
    with pytest.raises(ValueError, match="expected logits"):
        SoftmaxCrossEntropy(3)(np.zeros(shape), np.array(labels))


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": 1},
        {"classes": 3, "label_smoothing": 1.0},
        {"classes": 3, "label_smoothing": -0.1},
        {"classes": 3, "class_weights": [1.0, 2.0]},
        {"classes": 3, "class_weights": [1.0, 2.0, -1.0]},
        {"classes": 3, "class_weights": [1.0, 2.0, np.nan]},
    ],
    ids=str,
)
def test_settings_without_a_meaning_are_refused(settings):
    with pytest.raises(ValueError, match=r"classes|smoothing|weights"):
        SoftmaxCrossEntropy(**settings)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.inf]], ids=str)
def test_sample_weights_without_a_meaning_are_refused(weights):
    with pytest.raises(ValueError, match="sample weights must be 2 finite numbers"):
        SoftmaxCrossEntropy(3)(np.zeros((2, 3)), np.array([0, 1]), weights)


def test_sample_weights_are_left_alone(engine):
    weights = np.array([1.0, 3.0])
    SoftmaxCrossEntropy(3, class_weights=[5, 6, 7], engine=engine)(np.zeros((2, 3)), np.array([0, 1]), weights)
    np.testing.assert_array_equal(weights, [1, 3])


def test_softmax_is_its_docstring():
    Z = np.random.default_rng(7).normal(size=(4, 3))
    for row, probabilities in zip(Z, softmax(Z), strict=True):
        total = sum(math.exp(z) for z in row)
        np.testing.assert_allclose(probabilities, [math.exp(z) / total for z in row], rtol=1e-14)


def test_softmax_of_huge_logits():
    np.testing.assert_array_equal(softmax(np.array([[1e4, -1e4], [-1e4, -1e4]], np.float32)), [[1, 0], [0.5, 0.5]])


def test_mean_squared_error_is_its_docstring():
    rng = np.random.default_rng(8)
    Y, T = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    found = MeanSquaredError()(Y, T)
    expected = sum((Y[i, j] - T[i, j]) ** 2 for i in range(4) for j in range(3)) / (4 * 3)
    assert found.value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(found.gradient, 2 * (Y - T) / (4 * 3), rtol=1e-14)
    assert_slope(lambda outputs: MeanSquaredError()(outputs, T), Y)


def test_mean_squared_error_refuses_to_broadcast():
    with pytest.raises(ValueError, match="one shape"):
        MeanSquaredError()(np.zeros((4, 3)), np.zeros(3))
