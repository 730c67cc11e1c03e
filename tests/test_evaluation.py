import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from glassnet.data import Examples, load_dataset
from glassnet.errors import DataError
from glassnet.evaluation import Evaluation, evaluate, examples_for

CLASSES = ("ant", "bee", "cat")


def random_evaluation(n=200, k=5, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) * 2
    logits[np.arange(n), labels] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Evaluation(labels, probabilities.astype(dtype), tuple(f"class {i}" for i in range(k)))


@pytest.fixture
def worked():
    """Six images of three classes, small enough to work out by hand; the last class never occurs and is never said.

    label     0    0    0    1    1    1
    said      0    0    1    1    1    0
    p(true)  .9   .7   .4   .8   .6   .1
    """
    p_true = [0.9, 0.7, 0.4, 0.8, 0.6, 0.1]
    probabilities = [[p, 1 - p, 0] for p in p_true[:3]] + [[1 - p, p, 0] for p in p_true[3:]]
    return Evaluation(np.array([0, 0, 0, 1, 1, 1]), np.array(probabilities), CLASSES)


def test_small_case_worked_by_hand(worked):
    assert worked.accuracy == pytest.approx(4 / 6)
    # −(ln .9 + ln .7 + ln .4 + ln .8 + ln .6 + ln .1) / 6 = (.10536 + .35667 + .91629 + .22314 + .51083 + 2.30259) / 6
    assert worked.loss == pytest.approx(4.41488 / 6, abs=1e-5)
    assert worked.confusion.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    ant = worked.per_class["ant"]
    assert (ant.precision, ant.recall, ant.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert ant.count == 3
    assert worked.hardest(2).tolist() == [5, 2]
    assert worked.most_confused(5) == [("ant", "bee", 1), ("bee", "ant", 1)]


def test_class_that_is_absent_has_zeros_and_no_warning(worked):
    cat = worked.per_class["cat"]
    assert (cat.precision, cat.recall, cat.f1, cat.count) == (0, 0, 0, 0)


def test_calibration_error_worked_by_hand(worked):
    # Bins are (m/15, (m+1)/15]. Confidences .9 and .9 (one right of two) share bin 13 = (.867, .933];
    # .7 (right) is in bin 10 = (.667, .733]; .8 (right) in bin 11 = (.733, .8];
    # .6 and .6 (one right) are in bin 8 = (.533, .6].
    bins = worked.reliability()
    assert np.flatnonzero(bins.count).tolist() == [8, 10, 11, 13]
    assert bins.count[[8, 10, 11, 13]].tolist() == [2, 1, 1, 2]
    assert bins.confidence[[8, 10, 11, 13]] == pytest.approx([0.6, 0.7, 0.8, 0.9])
    assert bins.accuracy[[8, 10, 11, 13]] == pytest.approx([0.5, 1, 1, 0.5])
    # 2/6·|.5 − .6| + 1/6·|1 − .7| + 1/6·|1 − .8| + 2/6·|.5 − .9| = (.2 + .3 + .2 + .8) / 6 = .25
    assert worked.calibration_error == pytest.approx(0.25)


def test_half_sure_and_always_right_is_half_off():
    evaluation = Evaluation(np.zeros(4, np.int64), np.full((4, 2), 0.5), ("a", "b"))
    assert evaluation.calibration_error == 0.5


def test_certain_and_right_is_perfect():
    evaluation = Evaluation(np.arange(3), np.eye(3), CLASSES)
    assert evaluation.accuracy == 1
    assert evaluation.loss == 0
    assert evaluation.calibration_error == 0
    assert evaluation.most_confused(3) == []
    assert sorted(evaluation.hardest(10).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probability_of_zero_has_a_finite_loss(dtype):
    evaluation = Evaluation(np.array([1]), np.array([[1, 0]], dtype), ("a", "b"))
    assert evaluation.loss == pytest.approx(-np.log(np.finfo(dtype).tiny, dtype=np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_those_of_scikit_learn(dtype, seed):
    evaluation = random_evaluation(dtype=dtype, seed=seed)
    labels, said = evaluation.labels, evaluation.probabilities.argmax(axis=1)
    every = np.arange(5)
    assert evaluation.accuracy == pytest.approx(metrics.accuracy_score(labels, said))
    log_loss = metrics.log_loss(labels, evaluation.probabilities, labels=every)
    assert evaluation.loss == pytest.approx(log_loss, rel=1e-6)
    np.testing.assert_array_equal(evaluation.confusion, metrics.confusion_matrix(labels, said, labels=every))
    expected = metrics.precision_recall_fscore_support(labels, said, labels=every, zero_division=0)
    ours = [(c.precision, c.recall, c.f1, c.count) for c in evaluation.per_class.values()]
    np.testing.assert_allclose(ours, np.transpose(expected))


def test_hardest_is_in_order_of_loss():
    evaluation = random_evaluation()
    order = evaluation.hardest(200)
    assert (np.diff(evaluation.losses[order]) <= 0).all()
    assert sorted(order.tolist()) == list(range(200))
    np.testing.assert_array_equal(evaluation.hardest(7), order[:7])


def test_most_confused_is_in_order_of_count_and_leaves_out_what_is_right():
    labels = np.array([0] * 9 + [1] * 5 + [2] * 3)
    said = np.array([0] * 9 + [0, 0, 0, 1, 2] + [0, 0, 2])
    evaluation = Evaluation(labels, np.eye(3)[said], CLASSES)
    assert evaluation.most_confused(9) == [("bee", "ant", 3), ("cat", "ant", 2), ("bee", "cat", 1)]
    assert evaluation.most_confused(1) == [("bee", "ant", 3)]


@st.composite
def evaluations(draw):
    k, n = draw(st.integers(2, 6)), draw(st.integers(1, 40))
    weights = np.array(draw(st.lists(st.integers(0, 8), min_size=n * k, max_size=n * k)), float).reshape(n, k)
    weights[:, 0] += weights.sum(axis=1) == 0
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    labels = np.array(draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)), np.int64)
    return Evaluation(labels, (weights / weights.sum(axis=1, keepdims=True)).astype(dtype), tuple("abcdef"[:k]))


@given(evaluations())
def test_invariants(evaluation):
    n, k = evaluation.probabilities.shape
    confusion = evaluation.confusion
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(evaluation.labels, minlength=k))
    np.testing.assert_array_equal(confusion.sum(axis=0), np.bincount(evaluation.predictions, minlength=k))
    assert evaluation.accuracy == pytest.approx(confusion.trace() / n)
    assert math.isfinite(evaluation.loss)
    assert evaluation.loss >= 0
    assert 0 <= evaluation.calibration_error <= 1
    # By the triangle inequality, bins can only bring to light what cancels out in the whole.
    confidence = float(evaluation.probabilities.max(axis=1).astype(np.float64).mean())
    assert evaluation.calibration_error >= abs(confidence - evaluation.accuracy) - 1e-12
    assert evaluation.reliability().count.sum() == n
    assert sum(count for _, _, count in evaluation.most_confused(k * k)) == n - confusion.trace()
    for figures in evaluation.per_class.values():
        assert 0 <= min(figures.precision, figures.recall) <= figures.f1 + 1e-12
        assert figures.f1 <= max(figures.precision, figures.recall) + 1e-12 <= 1 + 1e-12


def test_json_is_of_plain_types_and_survives_the_round_trip():
    figures = random_evaluation(dtype=np.float32).to_json()
    assert json.loads(json.dumps(figures)) == figures
    assert {"accuracy", "loss", "per_class", "confusion", "calibration_error"} <= figures.keys()
    assert figures["count"] == 200
    assert set(figures["per_class"]["class 0"]) == {"precision", "recall", "f1", "count"}
    assert figures["per_class"].keys() == set(figures["classes"])
    assert np.sum(figures["confusion"]) == 200


class Brightness:
    """A model that calls an image bright by the mean of its pixels."""

    classes = ("dark", "bright")
    image_shape = (2, 3)

    def predict_proba(self, images, shifts=0):
        bright = images.mean(axis=(1, 2)) / 255
        return np.stack([1 - bright, bright], axis=1).astype(np.float32)


def test_evaluate_asks_the_model_about_the_images():
    images = np.stack([np.full((2, 3), value, np.uint8) for value in (0, 51, 204, 255)])
    evaluation = evaluate(Brightness(), Examples(images, np.array([0, 1, 1, 1])))
    assert evaluation.classes == ("dark", "bright")
    assert evaluation.confusion.tolist() == [[1, 0], [1, 2]]
    # −(ln 1 + ln .2 + ln .8 + ln 1) / 4 = (1.60944 + .22314) / 4
    assert evaluation.loss == pytest.approx(1.83258 / 4, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((0, 2, 3), [], "no images"),
        ((1, 3, 2), [0], "images are 3×2 pixels, but this model was trained on 2×3"),
        ((3, 2, 3), [0, 2, 1], "image 1 has the label 2, but this model has 2 classes"),
        ((2, 2, 3), [0, -1], "image 1 has the label -1"),
    ],
)
def test_what_cannot_be_evaluated_is_named_in_one_line(shape, labels, message):
    examples = Examples(np.zeros(shape, np.uint8), np.array(labels, np.int64))
    with pytest.raises(DataError, match=message) as caught:
        evaluate(Brightness(), examples)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [("dark", "bright"), ("bright", "dark")])
def test_no_image_is_copied_to_judge_a_model_by_other_data(classes):
    images = np.random.default_rng(0).integers(0, 256, (20_000, 28, 28)).astype(np.uint8)
    images[:, 0, 0] = np.arange(20_000) % 2
    names = [classes[i] for i in images[:, 0, 0]]
    dataset = load_dataset((images, names), classes=classes)  # of which a fifth is held out
    model = Brightness()
    model.fingerprint, model.trained_on = "of other data", ""
    tracemalloc.start()
    tracemalloc.reset_peak()
    try:
        examples = examples_for(model, dataset)
        assert tracemalloc.get_traced_memory()[1] < images.nbytes / 2  # for the sum, some thousand images at a time
    finally:
        tracemalloc.stop()
    assert len(examples) == 20_000
    first = np.concatenate([block.images[:, 0, 0] for block in examples.blocks()])
    assert [model.classes[label] for label in examples.labels] == [classes[i] for i in first]
