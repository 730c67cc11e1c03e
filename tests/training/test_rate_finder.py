import math
import os
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset, train
from glassnet.errors import ConfigError, DataError, TrainingError
from glassnet.training import Callback, LearningRateSearch, RunUnderWay, find_learning_rate, rate_finder


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def search_of(smoothed: np.ndarray, ended_early: bool = False) -> LearningRateSearch:
    rates = np.logspace(-6, 1, 200)[: len(smoothed)]
    return LearningRateSearch(rates, smoothed, smoothed, ended_early)


@pytest.mark.parametrize(
    ("settings", "steps"), [({"batch_size": 32}, 100), ({"batch_size": 1, "optimizer": "sgd"}, 2588)]
)
def test_the_rates_grow_by_one_factor_and_the_losses_are_those_of_such_a_run(
    digits: Dataset, tmp_path: Path, settings: dict, steps: int
) -> None:
    search = find_learning_rate(digits, **settings)
    assert search.rates[0] == rate_finder.FIRST
    np.testing.assert_allclose(search.rates[1:] / search.rates[:-1], 1e7 ** (1 / (steps - 1)), rtol=1e-12)

    class Keep(Callback):
        def __init__(self) -> None:
            self.losses: list[float] = []

        def on_start(self, run: RunUnderWay) -> None:
            run.schedule = lambda step: 1e-6 * 1e7 ** (step / (steps - 1))  # type: ignore[attr-defined]

        def on_step(self, run: RunUnderWay, loss: float) -> None:
            self.losses.append(loss)
            if len(self.losses) == len(search.rates):
                run.stop("as many as the search took")

    train(digits, out=tmp_path / "run", callbacks=[keep := Keep()], **settings)
    np.testing.assert_allclose(search.losses, keep.losses[: len(search.losses)], rtol=1e-6)


def test_the_loss_is_smoothed_as_the_docstring_says(digits: Dataset) -> None:
    search = find_learning_rate(digits, batch_size=32)
    beta = math.exp(-1 / 5)  # a twentieth of 100 steps
    mean, smoothed = 0.0, []
    for s, loss in enumerate(search.losses):
        mean = beta * mean + (1 - beta) * loss
        smoothed.append(mean / (1 - beta ** (s + 1)))
    np.testing.assert_allclose(search.smoothed, smoothed, rtol=1e-12)
    assert search.ended_early
    assert smoothed[-1] > 4 * min(smoothed)
    assert all(m <= 4 * min(smoothed[: i + 1]) for i, m in enumerate(smoothed[:-1]))


def test_it_reads_a_curve_whose_answers_are_known() -> None:
    # From 2 down to 1 around η = 0.001, and up again around η = 0.5: half of the fall is lost there.
    x = np.log10(np.logspace(-6, 1, 200))
    search = search_of(2 - 1 / (1 + np.exp(-6 * (x + 3))) + 1 / (1 + np.exp(-12 * (x - math.log10(0.5)))))
    assert search.suggestion == pytest.approx(
        10 ** (math.log(0.85 / 0.15) / 6 - 3), rel=0.1
    )  # where the curve is down to 1.15
    assert search.diverged == pytest.approx(0.5, rel=0.1)
    assert search.largest == pytest.approx(0.25, rel=0.1)


def test_searches_can_be_compared_and_counted() -> None:
    one, other = search_of(np.linspace(2, 1, 200)), search_of(np.linspace(2, 1, 200))
    assert one == one != other
    assert len({one, other}) == 2


def test_a_first_image_that_is_easy_does_not_count_as_the_least() -> None:
    smoothed = np.concatenate([np.linspace(0.1, 2, 5), np.full(65, 2.0), np.linspace(2, 1, 60), np.linspace(1, 2, 30)])
    search = search_of(smoothed, ended_early=True)
    assert search.diverged == search.rates[130 + 15]
    assert search.suggestion is not None
    assert search.rates[70] < search.suggestion < search.rates[130]


@pytest.mark.parametrize("seed", [7, 11, 16, 18, 20, 21])  # whose first images have a small loss, or a large one
def test_single_images_give_an_answer_whichever_comes_first(digits: Dataset, seed: int) -> None:
    search = find_learning_rate(digits, batch_size=1, optimizer="sgd", hidden=[16], seed=seed, initializer_scale=2)
    assert search.suggestion is not None
    assert search.diverged is not None
    assert 5e-4 < search.suggestion < search.diverged


