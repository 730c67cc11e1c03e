"""The estimator through scikit-learn: its own checks, and the places where people put an estimator."""

import importlib.util
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from glassnet import DigitClassifier, load_dataset
from glassnet.errors import ConfigError, DataError, GlassnetError, TrainingError
from glassnet.logs import TensorBoard
from glassnet.nn import softmax
from glassnet.training import Callback, Live, LoopUnderWay

Table = NDArray[np.float64]
Labels = NDArray[Any]


@pytest.fixture(scope="module")
def digits() -> tuple[Table, Table, Labels, Labels]:
    """X and y to learn from and to judge by, of a third of the digits."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X[:600] / 16, y[:600], random_state=0)
    return X, X_test, y, y_test


@pytest.fixture
def flowers() -> tuple[pd.DataFrame, pd.Series]:
    """A table that has nothing to do with digits: four lengths in centimetres, and names."""
    iris = load_iris(as_frame=True)
    return iris.data, iris.target.map(dict(enumerate(map(str, iris.target_names))))


@parametrize_with_checks([DigitClassifier()])
def test_scikit_learns_own_checks(estimator: DigitClassifier, check: Any) -> None:
    check(estimator)


def test_digits(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, y_test = digits
    model = DigitClassifier(epochs=40, random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.93
    assert model.n_iter_ == model.best_epoch_ == len(model.loss_curve_) == 40
    assert model.loss_curve_[-1] < 0.05 * model.loss_curve_[0]
    assert model.validation_loss_curve_ == []
    assert model.predict_proba(X_test).shape == (len(X_test), 10)


def test_a_step_worked_out_by_hand() -> None:
    """Softmax regression, SGD, one batch: dW = Xᵀ (w (p − t)) / Σ w, and W moves by −η dW."""
    X, y, w = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), np.array(["b", "a", "c"]), np.array([1.0, 2.0, 0.5])
    settings: dict[str, Any] = {"optimizer": "sgd", "random_state": 3, "warm_start": True}
    model = DigitClassifier((), learning_rate=1e-12, epochs=1, **settings).fit(X, y)
    before = model.network_.named_parameters
    W, b = before["0.W"].copy(), before["0.b"].copy()
    model.set_params(learning_rate=0.1, class_weight={"a": 3, "b": 1, "c": 1}).fit(X, y, sample_weight=w)
    w = w * [1, 3, 1]
    dZ = w[:, None] * (softmax(X @ W + b) - np.eye(3)[[1, 0, 2]]) / w.sum()
    after = model.network_.named_parameters
    np.testing.assert_allclose(after["0.W"], W - 0.1 * X.T @ dZ, rtol=1e-12)
    np.testing.assert_allclose(after["0.b"], b - 0.1 * dZ.sum(axis=0), rtol=1e-12)


def test_it_computes_in_the_type_of_the_features(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, _ = digits
    single = DigitClassifier((16,), epochs=2, random_state=0).fit(X.astype(np.float32), y)
    double = DigitClassifier((16,), epochs=2, random_state=0).fit(X, y)
    assert (single.network_.dtype, double.network_.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single.predict_proba(X_test), double.predict_proba(X_test), atol=1e-4)


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_a_warm_start_goes_on_where_it_was(digits: tuple[Table, Table, Labels, Labels], optimizer: str) -> None:
    X, X_test, y, _ = digits
    settings: dict[str, Any] = {"dropout": 0.2, "batch_norm": True, "weight_decay": 0.1 * (optimizer == "adamw")}
    whole = DigitClassifier((16, 8), optimizer=optimizer, random_state=0, **settings).set_params(epochs=6).fit(X, y)
    half = clone(whole).set_params(epochs=2, warm_start=True).fit(X, y)
    half = pickle.loads(pickle.dumps(half)).set_params(epochs=4).fit(X, y)
    np.testing.assert_array_equal(half.predict_proba(X_test), whole.predict_proba(X_test))
    assert half.loss_curve_ == whole.loss_curve_
    assert half.n_iter_ == 6
    assert half.set_params(warm_start=False).fit(X, y).n_iter_ == 4


def test_parts_that_do_not_fit_in_memory_at_once(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, y_test = digits
    model = DigitClassifier((32,), learning_rate=0.01, random_state=0)
    for _ in range(10):
        for start in range(0, len(X), 100):
            model.partial_fit(X[start : start + 100], y[start : start + 100], classes=range(10))
    assert model.score(X_test, y_test) > 0.9
    assert model.n_iter_ == 10 * 5
    whole = DigitClassifier((32,), random_state=0, epochs=3).fit(X, y)
    parts = DigitClassifier((32,), random_state=0)
    for _ in range(3):
        parts.partial_fit(X, y, range(10))
    np.testing.assert_array_equal(whole.predict_proba(X_test), parts.predict_proba(X_test))


@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_stopping_early(digits: tuple[Table, Table, Labels, Labels], monitor: str) -> None:
    X, X_test, y, y_test = digits
    model = DigitClassifier(epochs=300, learning_rate=0.01, patience=4, monitor=monitor, random_state=0)
    model.fit(X, y, X_val=X_test, y_val=y_test)
    values = [row[monitor] for row in model.history_]
    best = int(np.argmin(values) if monitor == "validation_loss" else np.argmax(values))
    assert model.best_epoch_ == best + 1
    assert model.n_iter_ == model.best_epoch_ + 4 < 300
    # The network that predicts is the best epoch's, not the last's.
    assert log_loss(y_test, model.predict_proba(X_test)) == pytest.approx(model.validation_loss_curve_[best])
    if monitor == "validation_accuracy":
        assert model.score(X_test, y_test) == max(values)


def test_a_share_kept_aside(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    assert len(DigitClassifier((8,), epochs=3, patience=2).fit(X, y).validation_loss_curve_) == 3
    assert DigitClassifier((8,), epochs=3).fit(X, y).validation_loss_curve_ == []
    # Of the half kept aside nothing is learned: one step of 240 is an epoch, where all 450 would take two.
    model = DigitClassifier((8,), epochs=3, batch_size=240, validation_fraction=0.5).fit(X, y)
    assert [row["step"] for row in model.history_] == [1, 2, 3]


def test_an_example_of_weight_zero_is_absent(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, _ = digits
    kept = np.arange(len(X)) % 3 > 0
    model = DigitClassifier((8,), epochs=3, random_state=0, patience=2)
    weighted = clone(model).fit(X, y, sample_weight=kept).predict_proba(X_test)
    np.testing.assert_array_equal(weighted, model.fit(X[kept], y[kept]).predict_proba(X_test))

    doubled = clone(model).set_params(class_weight="balanced")
    weighted = clone(doubled).fit(X, y, sample_weight=kept).predict_proba(X_test)
    np.testing.assert_array_equal(weighted, doubled.fit(X[kept], y[kept]).predict_proba(X_test))


@pytest.mark.parametrize("batch_size", [1, 6])
def test_weights_count_in_batches_of_any_size(digits: tuple[Table, Table, Labels, Labels], batch_size: int) -> None:
    """To tell an example's loss three times as loud is to see it three times, while steps are small."""
    X, _, y, _ = digits
    X, y = X[:60], y[:60]
    times = np.where(y < 5, 3, 1)
    settings: dict[str, Any] = {"optimizer": "sgd", "random_state": 0, "epochs": 1}
    start = DigitClassifier((), learning_rate=1e-12, **settings).fit(X, y).network_.parameters
    model = DigitClassifier((), learning_rate=1e-6, batch_size=batch_size, **settings)
    moved = model.fit(X, y, sample_weight=times).network_.parameters - start
    whole = clone(model).set_params(batch_size="all").fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    expected = (whole.network_.parameters - start) * np.ceil(60 / batch_size)
    np.testing.assert_allclose(moved, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(5))
