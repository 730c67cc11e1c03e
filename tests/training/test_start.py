"""Runs that begin with the weights of a trained model."""

from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, Model, Run, load_dataset, open_model, resume, train
from glassnet.cli import main
from glassnet.errors import ConfigError, DataError
from glassnet.export import submission
from glassnet.training import Callback, LoopUnderWay

SMALL = {"recipe": "small", "threads": 1}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(
    scope="module", params=[{}, {"batch_norm": True, "activation": "tanh", "hidden": [30, 20], "dropout": 0}]
)
def trained(request: pytest.FixtureRequest, digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(digits, out=tmp_path_factory.mktemp("runs") / "run", epochs=5, **SMALL | request.param)


class First(Callback):
    """Keep the parameters before the first step."""

    def on_start(self, run: LoopUnderWay) -> None:
        self.parameters = run.network.parameters.copy()
        self.judged = run.judged.parameters.copy()


@pytest.mark.parametrize("ema", [0, 0.9])
def test_it_begins_with_the_weights_of_the_model(digits: Dataset, trained: Run, tmp_path: Path, ema: float) -> None:
    first = First()
    run = train(digits, out=tmp_path / "run", start=trained.path, epochs=2, ema=ema, callbacks=[first], **SMALL)
    assert np.array_equal(first.parameters, trained.model.network.parameters)
    assert np.array_equal(first.judged, trained.model.network.parameters)
    assert run.config.hidden == trained.config.hidden
    assert run.config.activation[0] == trained.config.activation[0]
    assert run.config.batch_norm == trained.config.batch_norm
    assert run.history[0]["accuracy"] > trained.history[0]["accuracy"] + 0.1
    assert run.model.seen == ("digits",)
    assert Model.load(run.path / "model.safetensors").seen == ("digits",)
    assert resume(run.path, epochs=3).model.seen == ("digits",)


def test_outputs_of_other_classes_begin_anew(digits: Dataset, trained: Run, tmp_path: Path) -> None:
    few = digits.train.take(np.flatnonzero(digits.train.labels < 4))
    other = load_dataset((few.images, few.labels), classes=["a", "b", "c", "d"])
    first = First()
    run = train(other, out=tmp_path / "run", start=trained.model, epochs=2, callbacks=[first], **SMALL)
    W = trained.model.network.named_parameters["0.W"]
    assert np.array_equal(first.parameters[: W.size], W.ravel())
    assert run.best["validation_accuracy"] > 0.9


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_network_of_convolutions_brings_its_layers(digits: Dataset, tmp_path: Path, activation: str) -> None:
    layers = ["conv 4 3x3 stride 1 padding 1", "pool 2", "conv 4 2x2 same", "average pool 2 stride 1", "dense 10"]
    settings = {"epochs": 1, "activation": activation, "batch_norm": True} | SMALL
    before = train(digits, out=tmp_path / "before", layers=layers, **settings)
    first = First()
    run = train(digits, out=tmp_path / "run", start=before.path, callbacks=[first], epochs=1, **SMALL)
    assert np.array_equal(first.parameters, before.model.network.parameters)
    x = digits.test.images[:3]
    assert np.array_equal(resume(run.path).model.logits(x), run.model.logits(x))
    with pytest.raises(ConfigError, match="layers: follows from the model"):
        train(digits, out=tmp_path / "other", start=before.path, layers=layers, **SMALL)


def test_from_the_shell(trained: Run, tmp_path: Path) -> None:
    flags = ["--from", str(trained.path), "--recipe", "small", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(["train", "digits", *flags]) == 0
    assert Run(tmp_path / "run").config.seen == ("digits",)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"hidden": [7]}, "hidden: follows from the model"),
        ({"batch_norm": False}, "batch_norm: follows from the model"),
        ({"members": 2}, "start: an ensemble cannot"),
        ({"start": open_model()}, "start: the model takes images of 28×28 pixels, and digits has 8×8"),
    ],
)
def test_what_does_not_go_together(digits: Dataset, trained: Run, tmp_path: Path, settings: dict, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        train(digits, out=tmp_path / "run", **SMALL | {"start": trained.path} | settings)
    assert not (tmp_path / "run").exists()


def test_a_leak_of_the_model_that_it_started_from_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 4, 4), np.uint8), np.arange(40) % 10
    np.savez(tmp_path / "before.npz", x_train=images, y_train=labels)
    np.savez(tmp_path / "then.npz", x_train=255 - images, y_train=labels)
    before = train(load_dataset(tmp_path / "before.npz"), out=tmp_path / "a", epochs=1, **SMALL | {"batch_size": 8})
    run = train(
        load_dataset(tmp_path / "then.npz"),
        out=tmp_path / "b",
        start=before.path,
        epochs=1,
        **SMALL | {"batch_size": 8},
    )
    asked = rng.integers(0, 256, (28_000, 4, 4), np.uint8)
    assert submission(run.model, asked).count("\n") == 28_001
    asked[7] = images[0]
    with pytest.raises(DataError, match=r"has seen 1 of these 28,000 images in .*before\.npz"):
        submission(run.model, asked)
    (tmp_path / "before.npz").unlink()
    with pytest.raises(DataError, match=r"its training started from a model of .*before\.npz, which is missing"):
        submission(run.model, asked)