def test_a_loss_that_never_rises_has_no_largest_rate_and_one_that_never_falls_none_at_all() -> None:
    falling = search_of(np.linspace(2, 1, 200))
    assert falling.suggestion is not None
    assert falling.diverged is falling.largest is None
    flat = search_of(2 + 0.01 * np.sin(np.arange(200)))
    assert flat.suggestion is flat.diverged is None
    rising = search_of(np.geomspace(2, 9, 150), ended_early=True)
    assert rising.suggestion is None
    assert rising.diverged == rising.rates[-1]
    assert search_of(np.zeros(1)).suggestion is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size": "all"},
        {"batch_size": 1, "optimizer": "sgd"},
        {"batch_norm": True, "optimizer": "nesterov", "ema": 0.9},
        {"scaling": "none"},
    ],
    ids=str,
)
def test_what_it_suggests_learns_and_ten_times_too_much_is_worse(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict
) -> None:
    monkeypatch.chdir(tmp_path)
    search = find_learning_rate(digits, **settings)
    assert list(tmp_path.iterdir()) == []
    assert search.suggestion is not None
    # Of pixels up to 255 the loss rises late: by rounding alone it has risen enough when the steps are over, or not.
    diverged = search.diverged or (10 if settings.get("scaling") == "none" else 0)
    assert 1e-4 < search.suggestion < diverged <= 10
    assert np.isfinite(search.losses).all()
    assert len(search.rates) == len(search.losses) == len(search.smoothed)
    again = find_learning_rate(digits, **settings)
    np.testing.assert_array_equal(again.losses, search.losses)
    settings = settings | {"schedule": "constant", "epochs": {"all": 40, 1: 1}.get(settings.get("batch_size"), 3)}
    run = train(digits, out=tmp_path / "run", learning_rate=search.suggestion, **settings)
    accuracy = np.mean(run.model.predict(digits.test.images) == digits.test.labels)
    assert accuracy > 0.85
    try:
        other = train(digits, out=tmp_path / "other", learning_rate=5 * diverged, **settings)
    except TrainingError:
        return  # its weights stopped being finite
    assert np.mean(other.model.predict(digits.test.images) == digits.test.labels) < accuracy - 0.05


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "small"},
        {"optimizer": "adam", "schedule": "constant"},
        {"optimizer": "momentum", "batch_norm": True},
        {"optimizer": "rmsprop", "hidden": [64, 64, 64]},
    ],
    ids=str,
)
def test_what_it_suggests_trains_better_than_a_tenth_and_ten_times_of_it(
    digits: Dataset, tmp_path: Path, settings: dict
) -> None:
    settings = {"recipe": "small", "epochs": 5, "dropout": 0, "threads": 1} | settings
    rate = find_learning_rate(digits, **settings).suggestion
    assert rate is not None

    def loss(factor: float) -> float:
        try:
            run = train(digits, out=tmp_path / str(factor), **settings, learning_rate=factor * rate)
        except TrainingError:
            return math.inf
        return float(run.history[-1]["validation_loss"])

    assert loss(1) < min(loss(0.1), loss(10))


def test_how_many_steps_it_takes(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_finder, "LAST", 1e-5)  # so that nothing ends it early
    for size, steps in ((4, 648), (16, 162), (32, 100), ("all", 100), (1, 2586), (10, 260)):  # 1,293 images
        assert len(find_learning_rate(digits, batch_size=size, validation=145, hidden=[4]).rates) == steps, size


def test_a_loss_that_overflows_ends_it(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_finder, "TOO_MUCH", math.inf)
    monkeypatch.setattr(rate_finder, "LAST", 1e60)
    search = find_learning_rate(digits, optimizer="sgd")
    assert search.ended_early
    assert len(search.rates) < 100
    assert np.isfinite(search.losses).all()
    assert search.diverged is not None


def test_wrong_use_gets_one_line(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match=r"not finite before .* another scaling than 'none'$"):
        find_learning_rate(digits, scaling="none", initializer_scale=1e6, hidden=[16] * 8)
    with pytest.raises(TrainingError, match="batch_size: 5000 is more than"):
        find_learning_rate(digits, batch_size=5000)
    with pytest.raises(ConfigError, match="did you mean 'adam'"):
        find_learning_rate(digits, optimizer="adan")
    with pytest.raises(DataError, match="takes a data set"):
        find_learning_rate("digits")  # type: ignore[arg-type]
    with pytest.raises(DataError):
        find_learning_rate(load_dataset((np.zeros((1, 4, 4), np.uint8), [0])))


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_on_mnist_what_is_suggested_for_the_fast_recipe_is_nearly_as_good_as_its_own(tmp_path: Path) -> None:
    dataset = load_dataset("mnist")
    search = find_learning_rate(dataset, "fast")
    assert search.suggestion is not None
    assert search.largest is not None
    assert 0.03 < search.largest < 1
    own, suggested = (
        train(dataset, "fast", out=tmp_path / str(rate), learning_rate=rate).history[-1]["validation_accuracy"]
        for rate in (None, search.suggestion)
    )
    assert suggested > own - 0.015