def test_a_heavy_example_that_is_kept_aside_makes_the_others_no_lighter(seed: int) -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    heavy = np.where(np.arange(40) == 7, 1000.0, 1.0)
    settings: dict[str, Any] = {"optimizer": "sgd", "epochs": 1, "validation_fraction": 0.5, "random_state": seed}
    plain = DigitClassifier((), **settings).fit(X, y).network_.parameters
    weighted = DigitClassifier((), **settings).fit(X, y, sample_weight=heavy).network_.parameters
    start = DigitClassifier((), learning_rate=1e-12, **settings).fit(X, y).network_.parameters
    assert np.linalg.norm(weighted - start) > 0.3 * np.linalg.norm(plain - start)


def test_half_the_weight_is_half_a_step_of_sgd_in_what_comes_in_parts() -> None:
    X, y = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0, 1])

    def move(weight: float | None) -> Table:
        model = DigitClassifier((), optimizer="sgd", learning_rate=1e-12, random_state=0).partial_fit(X, y, [0, 1])
        before = model.network_.parameters
        weights = None if weight is None else [weight, weight]
        model.set_params(learning_rate=0.1).partial_fit(X, y, sample_weight=weights)
        return np.asarray(model.network_.parameters - before)

    np.testing.assert_allclose(move(0.5), move(None) / 2, rtol=1e-9)
    np.testing.assert_array_equal(move(1.0), move(None))


