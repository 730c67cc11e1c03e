import tracemalloc

import numpy as np
import pytest

from glassnet import Dataset, load_dataset
from glassnet.clinic import MISTAKES
from glassnet.data import Examples, Preprocessing
from glassnet.data.preprocess import Scaling
from glassnet.errors import ConfigError, TrainingError
from glassnet.nn import Engine, LossAndGradient, Network, Pass, SoftmaxCrossEntropy
from glassnet.training import Callback, Config, RunLoop, build_network, resume, train, whole_batch
from glassnet.training.batches import Batches
from glassnet.training.whole_batch import WholeBatch

CLASSES = 10


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def gradient(
    digits: Dataset, threads: int, weights: np.ndarray | None = None, scaling: Scaling = "unit", **settings: object
) -> tuple[Network, Preprocessing, float, int]:
    config, engine = Config.resolve("fast", precision="float64", **settings), Engine(threads)
    network = build_network(config, (8, 8), CLASSES, engine=engine)
    preprocessing = Preprocessing.fit(digits.train, scaling)
    loss = SoftmaxCrossEntropy(CLASSES, class_weights=weights, engine=engine)
    return network, preprocessing, *WholeBatch(network, loss, digits.train, preprocessing).gradient(step=0)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, CLASSES)])
@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_blocks_give_the_gradient_of_all_images_at_once(
    digits: Dataset, threads: int, weights: np.ndarray | None, scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_batch, "BLOCK", 40)  # two or three blocks in each part, and a rest
    network, preprocessing, loss, correct = gradient(digits, threads, weights, scaling, hidden=[12, 8])
    X, y = preprocessing.apply(digits.train.images, dtype=np.float64).reshape(-1, 64), digits.train.labels
    blockwise, p = network.gradients.copy(), Pass(network, training=True)
    Z = network.forward(X, p)
    found = SoftmaxCrossEntropy(CLASSES, class_weights=weights)(Z, y)
    assert loss == pytest.approx(found.value, rel=1e-12)
    assert correct == np.count_nonzero(Z.argmax(axis=1) == y)
    network.backward(found.gradient, p)
    np.testing.assert_allclose(blockwise, network.gradients, rtol=1e-9, atol=1e-15)


def test_the_number_of_threads_changes_nothing(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_batch, "BLOCK", 40)
    one, *others = (gradient(digits, threads, hidden=[12, 8])[0].gradients for threads in (1, 2, 3, 7))
    for other in others:
        np.testing.assert_array_equal(one, other)


def test_a_mistake_that_stops_one_thread_stops_them_all(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_batch, "BLOCK", 40)

    class Refuses(SoftmaxCrossEntropy):
        def __call__(self, *arguments: object, **named: object) -> LossAndGradient:
            raise TrainingError("enough")

    network = build_network(Config.resolve("fast"), (8, 8), CLASSES, engine=Engine(2))
    preprocessing = Preprocessing.fit(digits.train, "unit")
    with pytest.raises(TrainingError, match="enough"):
        WholeBatch(network, Refuses(CLASSES), digits.train, preprocessing).gradient(step=0)


def test_blocks_are_all_that_is_kept_of_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20_000, 8, 8), np.uint8)
    part = Examples(images, np.arange(20_000) % CLASSES).take(np.arange(0, 20_000, 2))
    tracemalloc.start()
    try:
        blocks = list(whole_batch._blocks(part, whole_batch.BLOCK))
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert sum(len(block.labels) for block in blocks) == len(part)
    assert kept < 1.1 * sum(array.nbytes for block in blocks for array in block[1:])


