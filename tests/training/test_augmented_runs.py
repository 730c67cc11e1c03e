"""Runs whose training images are distorted anew in each epoch."""

import math
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, Run, load_dataset, resume, train
from glassnet.data import Augmentation, Examples, Preprocessing
from glassnet.errors import ConfigError
from glassnet.training import Callback, Config, RunLoop, RunUnderWay
from glassnet.training.batches import Batches

AMOUNTS = {"rotation": 15.0, "zoom": 0.1, "shear": 0.1, "shift": 0.5, "elastic": 0.5, "smoothness": 2.0}
SETTINGS = {"hidden": [16], "epochs": 3, "batch_size": 100, "threads": 1, **AMOUNTS}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class Watch(Callback):
    """Keeps the loss of each step, and may stop the run after one."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at
        self.losses: list[float] = []

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.losses.append(loss)
        if run.state.step == self.stop_at:
            run.stop("for a test")


def model_bytes(run: Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def batches_of(examples: Examples, seed: int = 0, shuffle: bool = True, augment: bool = True) -> Batches:
    preprocessing = Preprocessing.fit(examples, "none")
    form = {"augmentation": Augmentation(**AMOUNTS) if augment else None, "shuffle": shuffle}
    return Batches(examples, preprocessing, 100, seed, (math.prod(examples.image_shape),), np.dtype("float32"), **form)


@pytest.mark.parametrize("stop", [1, 13, 15, 26])  # 13 steps an epoch
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("robust", [True, False])
def test_two_halves_are_one_whole_bit_for_bit(
    tmp_path: Path, digits: Dataset, stop: int, shuffle: bool, robust: bool
) -> None:
    whole, first, second = Watch(), Watch(stop), Watch()
    run = train(digits, out=tmp_path / "whole", shuffle=shuffle, robust=robust, callbacks=[whole], **SETTINGS)
    train(digits, out=tmp_path / "half", shuffle=shuffle, robust=robust, callbacks=[first], **SETTINGS)
    resumed = resume(tmp_path / "half", callbacks=[second])
    assert first.losses + second.losses == whole.losses
    assert model_bytes(resumed) == model_bytes(run)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_batch_depends_on_seed_epoch_and_number_alone(digits: Dataset, shuffle: bool) -> None:
    batches = batches_of(digits.train, shuffle=shuffle)
    seen = {(epoch, i): batches.batch(epoch, i)[0].copy() for epoch in (0, 1, 2) for i in (0, 1)}
    for (epoch, i), X in reversed(seen.items()):
        np.testing.assert_array_equal(batches_of(digits.train, shuffle=shuffle).batch(epoch, i)[0], X)
    assert not np.array_equal(batches_of(digits.train, 1, shuffle).batch(0, 0)[0], seen[0, 0])
    if not shuffle:  # the same images in both epochs, but not distorted alike
        assert (seen[0, 0] != seen[1, 0]).any(axis=1).all()


def test_no_two_batches_and_no_two_epochs_distort_alike(digits: Dataset) -> None:
    same = Examples(digits.train.images[:1].repeat(300, axis=0), digits.train.labels[:300])
    batches = batches_of(same)
    seen = np.concatenate([batches.batch(epoch, i)[0].copy() for epoch in range(2) for i in range(3)])
    assert len(np.unique(seen, axis=0)) > 590


def test_batches_are_distorted_images_with_their_own_labels(digits: Dataset) -> None:
    distorted, plain = batches_of(digits.train), batches_of(digits.train, augment=False)
    before = digits.train.images.copy()
    (X, y, _), (X_plain, y_plain, _) = distorted.batch(1, 2), plain.batch(1, 2)
    np.testing.assert_array_equal(y, y_plain)
    assert not np.array_equal(X, X_plain)
    likeness = np.corrcoef(X, X_plain)[: len(X), len(X) :]  # of each distorted image with each plain one
    assert np.diag(likeness).mean() > likeness.mean() + 0.2
    last, *_ = distorted.batch(1, len(distorted) - 1)
    assert len(last) == len(digits.train) % 100
    np.testing.assert_array_equal(digits.train.images, before)


def test_the_threads_of_a_run_share_out_the_distortions(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, asked = RunLoop(Config.resolve("fast", rotation=10, threads=2), digits), []
    monkeypatch.setattr(loop.batches.engine, "share_out", lambda work, parts: asked.append(parts))
    loop.batches.batch(0, 0)
    assert asked == [1]  # 192 images of 64 pixels are one part


def test_dark_digits_on_light_get_light_ground(digits: Dataset) -> None:
    light = Examples(np.pad(digits.train.images, ((0, 0), (4, 4), (4, 4))), digits.train.labels)
    dark = Examples(255 - light.images, light.labels)
    X, *_ = batches_of(light).batch(0, 0)
    inverse, *_ = batches_of(dark).batch(0, 0)
    np.testing.assert_allclose(X, 255 - inverse, atol=1)


def test_only_training_images_are_distorted(tmp_path: Path, digits: Dataset) -> None:
    run = train(digits, out=tmp_path / "run", **SETTINGS)
    _, validation = digits.split(run.config.validation, run.config.seed)
    right = np.mean(run.model.predict(validation.images) == validation.labels)
    assert run.best["validation_accuracy"] == pytest.approx(right)
    plain = RunLoop(Config.resolve("fast", hidden=[16]), digits)
    assert RunLoop(run.config, digits).model.preprocessing == plain.model.preprocessing


def test_single_images_are_distorted_too(digits: Dataset, tmp_path: Path) -> None:
    few = load_dataset((digits.train.images[:120], digits.train.labels[:120]))
    settings = {"hidden": [8], "optimizer": "sgd", "batch_size": 1, "epochs": 1, "validation": 0}
    assert RunLoop(Config.resolve("fast", **settings), few).steps.one_by_one is not None
    assert RunLoop(Config.resolve("fast", **settings, shift=1), few).steps.one_by_one is None
    plain, distorted = Watch(), Watch()
    train(few, "fast", out=tmp_path / "plain", callbacks=[plain], **settings)
    train(few, "fast", out=tmp_path / "distorted", callbacks=[distorted], **settings, shift=1)
    assert plain.losses != distorted.losses


def test_a_configuration_says_how_images_are_distorted(tmp_path: Path) -> None:
    assert Config.resolve("fast").augmentation is None
    assert Config.resolve("fast", smoothness=2).augmentation is None  # of no elastic distortion
    assert Config.resolve("fast", **AMOUNTS).augmentation == Augmentation(**AMOUNTS)
    assert Config.resolve("fast", robust=True).augmentation == Augmentation(robust=True)
    for name in set(AMOUNTS) - {"smoothness"}:
        config = Config.resolve("fast", **{name: AMOUNTS[name]})
        assert config.augmentation == Augmentation(**{name: AMOUNTS[name]})
        (tmp_path / "config.toml").write_text(config.to_toml())
        assert Config.load(tmp_path / "config.toml").augmentation == config.augmentation


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"rotation": 181}, "rotation: must be at most 180, not 181"),
        ({"zoom": 1}, "zoom: must be at most 0.9, not 1"),
        ({"shear": -0.1}, "shear: must be at least 0"),
        ({"shift": float("nan")}, "shift: must be"),
        ({"elastic": "much"}, "elastic: must be a number"),
        ({"smoothness": 0}, "smoothness: must be at least 0.1"),
        ({"elastik": 1}, "no setting called 'elastik' .did you mean 'elastic'"),
        ({"batch_size": "all", "elastic": 1}, "batch_size: all .* give a number"),
    ],
)
def test_a_wrong_setting_gets_one_line(settings: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        Config.resolve("fast", **settings)
    assert "\n" not in str(error.value)