def test_classes_have_weights_by_their_own_names() -> None:
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.array(list("012") * 10)
    settings: dict[str, Any] = {"random_state": 0, "epochs": 2}
    by_name = DigitClassifier((4,), class_weight={"1": 5}, **settings).fit(X, y).predict_proba(X)
    by_example = DigitClassifier((4,), **settings).fit(X, y, sample_weight=np.where(y == "1", 5, 1)).predict_proba(X)
    np.testing.assert_array_equal(by_name, by_example)
    model = DigitClassifier((4,), class_weight={"1": 5}, **settings)  # of parts that lack it
    assert model.partial_fit(X[y != "1"], y[y != "1"], classes=list("012")).n_iter_ == 1
    history = model.partial_fit(X, y).partial_fit(X, y).history_
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_what_is_not_fitted_says_so(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    model = DigitClassifier(epochs=0)
    with pytest.raises(ConfigError, match="epochs"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_a_large_share_kept_aside_leaves_an_example_of_each_class(share: float) -> None:
    X, y = np.random.default_rng(0).random((12, 3)), np.arange(12) // 3
    model = DigitClassifier((4,), epochs=1, batch_size=1, validation_fraction=share).fit(X, y)
    assert model.history_[0]["step"] == 4  # of single examples


def test_all_examples_in_one_batch(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    model = DigitClassifier((8,), batch_norm=True, batch_size="all", epochs=3, validation_fraction=0.2).fit(X, y)
    assert [row["step"] for row in model.history_] == [1, 2, 3]


def test_a_class_that_counts_more_is_found_more_often() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (190, 2)), rng.normal(1.5, 1, (10, 2))])
    y = np.repeat(["common", "rare"], [190, 10])
    found = {
        str(weight): np.count_nonzero(
            DigitClassifier((8,), class_weight=weight, random_state=0).fit(X, y).predict(X) == "rare"
        )
        for weight in (None, "balanced", {"common": 1, "rare": 1e4})
    }
    plain, balanced, extreme = found.values()
    assert plain < 10 < balanced < extreme


