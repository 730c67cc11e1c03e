"""The loop of an estimator: a table in memory, and nothing on the disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import current_thread, main_thread
from typing import Any

import numpy as np

from ..data import Examples, Preprocessing
from ..data.augmentation import AUGMENTATIONS
from ..engines import available_threads, choose_engine, choose_threads, make_engine
from ..errors import ConfigError
from ..nn import NUMPY, Engine, Layer, Network, SoftmaxCrossEntropy
from ..nn.types import Array
from .architecture import build_layers, multiply_adds
from .assembly import build_network, shares_out_images
from .batches import Batches, Source, Table, TableBatches
from .callbacks import Callback
from .checkpoint import State, run_tensors
from .config import Config
from .loop import Loop
from .validation import validate_table

__all__ = ["Learned", "TableLoop"]

LASTING = ("hidden", "layers", "activation", "batch_norm", "dropout", "precision", "optimizer")
"""The settings of the network and of its moments, which what goes on must have as they were."""


@dataclass(frozen=True, eq=False)
class Learned:
    """All that going on takes, as plain arrays, so that it can be pickled and is never half moved.

    Attributes:
        config: how it was learned.
        inputs: d.
        specification: of the network.
        tensors: parameters, moments and averages after the last step, as a checkpoint names them.
        state: how far it came.
    """

    config: Config
    inputs: int
    specification: list[dict[str, Any]]
    tensors: dict[str, Array]
    state: State

    def network(self, engine: Engine = NUMPY) -> Network:
        """Return a network of these layers, with the parameters after the last step."""
        dtype = self.config.dtype
        network = Network.from_specification(self.specification, self.inputs, dtype=dtype, seed=None, engine=engine)
        network.parameters[...], network.statistics[...] = self.tensors["parameters"], self.tensors["statistics"]
        return network


class TableLoop(Loop):
    """Some epochs of learning a table, from the beginning or from what was learned before.

    Args:
        config: how; its ``seed`` draws first weights, order, distortions and dropout, its ``epochs`` are to be learned
            now, and its ``batch_size`` is a number.
        training: what to learn, at least one example.
        validation: what the best epoch is chosen by; None leaves the last.
        classes: how many there are.
        callbacks: called between the steps.
        before: what was learned before, of the same ``seed``.
        image_shape: (h, w) where the rows are images, so that they can be distorted and convolved.

    Raises:
        ConfigError: settings that what was learned before does not fit, or distortions of what is no image.
    """

    def __init__(
        self,
        config: Config,
        training: Table,
        validation: Table | None,
        classes: int,
        callbacks: Sequence[Callback] = (),
        before: Learned | None = None,
        image_shape: tuple[int, int] | None = None,
    ) -> None:
        if before:
            _check_same(before.config, config)
        inputs, size = training.X.shape[1], min(int(config.batch_size), len(training))
        shape = image_shape or (inputs,)
        engine = _engine(config, len(training), size, build_layers(config, shape, classes), inputs)
        network = before.network(engine) if before else build_network(config, shape, classes, engine=engine)
        loss = SoftmaxCrossEntropy(classes, config.label_smoothing, engine=engine)
        batches: Source = TableBatches(training, size, config.seed)
        if config.augmentation:
            batches = _distorted(training, size, config, image_shape, engine)
        super().__init__(
            config,
            network,
            loss,
            batches,
            lambda: validate_table(self.judged, validation),
            callbacks,
            advice="features of one scale (StandardScaler)",
        )
        if before:
            self._go_on(before, len(batches))

    def _go_on(self, before: Learned, batches: int) -> None:
        """Bring moments, averages and counts to where they were, and begin the schedule from there."""
        for name, tensor in run_tensors(self.network, self.optimizer, self.average).items():
            tensor[...] = before.tensors[name]
        # What was best with other examples says nothing of these.
        self.state = replace(before.state, best=None, best_epoch=before.state.epoch, finished=False)
        self.began, self.until = replace(self.state), self.state.epoch + self.config.epochs
        self.optimizer.steps = self.state.step
        if self.average:
            self.average.steps = self.state.step
        self.total_steps += self.state.step
        rate, first = self.schedule, self.state.step
        self.schedule = lambda step: rate(step - first)

    def chosen(self) -> tuple[Array, Array]:
        """Return parameters and statistics of the best epoch by validation, else of the last."""
        return self.best or (self.judged.parameters.copy(), self.judged.statistics.copy())

    def learned(self) -> Learned:
        """Return all that going on takes."""
        network = self.network
        return Learned(
            self.config,
            network.input_shape[0],
            network.specification(),
            run_tensors(network, self.optimizer, self.average),
            self.state,
        )


def _engine(config: Config, rows: int, size: int, layers: Sequence[Layer], inputs: int) -> Engine:
    """Return the engine of a fit.

    Of several fits at once, in as many threads, each takes one thread. How many NumPy's products have holds for the
    whole process, so none of them sets it.
    """
    work = multiply_adds(layers, inputs)
    name, threads = choose_engine(config.engine, config.epochs * rows * sum(work)), choose_threads(size * max(work))
    alone = current_thread() is main_thread()
    if name == "compiled":
        return make_engine(name, threads if alone else 1, precision=config.precision)
    if not alone:
        return make_engine(name, precision=config.precision)
    if shares_out_images(layers):
        return make_engine(name, threads, 1, config.precision)
    products = 1 if threads == 1 else None
    return make_engine(name, available_threads() if config.augmentation else 1, products, config.precision)


def _distorted(table: Table, size: int, config: Config, shape: tuple[int, int] | None, engine: Engine) -> Batches:
    """Return images in batches in which each is distorted.

    Distorted are gray values: 256 of them, evenly from the least number of the table to the largest.
    """
    if shape is None:
        name = next(name for name in AUGMENTATIONS if getattr(config, name))
        raise ConfigError(f"{name}: rows of numbers cannot be distorted; give X as images (n, h, w), or leave it out")
    least, largest = float(table.X.min()), float(table.X.max())
    scale = (largest - least) / 255 or 1.0
    pixels = np.rint((table.X - least) / scale).astype(np.uint8).reshape(-1, *shape)
    examples = Examples(pixels, table.y)
    preprocessing = replace(Preprocessing.fit(examples, "none"), scale=scale, shift=least)
    return Batches(
        examples,
        preprocessing,
        size,
        config.seed,
        (table.X.shape[1],),
        table.X.dtype,
        augmentation=config.augmentation,
        weights=table.w,
        engine=engine,
    )


def _check_same(before: Config, now: Config) -> None:
    """Refuse to go on with another network, or with moments of another rule."""
    for name in LASTING:
        if getattr(before, name) != getattr(now, name):
            raise ConfigError(
                f"{name}: it was {getattr(before, name)!r} and is {getattr(now, name)!r} now, and what goes on must be "
                "as it was; put it back, or fit again with warm_start=False"
            )
    if bool(before.ema) != bool(now.ema):
        raise ConfigError("ema: averages begin with the first step; put it back, or fit again with warm_start=False")