def test_dropout_draws_the_same_masks_with_any_number_of_threads(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_batch, "BLOCK", 40)
    one, three = (gradient(digits, threads, hidden=[12], dropout=0.5)[0].gradients for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_dropout_draws_other_masks_in_each_step_and_each_block(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(Config.resolve("fast", hidden=[12], dropout=0.5), (8, 8), CLASSES)
    preprocessing = Preprocessing.fit(digits.train, "unit")
    whole = WholeBatch(network, SoftmaxCrossEntropy(CLASSES), digits.train, preprocessing, seed=1)
    losses = [whole.gradient(step)[0] for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]
    monkeypatch.setattr(whole_batch, "BLOCK", 100)  # the same image ten times: ten masks, unless blocks draw alike
    same = Examples(digits.train.images[:1].repeat(1000, axis=0), digits.train.labels[:1].repeat(1000))
    masked = WholeBatch(network, SoftmaxCrossEntropy(CLASSES), same, preprocessing)
    values = {masked._go_through(0, part, 0)[0] for part in range(10)}
    assert len(values) == 10


def test_half_a_full_batch_run_and_the_other_half_are_the_whole_bit_for_bit(digits: Dataset, tmp_path) -> None:
    class StopAt(Callback):
        def on_step(self, run, loss) -> None:
            if run.state.step == 7:
                run.stop("half")

    settings = {"hidden": [10], "optimizer": "adam", "batch_size": "all", "epochs": 15, "report_every": 4, "threads": 2}
    whole = train(digits, out=tmp_path / "whole", **settings)
    train(digits, out=tmp_path / "half", callbacks=[StopAt()], **settings)
    half = resume(tmp_path / "half")
    assert (whole.path / "model.safetensors").read_bytes() == (half.path / "model.safetensors").read_bytes()
    assert [row["epoch"] for row in half.history] == [4, 8, 12, 15]  # every fourth epoch, and the last
    for one, other in zip(whole.history, half.history, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_report_has_the_figures_of_its_own_epoch(digits: Dataset, tmp_path) -> None:
    settings = {"hidden": [10], "optimizer": "sgd", "batch_size": "all", "epochs": 6}
    every = train(digits, out=tmp_path / "every", **settings).history
    some = train(digits, out=tmp_path / "some", report_every=3, **settings).history
    assert [row["loss"] for row in some] == [every[2]["loss"], every[5]["loss"]]


def test_images_keep_their_order_when_they_are_not_shuffled(digits: Dataset) -> None:
    preprocessing = Preprocessing.fit(digits.train, "none")
    batches = Batches(digits.train, preprocessing, 32, 0, (64,), np.dtype("float32"), shuffle=False)
    X, y, _ = batches.batch(3, 2)
    np.testing.assert_array_equal(X, digits.train.images[64:96].reshape(32, 64))
    np.testing.assert_array_equal(y, digits.train.labels[64:96])


def test_what_all_images_at_once_cannot_have() -> None:
    with pytest.raises(ConfigError, match=r"batch_norm: .* give a number as batch_size"):
        Config.resolve("fast", batch_size="all", batch_norm=True)
    for wrong in ("most", 0, 1.5):
        with pytest.raises(ConfigError, match="batch_size: "):
            Config.resolve("fast", batch_size=wrong)


@pytest.mark.parametrize("scaling", ["unit", "standard"])
@pytest.mark.parametrize(
    "mistake",
    [name for name, one in MISTAKES.items() if not (one.whole_batch or one.needs or name == "unscaled-pixels")],
)
def test_a_planted_mistake_is_the_same_in_blocks_and_at_once(
    mistake: str, scaling: Scaling, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_batch, "BLOCK", 40)
    settings = {"hidden": [12], "optimizer": "sgd", "precision": "float64", "scaling": scaling, "threads": 2}
    config = Config.resolve("default", **settings, mistakes=[mistake], batch_size="all")
    loop = RunLoop(config, digits)
    assert loop.steps.whole_batch is not None
    loss, _ = loop.steps.whole_batch.gradient(step=0)
    blockwise, p = loop.network.gradients.copy(), Pass(loop.network, training=True)
    X, y, _ = loop.batches.batch(0, 0)
    found = loop.loss(loop.network.forward(X, p), y)
    assert loss == pytest.approx(found.value, rel=1e-10)
    loop.network.backward(found.gradient, p)
    np.testing.assert_allclose(blockwise, loop.network.gradients, rtol=1e-8, atol=1e-14)


def test_a_planted_run_is_resumed_bit_for_bit(digits: Dataset, tmp_path) -> None:
    class StopAt(Callback):
        def on_step(self, run, loss) -> None:
            if run.state.step == 7:
                run.stop("half")

    settings = {"as_written": True, "epochs": 15, "report_every": 5}
    whole = train(digits, "notebook-001", out=tmp_path / "whole", **settings)
    train(digits, "notebook-001", out=tmp_path / "half", callbacks=[StopAt()], **settings)
    half = resume(tmp_path / "half")
    assert (whole.path / "model.safetensors").read_bytes() == (half.path / "model.safetensors").read_bytes()
    assert half.config.mistakes == Config.resolve("notebook-001", as_written=True).mistakes