def test_a_grid_over_a_pipeline_on_a_frame_with_names(flowers: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = flowers
    pipeline = make_pipeline(StandardScaler(), DigitClassifier(epochs=20, batch_size=32, random_state=0))
    grid = {
        "digitclassifier__hidden": [(8,), (16, 8), np.int64(12)],
        "digitclassifier__learning_rate": np.array([1e-5, 1e-2]),
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["digitclassifier__learning_rate"] == 1e-2
    assert search.best_score_ > 0.9
    assert set(search.predict(X)) == {"setosa", "versicolor", "virginica"}
    with pytest.raises(ValueError, match="feature names"):
        DigitClassifier(epochs=1).fit(X, y).predict(X.iloc[:, ::-1])
    assert list(DigitClassifier(epochs=1).fit(X, y).feature_names_in_) == list(X.columns)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblibs_backends_give_what_one_worker_gives(digits: tuple[Table, Table, Labels, Labels], backend: str) -> None:
    X, _, y, _ = digits
    model = DigitClassifier((32,), epochs=10, dropout=0.1, random_state=0)
    alone = cross_val_score(model, X, y, cv=3, scoring="neg_log_loss")
    with joblib.parallel_config(backend, n_jobs=2):
        together = cross_val_score(model, X, y, cv=3, scoring="neg_log_loss")
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_threads_may_ask_one_estimator_at_once(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    model = DigitClassifier((64,), epochs=2, random_state=0).fit(X, y)
    parts = [X[i : i + 200] for i in range(0, 240, 10)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(model.predict_proba, parts))
    for part, answer in zip(parts, answers, strict=True):
        np.testing.assert_array_equal(answer, model.predict_proba(part))


def test_calibration(flowers: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = flowers
    model = DigitClassifier((16,), learning_rate=0.02, epochs=30, random_state=0)
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def test_images_are_laid_out_as_rows() -> None:
    examples = load_dataset("digits").train
    images, labels = examples.images[:300] / 255, examples.labels[:300]
    model = DigitClassifier((16,), epochs=2, random_state=0).fit(images, labels)
    np.testing.assert_array_equal(model.predict(images), model.predict(images.reshape(300, 64)))


def test_random_state(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, _ = digits

    def learn(random_state: Any) -> Table:
        model = DigitClassifier((8,), epochs=1, random_state=random_state)
        return np.asarray(model.fit(X, y).predict_proba(X_test))

    np.testing.assert_array_equal(learn(7), learn(7))
    assert not np.array_equal(learn(7), learn(8))
    assert not np.array_equal(learn(None), learn(None))
    generator = np.random.RandomState(0)
    assert not np.array_equal(learn(generator), learn(generator))


def test_a_pickle_holds_the_network_and_no_examples(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, _ = digits
    model = DigitClassifier((4,), epochs=1, random_state=0).fit(X, y)
    written = pickle.dumps(model)
    assert len(written) < 10_000 + 8 * 4 * model.network_.parameters.size < X.nbytes
    np.testing.assert_array_equal(pickle.loads(written).predict_proba(X_test), model.predict_proba(X_test))


def test_each_layer_its_own_activation(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    model = DigitClassifier((16, 8), activation=("gelu", "tanh"), epochs=1).fit(X, y)
    names = [entry["layer"] for entry in model.network_.specification()]
    assert names == ["Dense", "GELU", "Dense", "Tanh", "Dense"]


class Watch(Callback):
    """Writes down what it is told, and ends the fit after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.told: list[Any] = []

    def on_start(self, run: Any) -> None:
        self.told.append("start")

    def on_step(self, run: Any, loss: float) -> None:
        self.told.append(run.state.step)
        assert np.linalg.norm(run.network.gradients) > 0

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        self.told.append(row["loss"])
        if row["epoch"] == self.epochs:
            run.stop("seen enough")

    def on_end(self, run: Any) -> None:
        self.told.append(run.stopped)


def test_callbacks(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    watch = Watch(2)
    model = DigitClassifier((8,), batch_size=300, epochs=50).set_callbacks(watch).fit(X, y)
    first, second = model.loss_curve_
    assert watch.told == ["start", 1, 2, first, 3, 4, second, "seen enough"]


def test_the_learning_rate_of_each_epoch(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    rates = [
        [
            row["learning_rate"]
            for row in DigitClassifier((8,), epochs=4, batch_size="all", **settings).fit(X, y).history_
        ]
        for settings in ({}, {"optimizer": "sgd"}, {"schedule": "cosine", "learning_rate": 0.01})
    ]
    assert rates[:2] == [[0.001] * 4, [0.1] * 4]
    np.testing.assert_allclose(rates[2], 0.005 * (1 + np.cos(np.pi * np.arange(4) / 4)))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"activation": "relo"}, "did you mean 'relu'"),
        ({"activation": ("relu", "tanh", "relu")}, "3 given, but the number of hidden layers is 2"),
        ({"optimizer": "adan"}, "did you mean 'adam'"),
        ({"hidden": (0,)}, "hidden: must be at least 1, not 0"),
        ({"learning_rate": -1.0}, "learning_rate: must be more than 0"),
        ({"epochs": 0}, "epochs: must be at least 1"),
        ({"batch_size": "many"}, "batch_size: must be a whole number of at least 1, or all"),
        ({"monitor": "f1"}, "monitor: 'f1' is unknown (known: validation_loss, validation_accuracy)"),
        ({"validation_fraction": 1.0}, "validation_fraction: must be at least 0 and less than 1"),
        ({"validation_fraction": "x"}, "validation_fraction: must be at least 0 and less than 1, not 'x'"),
        (
            {"validation_fraction": 0.0, "patience": 3},
            "patience: early stopping needs validation examples; set validation_fraction above 0",
        ),
        ({"weight_decay": 0.1}, "weight_decay: not supported by adam"),
        ({"class_weight": {"4": 2}}, "class_weight: '4' is not one of the classes: 0, 1"),
        ({"class_weight": {0: -1}}, "class_weight: must be finite and at least 0, not -1 for '0'"),
        ({"class_weight": {0: np.nan}}, "class_weight: must be finite and at least 0, not nan for '0'"),
        ({"class_weight": "balance"}, 'class_weight: must be None, "balanced" or weights by the names of classes'),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], line: str) -> None:
    X, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        DigitClassifier(**{"epochs": 1} | settings).fit(X, y)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("callback", "line"),
    [
        (TensorBoard("logs"), "callbacks: TensorBoard needs a run folder; use glassnet.train for it"),
        (Live(), "callbacks: Live needs a run folder; use glassnet.train for it"),
        (3, "callbacks: 3 is not a callback; give objects of a class derived from glassnet.training.Callback"),
        (Callback, "callbacks: <class 'glassnet.training.callbacks.Call is not a callback; give objects of a class"),
    ],
)
def test_callbacks_that_cannot_be(callback: Any, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DigitClassifier().set_callbacks(callback)
    assert str(caught.value).startswith(line)


def test_examples_that_cannot_be_learned() -> None:
    X, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    model = DigitClassifier((4,), epochs=1, random_state=0)
    with pytest.raises(DataError, match="all examples with a weight above 0 have the class '1'"):
        model.fit(X, y, sample_weight=y)
    with pytest.raises(DataError, match="at least 0, and not all of them zero"):
        model.fit(X, y, sample_weight=-1.0 * y)
    with pytest.raises(DataError, match=r"y_val: 2 is not one of the classes: 0, 1"):
        model.fit(X, y, X_val=X, y_val=y + 1)
    for one, missing in (("X_val", "y_val"), ("y_val", "X_val")):
        with pytest.raises(DataError, match=f"{one}: validation examples are given without {missing}; give both"):
            model.fit(X, y, **{one: X})
    with pytest.raises(ValueError, match="3 features"):
        model.fit(X, y, X_val=X[:, :2], y_val=y)
    with pytest.raises(DataError, match="first call of partial_fit needs all classes"):
        model.partial_fit(X, y)
    with pytest.raises(DataError, match="at least two classes, not 1"):
        model.partial_fit(X, y, classes=[1])
    with pytest.raises(DataError, match=r"validation_fraction: 0\.01 of 20 examples leaves no validation"):
        clone(model).set_params(validation_fraction=0.01).fit(X, y)
    with pytest.raises(ConfigError, match="give a weight for each class"):
        clone(model).set_params(class_weight="balanced").partial_fit(X, y, classes=[0, 1])
    model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(DataError, match=r"differ from those of the first call, \[0, 1\]"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(DataError, match="5 is not one of the classes"):
        model.partial_fit(X, y + 5)


def test_going_on_with_another_network_is_refused(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, _ = digits
    model = DigitClassifier((8,), epochs=1, warm_start=True).fit(X, y)
    before = model.predict_proba(X_test)
    for changed in ({"hidden": (9,)}, {"hidden": (8,), "optimizer": "sgd"}):
        with pytest.raises(ConfigError, match="fit again with warm_start=False"):
            model.set_params(**changed).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X_test), before)


def test_weights_that_stop_being_finite_say_what_to_do(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    with pytest.raises(TrainingError, match=r"smaller learning rate than 1e\+30, .*, or features of one scale"):
        DigitClassifier((8,), optimizer="sgd", learning_rate=1e30, epochs=9).fit(1e6 * X.astype(np.float32), y)
    assert issubclass(TrainingError, GlassnetError)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_learning_rate_beyond_all_use_is_one_line(digits: tuple[Table, Table, Labels, Labels], dtype: str) -> None:
    X, _, y, _ = digits
    with pytest.raises(TrainingError, match=r"^the weights .* at step \d+ .*a smaller learning rate than 1e\+30"):
        DigitClassifier((8,), learning_rate=1e30, random_state=0).fit(X.astype(dtype), y)


@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_each_call_chooses_among_its_own_epochs(digits: tuple[Table, Table, Labels, Labels], monitor: str) -> None:
    X, X_test, y, y_test = digits
    model = DigitClassifier((16,), epochs=20, monitor=monitor, warm_start=True, random_state=0)
    model.fit(X, y, X_val=X_test, y_val=y_test)
    good = model.predict_proba(X_test)
    model.set_params(epochs=2, learning_rate=1.0).fit(X, y, X_val=X_test, y_val=y_test)
    values = [row[monitor] for row in model.history_]
    best = np.argmin if monitor == "validation_loss" else np.argmax
    assert best(values) < 20  # the second call has made it worse
    assert model.best_epoch_ == 21 + best(values[20:])
    assert log_loss(y_test, model.predict_proba(X_test)) > log_loss(y_test, good)
    accuracy = model.history_[model.best_epoch_ - 1]["validation_accuracy"]
    assert model.score(X_test, y_test) == accuracy


class Progress:
    """A callback of scikit-learn's: notes its tasks and the score after each, and ends the fit after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.told: list[Any] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.told.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any) -> bool:
        self.told.append(f"end {context.task_name}")
        self.score = fitted_estimator.score(X, y)
        return context.task_name == "epoch" and context.task_id + 1 == self.epochs


@pytest.mark.skipif(not importlib.util.find_spec("sklearn.callback"), reason="scikit-learn has callbacks from 1.9 on")
def test_scikit_learns_own_callbacks(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits
    names = np.array(list("abcdefghij"))[y]
    model = clone(DigitClassifier((32,), epochs=9, random_state=0).set_callbacks(progress := Progress(3), Watch(8)))
    model.fit(X, names)
    epochs = ["begin epoch", "end epoch"] * 3
    assert progress.told == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert model.n_iter_ == 3
    assert model.score(X, names) == progress.score
    assert model.set_callbacks().fit(X, y).n_iter_ == 9


def test_a_clone_has_the_callbacks_too(digits: tuple[Table, Table, Labels, Labels]) -> None:
    if not importlib.util.find_spec("sklearn.callback"):
        pytest.skip("scikit-learn's clone hands callbacks on from 1.9 on")
    X, _, y, _ = digits
    model = DigitClassifier((8,), epochs=4).set_callbacks(watch := Watch(2))
    assert clone(model).fit(X, y).n_iter_ == 2
    assert watch.told[-1] == "seen enough"


def test_the_network_that_predicts_is_the_average(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, X_test, y, y_test = digits
    settings: dict[str, Any] = {"optimizer": "sgd", "epochs": 2, "batch_size": 50, "random_state": 0}

    class Average(Callback):
        """Averages as the textbook does."""

        def on_start(self, run: LoopUnderWay) -> None:
            self.mean, self.steps = run.network.parameters.copy(), 0

        def on_step(self, run: LoopUnderWay, loss: float) -> None:
            d = min(0.9, (1 + self.steps) / (10 + self.steps))
            self.mean, self.steps = d * self.mean + (1 - d) * run.network.parameters, self.steps + 1

    model = DigitClassifier((8,), ema=0.9, **settings).set_callbacks(average := Average())
    model.fit(X, y, X_val=X_test, y_val=y_test)
    np.testing.assert_allclose(model.network_.parameters, average.mean, rtol=1e-9)
    assert model.history_[-1]["validation_loss"] == pytest.approx(log_loss(y_test, model.predict_proba(X_test)))
    plain = DigitClassifier((8,), **settings).fit(X, y, X_val=X_test, y_val=y_test)
    assert plain.loss_curve_ == model.loss_curve_
    halves = DigitClassifier((8,), ema=0.9, **settings | {"epochs": 1}, warm_start=True).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    np.testing.assert_array_equal(halves.network_.parameters, model.network_.parameters)
    with pytest.raises(ConfigError, match="ema: averages begin with the first step"):
        halves.set_params(ema=0).fit(X, y)


def test_a_gradient_is_shortened_and_the_rate_warms_up_and_drops(digits: tuple[Table, Table, Labels, Labels]) -> None:
    X, _, y, _ = digits

    class Norms(Callback):
        def on_start(self, run: LoopUnderWay) -> None:
            self.norms: list[float] = []

        def on_step(self, run: LoopUnderWay, loss: float) -> None:
            self.norms.append(float(np.linalg.norm(run.network.gradients)))

    model = DigitClassifier((8,), clip_norm=0.01, epochs=1, random_state=0).set_callbacks(clipped := Norms())
    model.fit(X, y)
    np.testing.assert_allclose(clipped.norms, 0.01)
    model.set_params(clip_norm=None).set_callbacks(free := Norms()).fit(X, y)
    assert min(free.norms) > 0.02
    settings: dict[str, Any] = {"schedule": "step", "step_epochs": 2, "step_factor": 0.5, "warmup_epochs": 1}
    model = DigitClassifier((8,), epochs=6, batch_size="all", learning_rate=0.1, random_state=0, **settings).fit(X, y)
    assert [row["learning_rate"] for row in model.history_] == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025])


@pytest.fixture(scope="module")
def images() -> tuple[Table, Labels]:
    examples = load_dataset("digits").train
    return examples.images[:300] / 255, examples.labels[:300]


AMOUNTS = {"rotation": 15, "zoom": 0.1, "shear": 0.2, "shift": 1.5, "elastic": 0.5, "robust": True}


@pytest.mark.parametrize("name", AMOUNTS)
def test_images_are_distorted_anew_in_each_epoch(images: tuple[Table, Labels], name: str) -> None:
    X, y = images
    settings: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1e-9, "epochs": 2, "random_state": 0}
    plain = DigitClassifier((8,), **settings).fit(X, y)
    model = DigitClassifier((8,), **settings, **{name: AMOUNTS[name]}).fit(X, y)
    assert plain.loss_curve_[0] == pytest.approx(plain.loss_curve_[1], rel=1e-6)
    assert abs(model.loss_curve_[0] / model.loss_curve_[1] - 1) > 1e-5
    assert 1e-4 < abs(model.loss_curve_[0] / plain.loss_curve_[0] - 1) < 0.3
    again = DigitClassifier((8,), **settings, **{name: AMOUNTS[name]}).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("weights", [None, np.r_[np.full(150, 2.0), np.full(150, 0.5)]])
def test_what_is_distorted_next_to_nothing_is_as_it_was(images: tuple[Table, Labels], weights: Any) -> None:
    X, y = images
    settings: dict[str, Any] = {"epochs": 3, "random_state": 0, "batch_size": 50}
    for values in (X, 5 - 10 * X):  # dark on light, and in any range
        plain = DigitClassifier((8,), **settings).fit(values, y, sample_weight=weights)
        model = DigitClassifier((8,), **settings, rotation=1e-9).fit(values, y, sample_weight=weights)
        np.testing.assert_allclose(model.predict_proba(values), plain.predict_proba(values), rtol=0.02, atol=2e-3)


def test_rows_cannot_be_distorted(images: tuple[Table, Labels]) -> None:
    X, y = images
    with pytest.raises(
        ConfigError, match=r"^elastic: rows of numbers cannot be distorted; give X as images \(n, h, w\)"
    ):
        DigitClassifier(elastic=1, epochs=1).fit(X.reshape(300, -1), y)
    with pytest.raises(ConfigError, match=r"^rotation: must be at most 180, not 200"):
        DigitClassifier(rotation=200, epochs=1).fit(X, y)
    model = DigitClassifier((8,), shift=1, random_state=0).partial_fit(X, y, classes=range(10))
    assert model.predict(X).shape == (300,)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    X, y = load_iris(return_X_y=True)
    fresh = DigitClassifier(hidden=(0,))
    with pytest.raises(ConfigError):
        fresh.fit(X, y)
    assert not hasattr(fresh, "n_features_in_")
    fitted = DigitClassifier(epochs=1, random_state=0).fit(X, y)
    before = fitted.predict_proba(X)
    for wrong in (lambda: fitted.set_params(hidden=(0,)).fit(X[:, :2], y), lambda: fitted.fit(X[:, :2], y * np.nan)):
        with pytest.raises(ValueError, match=r"hidden|NaN"):
            wrong()
        assert fitted.n_features_in_ == 4
        assert np.array_equal(fitted.predict_proba(X), before)


def test_its_defaults_serve_small_tables() -> None:
    X, y = load_iris(return_X_y=True)
    scores = [
        cross_val_score(make_pipeline(StandardScaler(), DigitClassifier(random_state=seed)), X, y).mean()
        for seed in range(3)
    ]
    assert np.mean(scores) > 0.93
    assert DigitClassifier().fit(X, y).n_iter_ == 300
    assert DigitClassifier().fit(np.repeat(X, 4, axis=0), np.repeat(y, 4)).n_iter_ == 100
    assert DigitClassifier(epochs=2).fit(X, y).n_iter_ == 2


def test_verbose_reports_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = load_iris(return_X_y=True)
    DigitClassifier(epochs=3, verbose=True, validation_fraction=0.2).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    header, *lines = err.splitlines()
    assert header.split()[:3] == ["epoch", "loss", "accuracy"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    DigitClassifier(epochs=3).fit(X, y)
    assert capsys.readouterr() == ("", "")
