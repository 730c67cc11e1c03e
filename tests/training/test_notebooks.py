"""The recipes of the five notebooks: as written they do what the notebooks do, to rounding; cured they learn."""

import os
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset
from glassnet.clinic import MISTAKES
from glassnet.errors import ConfigError
from glassnet.training import Callback, Config, RunUnderWay, recipe_names, train
from literal import Layers, deep_step, example_step, plain_softmax, shallow_step, stable_softmax

NOTEBOOKS = [f"notebook-00{n}" for n in range(5)]
STEPS = 20


class Recorder(Callback):
    """Keep what the literal equations need, and the parameters after each step."""

    def on_start(self, run: RunUnderWay) -> None:
        self.run, self.first, self.after = run, layers_of(run), []

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.after.append(layers_of(run))
        if run.state.step == STEPS:
            run.stop("enough")  # of steps on one image each a block is finished first


def layers_of(run: RunUnderWay) -> Layers:
    """The parameters as the notebooks have them: units in rows, biases as columns."""
    arrays = [array.copy() for array in run.network.named_parameters.values()]
    return [(W.T.copy(), b[:, None]) for W, b in zip(arrays[::2], arrays[1::2], strict=True)]


def as_the_notebook_computes(name: str, recorder: Recorder, rows: int, classes: int = 10) -> Layers:
    """Take the notebook's own first steps, from the same first parameters and on the same images."""
    examples = recorder.run.batches.examples
    pixels, y = examples.images.reshape(len(examples), -1).astype(np.int64).T, examples.labels
    layers = [(W.copy(), b.copy()) for W, b in recorder.first]
    T = np.eye(classes)[:, y]
    with np.errstate(all="ignore"):
        for i in range(recorder.run.state.step if name == "notebook-004" else STEPS):
            match name:
                case "notebook-000":
                    layers = shallow_step(layers, pixels, y, 0.01, stable_softmax, y.size)
                case "notebook-001":
                    layers = shallow_step(layers, pixels / 255, y, 0.1, plain_softmax, rows)
                case "notebook-002":
                    layers = deep_step(layers, pixels * (1 / 255), T, 0.05)
                case "notebook-003":
                    layers = shallow_step(layers, pixels, y, 0.1, plain_softmax, y.size)
                case "notebook-004":
                    example_step(layers, pixels[:, i : i + 1] / 255, T[:, i : i + 1], 0.01)
    return layers


