"""Runs with `ema`: the averaged weights are what is judged and kept, and the raw ones are what learns."""

from pathlib import Path

import numpy as np
import pytest
from test_runs import StopAt, contents

from glassnet import Dataset, Model, load_dataset, resume, train
from glassnet.errors import ConfigError, FileError, TrainingError
from glassnet.nn import OPTIMIZERS
from glassnet.tensor_files import open_tensors, write_tensors
from glassnet.training import Callback, Config, RunUnderWay, prepare
from glassnet.training.history import Row

SETTINGS = {"hidden": [12], "epochs": 3, "batch_size": 100, "threads": 1}  # 12 steps an epoch
KINDS = {
    **{name: {"optimizer": name} for name in OPTIMIZERS},
    "batch norm and dropout": {"batch_norm": True, "dropout": 0.2},
    "whole batch": {"batch_size": "all", "epochs": 30},
    "single images": {"batch_size": 1, "optimizer": "sgd", "learning_rate": 0.01, "epochs": 1, "validation": 1300},
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class Follow(Callback):
    """Averages the weights on its own, and keeps what it sees."""

    def __init__(self, decay: float) -> None:
        self.decay, self.steps = decay, 0

    def on_start(self, run: RunUnderWay) -> None:
        self.mean = run.network.parameters.astype(np.float64)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        self.mean = d * self.mean + (1 - d) * run.network.parameters
        np.testing.assert_allclose(run.model.network.parameters, self.mean, rtol=1e-4, atol=1e-5)

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        if len(run.validation):
            answers = run.model.logits(run.validation.images).argmax(axis=1)
            assert row["validation_accuracy"] == np.mean(answers == run.validation.labels)
        self.raw = run.network.parameters.copy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_the_mean_of_the_weights_and_the_steps_are_as_without(
    kind: str, digits: Dataset, tmp_path: Path
) -> None:
    settings = SETTINGS | KINDS[kind]
    plain, watch = Follow(0), Follow(0.95)
    without = train(digits, out=tmp_path / "without", callbacks=[plain], **settings)
    run = train(digits, out=tmp_path / "with", callbacks=[watch], ema=0.95, **settings)
    if kind == "single images":  # whose blocks round in another order
        np.testing.assert_allclose(watch.raw, plain.raw, atol=1e-4)
    else:
        np.testing.assert_array_equal(watch.raw, plain.raw)
        assert [row["loss"] for row in run.history] == [row["loss"] for row in without.history]
    assert run.history[-1]["validation_loss"] != without.history[-1]["validation_loss"]
    if run.best["epoch"] == run.history[-1]["epoch"]:
        np.testing.assert_allclose(run.model.network.parameters, watch.mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["adam", "batch norm and dropout", "whole batch", "single images"])
def test_two_halves_are_one_whole_bit_for_bit(kind: str, digits: Dataset, tmp_path: Path) -> None:
    settings = SETTINGS | KINDS[kind] | {"ema": 0.99}
    whole = train(digits, out=tmp_path / "whole", **settings)
    half = train(digits, out=tmp_path / "half", callbacks=[StopAt(17)], **settings)
    assert contents(resume(half.path)) == contents(whole)


def test_the_mean_is_better_than_the_last_weights_where_steps_are_noisy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 256, (4, 6, 6))
    labels = rng.integers(0, 4, 3000)
    pixels = np.clip(prototypes[labels] + rng.normal(0, 150, (3000, 6, 6)), 0, 255).astype(np.uint8)
    wrong = rng.random(3000) < 0.3
    noisy = load_dataset((pixels, np.where(wrong, rng.integers(0, 4, 3000), labels)))
    settings = {"hidden": [], "dropout": 0, "optimizer": "sgd", "schedule": "constant", "learning_rate": 0.3}
    settings |= {"batch_size": 5, "epochs": 3, "validation": 300}
    for seed in range(3):
        losses = [
            train(noisy, out=tmp_path / f"{seed}-{ema}", ema=ema, seed=seed, **settings).history[-1]["validation_loss"]
            for ema in (0.0, 0.99)
        ]
        assert losses[1] < losses[0] - 0.05


def test_off_is_a_checkpoint_without_averages_and_one_from_before_goes_on(digits: Dataset, tmp_path: Path) -> None:
    whole = train(digits, out=tmp_path / "whole", **SETTINGS)
    run = train(digits, out=tmp_path / "run", callbacks=[StopAt(5)], **SETTINGS)
    with open_tensors(run.path / "checkpoint.safetensors", "checkpoint") as file:
        assert set(file.shapes) == {"parameters", "statistics", "optimizer.first", "optimizer.second"}
    config = run.path / "config.toml"
    config.write_text(config.read_text().replace("ema = 0.0\n", ""))  # as it was before there were averages
    assert resume(run.path).history[-1]["validation_loss"] == whole.history[-1]["validation_loss"]


def test_a_checkpoint_without_its_averages_is_refused(digits: Dataset, tmp_path: Path) -> None:
    run = train(digits, out=tmp_path / "run", callbacks=[StopAt(5)], ema=0.9, **SETTINGS)
    path = run.path / "checkpoint.safetensors"
    with open_tensors(path, "checkpoint") as file:
        names = [name for name in file.shapes if not name.startswith("average.")]
        tensors, metadata = {name: file._handle.get_tensor(name) for name in names}, file.metadata
    write_tensors(path, tensors, metadata)
    with pytest.raises(FileError, match=r"'average\.parameters' is missing"):
        resume(run.path)


def test_the_averages_count_in_the_size_of_a_checkpoint(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    # 64-12-10 with Adam: 910 parameters and as many of each moment make 10,920 bytes; averages 3,640 more.
    monkeypatch.setattr("glassnet.training.assembly.MAX_TENSOR_FILE_BYTES", 11_000)
    prepare(Config.resolve("small", **SETTINGS), digits)
    with pytest.raises(TrainingError, match="make checkpoints of 14,560 bytes"):
        prepare(Config.resolve("small", **SETTINGS, ema=0.9), digits)


def test_the_best_averages_are_kept_not_the_last(digits: Dataset, tmp_path: Path) -> None:
    class Spoil(Callback):
        def on_epoch(self, run: RunUnderWay, row: Row) -> None:
            if row["epoch"] == 2:
                self.best = run.model.network.parameters.copy()
                run.network.parameters *= -1

    run = train(digits, out=tmp_path / "run", ema=0.9, callbacks=[spoil := Spoil()], **SETTINGS)
    assert run.best["epoch"] == 2
    np.testing.assert_array_equal(Model.load(run.path / "model.safetensors").network.parameters, spoil.best)


@pytest.mark.parametrize(
    ("ema", "complaint"), [(1.0, "ema: must be less than 1, not 1.0"), (-0.1, "ema: must be at least 0, not -0.1")]
)
def test_a_decay_that_is_none_gets_one_line(ema: float, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.resolve(ema=ema)
    assert str(error.value) == complaint
