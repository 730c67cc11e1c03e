"""Steps on single images, taken in blocks, are the steps that would be taken one after the other."""

from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset
from glassnet.errors import TrainingError
from glassnet.nn import ACTIVATIONS, SGD, Dense, Layer, LossAndGradient, Network, Pass, Sigmoid, SoftmaxCrossEntropy
from glassnet.training import Callback, RunLoop, RunUnderWay, resume, train
from glassnet.training.assembly import prepare
from glassnet.training.config import Config
from glassnet.training.one_by_one import STEPS

CLASSES = 10


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = load_dataset("digits").train
    return load_dataset((whole.images[:400], whole.labels[:400]))


class Watch(Callback):
    """Keep every loss, and where asked for the network after every step."""

    def __init__(self, stop_at: int = 0, look_every: int = 0) -> None:
        self.losses: list[float] = []
        self.parameters: list[np.ndarray] = []
        self.gradients: list[np.ndarray] = []
        self.stop_at, self.look_every = stop_at, look_every

    def on_start(self, run: RunUnderWay) -> None:
        self.run = run

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.losses.append(loss)
        if self.look_every and run.state.step % self.look_every == 0:
            self.parameters.append(run.network.parameters.copy())
            self.gradients.append(run.network.gradients.copy())
        if run.state.step == self.stop_at:
            run.stop("enough")


SETTINGS = {
    "validation": 0.1,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "batch_size": 1,
    "precision": "float64",
    "epochs": 2,
    "schedule": "one_cycle",
}
CASES = [
    {"hidden": [12, 8], "activation": "sigmoid"},
    {"hidden": [12], "dropout": 0.3},
    {"hidden": []},
    {"hidden": [12], "label_smoothing": 0.1, "scaling": "standard", "class_weight": "balanced"},
    {"hidden": [12, 8, 7], "activation": "gelu"},
    {"hidden": [12, 8], "activation": "leaky_relu"},
    {"hidden": [12], "activation": "tanh"},
    {"hidden": [12], "activation": "sigmoid", "mistakes": ["times-p-one-minus-p"]},
    {"hidden": [12], "mistakes": ["times-p-one-minus-p", "relu-derivative-of-wrong-array"]},
]


@pytest.fixture(params=["numpy", "compiled"])
def settings(request: pytest.FixtureRequest) -> dict:
    if request.param == "compiled":
        pytest.importorskip("numba")
    return SETTINGS | {"engine": request.param}