def check_first_steps(name: str, dataset: Dataset, folder: Path) -> None:
    recorder = Recorder()
    validation = 100 if name == "notebook-000" else None
    train(
        dataset,
        name,
        as_written=True,
        out=folder,
        precision="float64",
        validation=validation,
        callbacks=[recorder],
        threads=2,
    )
    expected = as_the_notebook_computes(name, recorder, rows=len(dataset.train))
    ours = layers_of(recorder.run)  # of notebook 003 nothing is left after its first step
    for (W, b), (W_expected, b_expected) in zip(ours, expected, strict=True):
        np.testing.assert_allclose(W, W_expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(b, b_expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_as_written_the_first_steps_are_the_notebooks(name: str, tmp_path: Path) -> None:
    check_first_steps(name, load_dataset("digits"), tmp_path / "run")


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_as_written_the_first_steps_on_mnist_are_the_notebooks(name: str, tmp_path: Path) -> None:
    train_images = load_dataset("mnist").train
    some = train_images.take(np.arange(1500))
    check_first_steps(name, load_dataset((some.images, some.labels)), tmp_path / "run")


def test_notebook_003_is_not_a_number_and_says_so(tmp_path: Path) -> None:
    digits = load_dataset("digits")
    run = train(digits, "notebook-003", as_written=True, out=tmp_path / "run")
    (row,) = run.history
    noughts = np.mean(digits.train.labels == 0)
    assert row["loss"] is None
    assert row["accuracy"] == pytest.approx(noughts)  # argmax of NaN is 0


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cured_the_network_learns_and_as_written_it_learns_less(name: str, tmp_path: Path) -> None:
    digits = load_dataset("digits")
    epochs = 6 if name == "notebook-004" else 200  # one pass over 1,150 images is less than the notebook had
    cured = train(digits, name, out=tmp_path / "cured", epochs=epochs).history[-1]
    written = train(digits, name, as_written=True, out=tmp_path / "written", epochs=epochs).history[-1]
    assert cured["accuracy"] > 0.85
    assert cured["accuracy"] > written["accuracy"] + 0.01


@pytest.mark.parametrize(
    ("name", "table", "learned", "held_out"),
    [
        ("notebook-000", 42_000, 41_000, 1_000),
        ("notebook-001", 42_000, 31_500, 10_500),
        ("notebook-004", 60_000, 56_000, 4_000),
    ],
)
def test_the_split_is_the_notebooks(name: str, table: int, learned: int, held_out: int) -> None:
    config = Config.resolve(name)
    images, labels = np.zeros((table, 1, 1), np.uint8), np.arange(table) % 10
    dataset = load_dataset((images, labels, images[:10], labels[:10]))
    parts = [len(part) for part in dataset.split(config.validation, config.seed)]
    assert parts == [learned, held_out]


def test_notebook_000_as_written_leaves_rows_unused() -> None:
    images, labels = np.zeros((42_000, 1, 1), np.uint8), np.arange(42_000) % 10
    dataset = load_dataset((images, labels, images[:10], labels[:10]))
    parts = dataset.split(1000, 0)
    learned, _ = MISTAKES["unused-rows"]().examples(*parts, 0)
    assert len(learned) == 32_000


def test_a_recipe_says_what_was_wrong_and_a_resolved_configuration_too() -> None:
    config = Config.resolve("notebook-001", as_written=True)
    assert "one-bias-gradient" in config.mistakes
    assert config.learning_rate == 0.1
    assert Config.resolve("notebook-001").mistakes == ()
    assert Config.resolve("notebook-003", as_written=True).scaling == "none"  # what the mistake consists of
    assert Config.resolve("notebook-003", as_written=True, scaling="unit").scaling == "unit"  # a flag wins
    assert [name for name in recipe_names() if name.startswith("notebook")] == NOTEBOOKS


def test_only_notebooks_are_as_written() -> None:
    with pytest.raises(ConfigError, match=r"'fast' cures no notebook.*notebook-000, notebook-001"):
        Config.resolve("fast", as_written=True)
    with pytest.raises(ConfigError, match="mistakes: 'one-bias' is unknown"):
        Config.resolve("fast", mistakes=["one-bias"])


def test_a_mistake_that_looks_at_all_examples_needs_a_batch() -> None:
    with pytest.raises(ConfigError, match="softmax-wrong-axis needs all examples"):
        Config.resolve("notebook-001", mistakes=["softmax-wrong-axis"])


def test_a_small_learning_rate_is_a_tenth_unless_it_is_given(tmp_path: Path) -> None:
    planted = {"mistakes": ["small-learning-rate"]}
    assert Config.resolve("fast", **planted).learning_rate == pytest.approx(Config.resolve("fast").learning_rate / 10)
    assert Config.resolve("fast", **planted, learning_rate=0.4).learning_rate == 0.4
    file = tmp_path / "own.toml"
    file.write_text('learning_rate = 0.2\nmistakes = ["small-learning-rate"]\n')
    assert Config.resolve(file).learning_rate == 0.2


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_configuration_of_a_run_is_enough_to_run_it_again(name: str, tmp_path: Path) -> None:
    config = Config.resolve(name, as_written=True)
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert Config.resolve(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("mistakes = 5", "mistakes: "),
        ('mistakes = [["a"]]', "mistakes: "),
        ('mistakes = ["one-bias-gradent"]', "did you mean 'one-bias-gradient'"),
        ('mistakes = ["equal-weights", "equal-weights"]', "equal-weights is listed twice"),
        ('mistakes = ["equal-weights", "uniform-weights"]', "both replace the first weights"),
        ('batch_size = "al"', "batch_size: must be a whole number of at least 1, or all, not 'al'"),
    ],
)
def test_a_wrong_entry_of_a_file_gets_one_line(entry: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(entry)
    with pytest.raises(ConfigError, match=complaint) as error:
        Config.resolve(tmp_path / "own.toml")
    assert "\n" not in str(error.value)
