"""Learning from a table in memory: what `glassnet.DigitClassifier` does between two calls, with nothing on the disk."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from threading import current_thread, main_thread
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ..errors import ConfigError, TrainingError
from ..nn import L2, Network, SoftmaxCrossEntropy
from ..nn.types import Array
from .assembly import build_network, build_optimizer, build_schedule
from .callbacks import Callback, EarlyStopping, check_callbacks
from .checkpoint import State
from .config import Config
from .history import Row
from .threads import choose_threads

__all__ = ["Fitting", "Learned", "Table", "outputs"]

BLOCK = 512  # rows at a time: their activations stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Table:
    """Examples: inputs X (n, d), labels y (n,) int64, and weights w (n,) above 0, or None where all are 1."""

    X: Array
    y: NDArray[np.int64]
    w: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """Return the examples at ``rows``."""
        return Table(self.X[rows], self.y[rows], None if self.w is None else self.w[rows])

    def relative(self) -> "Table":
        """Return the same examples with weights whose mean is 1, so that their ratios alone count."""
        w = None if self.w is None else self.w / self.w.mean()
        return Table(self.X, self.y, None if w is None or (w == 1).all() else w)


@dataclass(frozen=True, eq=False)
class Learned:
    """All that going on takes, as plain arrays, so that it can be pickled and is never half moved.

    Attributes:
        config: how it was learned.
        inputs: d.
        specification: of the network.
        parameters, statistics: of the network, after the last step.
        moments: the optimizer's, by name.
        generator: the state of the one that draws dropout masks.
        state: how far it came.
    """

    config: Config
    inputs: int
    specification: list[dict[str, Any]]
    parameters: Array
    statistics: Array
    moments: dict[str, Array]
    generator: dict[str, Any]
    state: State

    def network(self) -> Network:
        """Return the network as it was after the last step."""
        network = Network.from_specification(self.specification, self.inputs, dtype=self.config.dtype, seed=None)
        network.parameters[...], network.statistics[...] = self.parameters, self.statistics
        network.rng.bit_generator.state = self.generator
        return network


class Fitting:
    """Some epochs of learning, from the beginning or from what was learned before.

    For its callbacks it is what a `RunUnderWay` is to those of `glassnet.train`, without what belongs to a folder or
    to images: it has ``config``, ``network``, ``loss``, ``state``, ``rows`` (of these epochs), ``total_steps``,
    ``schedule``, ``stopped``, `stop` and `finish`.

    Args:
        config: how; its ``seed`` draws first weights, order and dropout, its ``epochs`` are to be learned now, and its
            ``batch_size`` is a number.
        training: what to learn, at least one example.
        validation: what the best epoch is chosen by; None leaves the last.
        classes: how many there are.
        callbacks: called between the steps.
        before: what was learned before, of the same ``seed``.

    Raises:
        ConfigError: settings that the network or the moments learned before do not fit, or what is no callback.
    """

    def __init__(
        self,
        config: Config,
        training: Table,
        validation: Table | None,
        classes: int,
        callbacks: Sequence[Callback] = (),
        before: Learned | None = None,
    ) -> None:
        check_callbacks(callbacks, folder=False)
        self.config, self.training, self.validation = config, training, validation
        self.inputs, self.size = training.X.shape[1], min(int(config.batch_size), len(training))
        self.network = before.network() if before else build_network(config, self.inputs, classes)
        self.loss = SoftmaxCrossEntropy(classes, config.label_smoothing)
        self.optimizer = build_optimizer(config, self.network)
        self.rows: list[Row] = []
        self.state = State()
        if before:
            self._go_on(before)
        self.steps_per_epoch = math.ceil(len(training) / self.size)
        self.first, self.until = self.state.step, self.state.epoch + config.epochs
        self.total_steps = self.first + config.epochs * self.steps_per_epoch
        rate = build_schedule(config, self.steps_per_epoch)
        self.schedule: Callable[[int], float] = lambda step: rate(step - self.first)
        self.callbacks = [*([EarlyStopping(config.patience)] if config.patience else []), *callbacks]
        self.stopped: str | None = None
        self.best: tuple[Array, Array] | None = None
        self._inputs = np.empty((self.size, self.inputs), self.network.dtype)

    def _go_on(self, before: Learned) -> None:
        """Bring moments and counts to where they were."""
        _check_same(before.config, self.config)
        for name, moment in before.moments.items():
            self.optimizer.state[name][...] = moment
        self.optimizer.steps = before.state.step
        # What was best with other examples says nothing of these.
        self.state = replace(before.state, best=None, best_epoch=before.state.epoch)

    def stop(self, reason: str) -> None:
        """End after the epoch under way."""
        self.stopped = reason

    finish = stop  # there is no resuming that would tell them apart

    def run(self) -> None:
        """Learn.

        Raises:
            TrainingError: the weights stopped being finite.
        """
        run: Any = self  # callbacks are typed for runs with a folder
        for callback in self.callbacks:
            callback.on_start(run)
        sizes = [self.inputs, *self.config.hidden, self.loss.classes]
        with _threads(self.size, sizes), np.errstate(all="ignore"):
            while not self.stopped and self.state.epoch < self.until:
                self._epoch(run)
        for callback in self.callbacks:
            callback.on_end(run)

    def chosen(self) -> tuple[Array, Array]:
        """Return parameters and statistics of the best epoch by validation, else of the last."""
        return self.best or (self.network.parameters.copy(), self.network.statistics.copy())

    def learned(self) -> Learned:
        """Return all that going on takes."""
        return Learned(
            self.config,
            self.inputs,
            self.network.specification(),
            self.network.parameters,
            self.network.statistics,
            self.optimizer.state,
            dict(self.network.rng.bit_generator.state),
            self.state,
        )

    def _epoch(self, run: Any) -> None:
        """Take each example once, validate, and report."""
        state, total, correct, start = self.state, 0.0, 0.0, perf_counter()
        # A function of seed and epoch, so that some epochs and then some more are the same as all at once.
        order = np.random.default_rng((self.config.seed, state.epoch)).permutation(len(self.training))
        for i in range(0, len(order), self.size):
            rows = order[i : i + self.size]
            loss, hits = self._step(rows)
            total += loss * len(rows)
            correct += hits
            for callback in self.callbacks:
                callback.on_step(run, loss)
        state.epoch += 1
        state.seconds += perf_counter() - start
        weight = len(order) if self.training.w is None else self.training.w.sum()
        row = self._row(total / weight, correct / weight)
        self.rows.append(row)
        self._keep_if_best(row)
        for callback in self.callbacks:
            callback.on_epoch(run, row)

    def _step(self, rows: NDArray[np.int64]) -> tuple[float, float]:
        """Move the parameters against the gradient of these examples' loss.

        The loss is a sum over them of weight · loss, divided by their number: divided by the sum of their weights, one
        example alone would count the same whatever its weight.

        Returns:
            That loss, and the sum of the weights of those that were right.
        """
        table = self.training
        X = np.take(table.X, rows, axis=0, out=self._inputs[: len(rows)], mode="clip")
        y = table.y[rows]
        Z = self.network.forward(X, training=True)
        w = None if table.w is None else table.w[rows]
        loss = self.loss.forward(Z, y, w, total=len(rows))
        if not math.isfinite(loss):
            raise self._diverged()
        right = Z.argmax(axis=1) == y
        correct = float(np.count_nonzero(right) if w is None else w[right].sum())
        self.network.backward(self.loss.backward())
        if self.config.l2:
            L2(self.config.l2).add_gradient(self.network)
        self.optimizer.step(self.schedule(self.state.step))
        self.state.step += 1
        return loss, correct

    def _row(self, loss: float, accuracy: float) -> Row:
        if not np.isfinite(self.network.parameters).all():
            raise self._diverged()
        state = self.state
        measured = _measure(self.network, self.validation) if self.validation else (None, None)
        return {
            "epoch": state.epoch,
            "step": state.step,
            "seconds": round(state.seconds, 4),
            "learning_rate": self.schedule(state.step - 1),
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": measured[0],
            "validation_accuracy": measured[1],
        }

    def _keep_if_best(self, row: Row) -> None:
        value, best = row[self.config.monitor], self.state.best
        sign = 1 if self.config.monitor == "validation_accuracy" else -1
        if value is not None and (best is None or sign * value > sign * best):
            self.state.best, self.state.best_epoch = value, self.state.epoch
            self.best = self.network.parameters.copy(), self.network.statistics.copy()

    def _diverged(self) -> TrainingError:
        return TrainingError(
            f"the weights stopped being finite at step {self.state.step}; try a smaller learning_rate than "
            f"{self.config.learning_rate:g}, or bring the features to one scale first (StandardScaler)"
        )


def outputs(network: Network, X: Array) -> Array:
    """Return the logits (n, k) of X (n, d), a block of rows at a time."""
    Z = np.empty((len(X), *network.output_shape), network.dtype)
    for start in range(0, len(X), BLOCK):
        Z[start : start + BLOCK] = network.forward(X[start : start + BLOCK])
    return Z


def _measure(network: Network, table: Table) -> tuple[float, float]:
    """Return the mean loss and the accuracy, weighted as the examples are."""
    Z = outputs(network, table.X)
    loss = SoftmaxCrossEntropy(Z.shape[1]).forward(Z, table.y, table.w)
    return loss, float(np.average(Z.argmax(axis=1) == table.y, weights=table.w))


def _threads(batch_size: int, sizes: list[int]) -> AbstractContextManager[Any]:
    """One BLAS thread for small products, and for large ones as many as there are.

    The limit holds for the whole process, so of several fits at once in as many threads none may set it: the last to
    end would leave it where another had put it.
    """
    small = choose_threads(batch_size, sizes) == 1
    alone = current_thread() is main_thread()
    return _controller().limit(limits=1, user_api="blas") if small and alone else nullcontext()


@cache
def _controller() -> ThreadpoolController:
    """Look for the BLAS once: that takes milliseconds, in which a small batch is learned many times."""
    return ThreadpoolController()


def _check_same(before: Config, now: Config) -> None:
    """Refuse to go on with another network, or with moments of another rule."""
    for name in ("hidden", "activation", "batch_norm", "dropout", "dtype", "optimizer"):
        if getattr(before, name) != getattr(now, name):
            raise ConfigError(
                f"{name}: it was {getattr(before, name)!r} and is {getattr(now, name)!r} now, and what goes on must be "
                "as it was; put it back, or fit anew with warm_start=False"
            )