def in_one_call(engine: str, case: dict) -> bool:
    return engine == "compiled" and not case.keys() & {"dropout"} and "relu-derivative" not in str(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks_of_steps_are_ordinary_steps(
    settings: dict, case: dict, digits: Dataset, tmp_path: Path, monkeypatch
) -> None:
    together, apart = Watch(look_every=7), Watch(look_every=7)
    train(digits, "fast", out=tmp_path / "together", callbacks=[together], **settings | case)
    monkeypatch.setattr("glassnet.training.steps.can_go_one_by_one", lambda config, layers: False)
    train(digits, "fast", out=tmp_path / "apart", callbacks=[apart], **settings | case)
    assert together.run.steps.one_by_one is not None
    assert (together.run.steps.one_by_one._chain is not None) == in_one_call(settings["engine"], case)
    assert apart.run.steps.one_by_one is None
    np.testing.assert_allclose(together.losses, apart.losses, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(together.run.network.parameters, apart.run.network.parameters, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(together.parameters, apart.parameters, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(together.gradients, apart.gradients, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_compiled_steps_in_float32_are_those_of_numpy(activation: str, digits: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    settings = SETTINGS | {"hidden": [12, 8], "activation": activation, "precision": "float32", "epochs": 1}
    losses = []
    for engine in ("numpy", "compiled"):
        train(digits, "fast", out=tmp_path / engine, engine=engine, callbacks=[watch := Watch()], **settings)
        losses.append(watch.losses)
    assert watch.run.steps.one_by_one._chain is not None
    np.testing.assert_allclose(*losses, rtol=1e-3, atol=1e-4)


def test_labels_that_are_no_class_are_refused(settings: dict, digits: Dataset, tmp_path: Path) -> None:
    class Relabel(Watch):
        def on_start(self, run: RunUnderWay) -> None:
            run.steps.one_by_one.examples.labels[5] = CLASSES + 30

    with pytest.raises(ValueError, match="labels must be whole numbers from 0 to 9"):
        train(digits, "fast", out=tmp_path / "run", callbacks=[Relabel()], **settings)


def test_many_steps_on_single_images_are_worth_compiled_code(digits: Dataset) -> None:
    pytest.importorskip("numba")
    settings = SETTINGS | {"hidden": [12], "validation": 0}
    assert prepare(Config.resolve("fast", **settings | {"epochs": 200}), digits).engine == "compiled"
    for other in ({"epochs": 10}, {"epochs": 200, "batch_size": 2}, {"epochs": 200, "dropout": 0.1}):
        assert prepare(Config.resolve("fast", **settings | other), digits).engine == "numpy"


def test_the_steps_are_those_of_plain_gradient_descent(settings: dict, digits: Dataset, tmp_path: Path) -> None:
    watch = Watch()
    settings |= {
        "schedule": "constant",
        "shuffle": False,
        "epochs": 1,
        "hidden": [12],
        "activation": "sigmoid",
    }
    run = train(digits, "fast", out=tmp_path / "run", callbacks=[watch], **settings)
    layers: list[Layer] = [Dense(12), Sigmoid(), Dense(CLASSES)]
    network = Network(layers, 64, dtype="float64", seed=run.config.seed)
    loss, rule = SoftmaxCrossEntropy(CLASSES), SGD(network.parameters, network.gradients)
    learned, _ = digits.split(run.config.validation, run.config.seed)
    p = Pass(network, training=True)
    for image, label in zip(learned.images.reshape(-1, 1, 64) / 255, learned.labels, strict=True):
        network.backward(loss(network.forward(image, p), np.array([label])).gradient, p)
        rule.step(0.05)
    np.testing.assert_allclose(watch.run.network.parameters, network.parameters, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("look_every", [1, 50])
def test_to_look_changes_nothing(settings: dict, digits: Dataset, tmp_path: Path, look_every: int) -> None:
    settings |= {"hidden": [12], "precision": "float32", "epochs": 1}
    blind, watch = Watch(), Watch(look_every=look_every)
    runs = [
        train(digits, "fast", out=tmp_path / str(number), callbacks=[callback], **settings)
        for number, callback in enumerate((blind, watch))
    ]
    assert blind.losses == watch.losses
    assert len(watch.parameters) == len(watch.losses) // look_every
    models = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert models[0] == models[1]


def test_what_a_callback_changes_in_the_network_counts(
    settings: dict, digits: Dataset, tmp_path: Path, monkeypatch
) -> None:
    class Shrink(Watch):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            super().on_step(run, loss)
            if run.state.step in (50, 51, 140):
                run.network.parameters *= 0.9

    together, apart = Shrink(), Shrink()
    settings |= {"hidden": [12], "epochs": 1}
    train(digits, "fast", out=tmp_path / "together", callbacks=[together], **settings)
    monkeypatch.setattr("glassnet.training.steps.can_go_one_by_one", lambda config, layers: False)
    train(digits, "fast", out=tmp_path / "apart", callbacks=[apart], **settings)
    np.testing.assert_allclose(together.losses, apart.losses, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(together.run.network.parameters, apart.run.network.parameters, rtol=1e-7, atol=1e-10)


def test_half_a_run_and_the_other_half_are_the_whole_bit_for_bit(
    settings: dict, digits: Dataset, tmp_path: Path
) -> None:
    settings |= {"hidden": [12], "precision": "float32", "shuffle": False}
    whole = train(digits, "fast", out=tmp_path / "whole", **settings)
    stopped = Watch(stop_at=70)
    train(digits, "fast", out=tmp_path / "half", callbacks=[stopped], **settings)
    assert len(stopped.losses) == STEPS, "it ends with the steps whose products were prepared"
    half = resume(tmp_path / "half", digits)
    assert (whole.path / "model.safetensors").read_bytes() == (half.path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_other_rules_take_one_step_at_a_time(settings: dict, optimizer: str, digits: Dataset, tmp_path: Path) -> None:
    watch = Watch(stop_at=5)
    train(digits, "fast", out=tmp_path / "run", callbacks=[watch], **settings | {"optimizer": optimizer})
    assert len(watch.losses) == 5


def test_a_step_that_fails_leaves_the_steps_before_it(settings: dict, digits: Dataset, tmp_path: Path) -> None:
    class FailsAtTheTenth(SoftmaxCrossEntropy):
        calls = 0

        def __call__(self, *arguments, **named) -> LossAndGradient:
            FailsAtTheTenth.calls += 1
            if FailsAtTheTenth.calls >= 10:
                raise TrainingError("the tenth")
            return super().__call__(*arguments, **named)

    whole = train(
        digits, "fast", out=tmp_path / "whole", callbacks=[good := Watch(9)], **settings | {"optimizer": "sgd"}
    )
    config = whole.config
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.toml").write_text(config.to_toml())
    loop = RunLoop(config, digits, [watch := Watch()], folder=tmp_path / "broken")
    loop.steps.one_by_one.loss = loop.steps.loss = FailsAtTheTenth(CLASSES)
    with pytest.raises(TrainingError, match="the tenth"):
        loop.run()
    np.testing.assert_allclose(watch.losses, good.losses[:9], rtol=1e-12)  # another loss is not compiled with the rest
    assert loop.state.step == 9


def test_a_loss_that_is_no_number_is_found_at_its_own_step(settings: dict, digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"at step [1-9]"):
        train(
            digits,
            "fast",
            out=tmp_path / "run",
            **settings | {"hidden": [12, 8], "learning_rate": 1e60, "schedule": "constant"},
        )
