"""Runs with `adversarial`: each step learns its images from where the network does worse."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from test_runs import StopAt

from glassnet import Dataset, DigitClassifier, Run, load_dataset, resume, train
from glassnet.cli import main
from glassnet.errors import ConfigError, TrainingError
from glassnet.explain.of_run import training_notes
from glassnet.nn import Network, Pass, SoftmaxCrossEntropy, fast_gradient
from glassnet.training import Config, RunLoop

SETTINGS = {"hidden": [12], "epochs": 3, "batch_size": 100, "threads": 1, "adversarial": 0.5}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.mark.parametrize("more", [{}, {"batch_norm": True, "dropout": 0.3}, {"batch_size": 1}])
def test_a_step_is_the_gradient_where_its_images_were_moved_to(digits: Dataset, more: dict[str, object]) -> None:
    rate = 0.1
    settings = SETTINGS | {"precision": "float64", "optimizer": "sgd", "engine": "numpy"} | more
    loop = RunLoop(Config.resolve("small", **settings), digits)
    network = loop.network
    X, y, _ = loop.batches.batch(0, 0)
    X, p, loss = X.copy(), Pass(network, training=True, seed=0), SoftmaxCrossEntropy(10)
    p.batch.step = 0
    plain = loss(network.forward(X, p), y)
    network.backward(plain.gradient, p)
    first = network.gradients.copy()
    fast_gradient(X, _input_gradient(network, X, y, p), 0.5)
    p.batch.step = 0
    network.backward(loss(network.forward(X, p), y).gradient, p)
    expected = network.parameters - rate * network.gradients
    taken = loop.steps.take(0, 0, rate)
    np.testing.assert_allclose(network.parameters, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(first - network.gradients).max() > 1e-3 * np.abs(first).max()
    assert (taken.loss, taken.correct) == (pytest.approx(plain.value), np.count_nonzero(plain.right))


def _input_gradient(network: Network, X: np.ndarray, y: np.ndarray, p: Pass) -> np.ndarray:
    """∂L/∂X by both halves of every layer's chain rule, parameters included."""
    p.batch.step = 0
    dX = SoftmaxCrossEntropy(10)(network.forward(X, p), y).gradient
    for layer, own in zip(reversed(network.layers), reversed(p.layers), strict=True):
        dX = layer.backward(dX, own)
    return dX


def test_the_network_withstands_what_it_learned_from(digits: Dataset, tmp_path: Path) -> None:
    settings = {"hidden": [64], "epochs": 15, "optimizer": "adam", "learning_rate": 0.005}
    runs = {e: train(digits, out=tmp_path / str(e), adversarial=e, **settings) for e in (0.0, 0.5)}
    X, y = runs[0.0].model.inputs(digits.test.images), digits.test.labels
    right = {}
    for distance, run in runs.items():
        network, moved, p = run.model.network, X.copy(), Pass(run.model.network)
        fast_gradient(moved, network.input_gradient(SoftmaxCrossEntropy(10)(network.forward(X, p), y).gradient, p), 0.5)
        right[distance] = np.mean(network.forward(moved).argmax(axis=1) == y)
    assert right[0.5] > right[0.0] + 0.1, right
    assert runs[0.5].history[-1]["validation_accuracy"] > 0.95


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"batch_norm": True, "rotation": 10, "precision": "bfloat16"},
        {"engine": "compiled", "layers": "conv 4 3x3, pool 2"},
    ],
)
def test_a_resumed_run_is_the_whole_run_bit_for_bit(digits: Dataset, tmp_path: Path, more: dict[str, object]) -> None:
    if more.get("engine") == "compiled":
        pytest.importorskip("numba")
    settings = {name: value for name, value in (SETTINGS | more).items() if name != "hidden" or "layers" not in more}
    whole = train(digits, "small", out=tmp_path / "whole", **settings)
    train(digits, "small", out=tmp_path / "half", callbacks=[StopAt(17)], **settings)
    half = resume(tmp_path / "half")
    np.testing.assert_array_equal(whole.model.network.parameters, half.model.network.parameters)


def test_the_shell_says_that_it_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--adversarial", "0.7", "--epochs", "1", "--out", "run"]) == 0
    assert "adversarial 0.7" in capsys.readouterr().err
    assert Run("run").config.adversarial == 0.7


def test_what_the_distance_has_to_do_with_weights_that_diverge_is_said(digits: Dataset, tmp_path: Path) -> None:
    settings = SETTINGS | {"optimizer": "sgd", "learning_rate": 1.0, "adversarial": 1e6}
    with pytest.raises(TrainingError, match=r"finite at step .*, an adversarial distance less than 1e\+06, or another"):
        train(digits, out=tmp_path / "run", **settings)


def test_the_explanation_names_it(digits: Dataset) -> None:
    assert "adversarial 0.5" in training_notes(Config.resolve("small", **SETTINGS))[0]


def test_the_estimator_takes_it_and_weights_count() -> None:
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    fitted = {
        (distance, weight): DigitClassifier(
            (8,), adversarial=distance, learning_rate=0.02, batch_size=32, epochs=30, random_state=0
        ).fit(X, y, sample_weight=1 + weight * y)
        for distance in (0.0, 0.3)
        for weight in (0, 1)
    }
    assert min(estimator.score(X, y) for estimator in fitted.values()) > 0.9
    assert fitted[0.3, 0].predict_proba(X).max(axis=1).mean() < fitted[0.0, 0].predict_proba(X).max(axis=1).mean()
    assert np.any(fitted[0.3, 0].predict_proba(X) != fitted[0.3, 1].predict_proba(X))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"adversarial": -1}, "adversarial: must be at least 0, not -1"),
        ({"adversarial": 1e9}, "adversarial: must be at most 1,000,000, not 1000000000"),
        ({"adversarial": "much"}, "adversarial: must be a number, not 'much'"),
        ({"adversarial": 1, "batch_size": "all"}, "adversarial: not supported with batch_size all"),
        ({"fgsm": 1}, "adversarial"),
    ],
)
def test_wrong_use_gets_one_line(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        Config.resolve("small", **settings)
    assert "\n" not in str(error.value)


def test_batches_of_all_images_turn_that_of_a_recipe_off(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('recipe = "small"\nadversarial = 0.5\n')
    assert Config.resolve(recipe).adversarial == 0.5
    assert Config.resolve(recipe, batch_size="all").adversarial == 0
