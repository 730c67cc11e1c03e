"""The training loop: batches through the network, gradients into the optimizer, epoch after epoch, in memory.

It is the only one. A run is this loop and a folder (`glassnet.training.run_loop`), the estimator is this loop and a
table (`glassnet.classifier`), and over MPI every rank runs it: with the same steps and the same decisions, of which
those that rank 0 alone can make, since it alone validates, saves and calls callbacks, are agreed upon.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from enum import IntEnum
from time import perf_counter
from typing import Self

import numpy as np

from ..engines import computing
from ..errors import TrainingError
from ..nn import Network, SoftmaxCrossEntropy, WeightAverage
from ..nn.types import Array
from .assembly import build_optimizer, build_schedule
from .batches import Source
from .callbacks import AnyCallback, EarlyStopping
from .checkpoint import State, run_tensors
from .config import Config
from .history import Row, is_better
from .steps import Steps
from .validation import Validation

__all__ = ["Loop", "Storage"]

LARGEST = 1e15  # of a weight: of two layers of such weights, the products are no longer finite in float32


class Decision(IntEnum):
    """What comes after a step, or after an epoch."""

    GO_ON = 0
    SAVE = 1  # and go on
    STOP = 2
    FINISHED = 3  # before this call already


class Storage:
    """Where a loop keeps what it learns. This one keeps nothing: all of it stays in memory.

    Attributes:
        resumable: whether a loop can go on from the middle of an epoch, so that it may be stopped there.
    """

    resumable = False

    def begin(self, loop: "Loop") -> None:
        """Bring a loop to where it was."""

    def is_due(self) -> bool:
        """Whether it is time to `save` again."""
        return False

    def save(self, loop: "Loop") -> None:
        """Save all that going on takes."""

    def add_row(self, loop: "Loop", row: Row) -> None:
        """Keep a row of the history, and the best model if it is new."""

    def save_best(self, loop: "Loop") -> None:
        """Save the best model, if it is not saved yet."""


class Loop:
    """Trains a network. What callbacks see of it is described in `LoopUnderWay`.

    Args:
        config: how it goes.
        network: what learns.
        loss: what it makes small.
        batches: what it learns, and among whom the work is shared out.
        validate: returns loss and accuracy of `judged` on the validation examples.
        callbacks: called between the steps.
        until: the epoch to end with; by default the last.
        advice: what else may help where the weights do not stay finite.

    Attributes:
        best: parameters and statistics of the best epoch since the loop began, or None before there is one; without
            validation examples the last is the best.
        paused: whether it was stopped from outside, if only after the last step.
        storage: where it keeps what it learns.
    """

    callbacks: list[AnyCallback[Self]]

    def __init__(
        self,
        config: Config,
        network: Network,
        loss: SoftmaxCrossEntropy,
        batches: Source,
        validate: Callable[[], Validation],
        callbacks: Sequence[AnyCallback[Self]] = (),
        *,
        until: int | None = None,
        advice: str = "",
    ) -> None:
        self.config, self.loss, self.validate, self.advice = config, loss, validate, advice
        self.ranks, self.until = batches.ranks, until or config.epochs
        self.average = WeightAverage(network, config.ema) if config.ema else None
        self.optimizer = build_optimizer(config, network)
        self.steps = Steps(config, network, loss, self.optimizer, self.average, batches)
        self.schedule = build_schedule(config, len(batches))
        self.total_steps = config.epochs * len(batches)
        self.callbacks = [*([EarlyStopping(config.patience)] if config.patience else []), *callbacks]
        self.state, self.rows = State(), list[Row]()
        self.began = State()  # where this call's schedule begins; that of a run at its first step
        self.stopped: str | None = None
        self.paused = False
        self.best: tuple[Array, Array] | None = None
        self.storage = Storage()
        self._loss = 0.0  # of the last step
        self._ends = False  # whether all ranks know that it is to end, of which ``stopped`` tells in the first

    @property
    def network(self) -> Network:
        """The network as it is now."""
        self.steps.catch_up()
        return self.steps.network

    @property
    def judged(self) -> Network:
        """What validation judges and predicts afterwards: the network, or where ``ema`` is set the averaged one."""
        return self.average.network if self.average else self.network

    def stop(self, reason: str) -> None:
        """End after the step under way, or, where nothing could go on from there, after the epoch."""
        self.stopped, self.paused = reason, True

    def finish(self, reason: str) -> None:
        """End as `stop` does, for good, but not before the first report: without it there would be no model."""
        self.stopped, self.state.finished = reason, True

    def run(self) -> None:
        """Train to the epoch to end with, or until something stops it, from where the storage has it.

        Raises:
            TrainingError: the weights stopped being finite.
            FileError: what was learned cannot be kept, such as on a full disk. What was saved before is still there.
        """
        with self.ranks.working(), computing(self.steps.network.engine):
            if not self._begin():
                return
            try:
                while not self._ends and self.state.epoch < self.until:
                    self._train_epoch()
                self.state.finished |= self.state.epoch == self.config.epochs
                self._save()
            except TrainingError as error:
                if not self.break_off(error):
                    raise
            finally:
                self.storage.save_best(self)
                self.steps.network.engine.rest()
            self.ranks.agree(self._end)

    def break_off(self, error: TrainingError) -> bool:
        """Return whether to end in good order where the weights stopped being finite."""
        return False

    def _begin(self) -> bool:
        """Bring all ranks to where the run is; return whether there is anything to do."""
        decision = self.ranks.agree(self._start)
        if decision != Decision.FINISHED and self.ranks.size > 1:
            self._share_state()
        self._ends = decision == Decision.STOP
        return decision != Decision.FINISHED

    def _start(self: Self) -> Decision:
        self.storage.begin(self)
        if self.state.finished:
            return Decision.FINISHED
        for callback in self.callbacks:
            callback.on_start(self)
        return self._go_on_or_stop()

    def _share_state(self) -> None:
        """Give the other ranks the state of rank 0, with all that callbacks have changed in it."""
        network = self.network
        for tensor in run_tensors(network, self.optimizer, self.average).values():
            self.ranks.copy(tensor)
        state = json.loads(self.ranks.broadcast(json.dumps(asdict(self.state))))
        if self.ranks.rank:
            self.state = State(**state)
            self.optimizer.steps = self.state.step

    def _go_on_or_stop(self) -> Decision:
        waits = self.state.finished and not self.rows  # for its first report
        return Decision.STOP if self.stopped and not waits else Decision.GO_ON

    def _train_epoch(self) -> None:
        """Take the steps that this epoch still has, then validate and report."""
        state, began, batches = self.state, self.began, len(self.steps.batches)
        number = state.epoch + 1
        due = number % self.config.report_every == 0 or number == self.config.epochs  # whether it ends with a report
        taken = state.step - began.step - (state.epoch - began.epoch) * batches
        for i in range(taken, batches):
            self._take_step(i)
            decision = self.ranks.agree(self._after_step)
            self._ends = decision == Decision.STOP
            if decision == Decision.SAVE:
                self._save()
            if self._ends and i + 1 < batches:
                return
        if due:
            self.ranks.agree(self._measure)
        state.epoch += 1
        state.loss_sum, state.correct, state.seen = 0.0, 0, 0
        if due:
            self._ends = self.ranks.agree(self._report) == Decision.STOP

    def _take_step(self, i: int) -> None:
        state, start = self.state, perf_counter()
        loss, correct, weight = self.steps.take(state.epoch, i, self.schedule(state.step))
        if not math.isfinite(loss):
            raise self._diverged("stopped being finite")
        state.seconds += perf_counter() - start
        state.step += 1
        state.loss_sum += loss * weight
        state.correct += correct
        state.seen += weight
        self._loss = loss

    def _after_step(self: Self) -> Decision:
        """Call the callbacks, and see whether to stop here or to save."""
        for callback in self.callbacks:
            callback.on_step(self, self._loss)
        if not (self.storage.resumable and self.steps.complete):
            return Decision.GO_ON
        if self.stopped:
            return self._go_on_or_stop()
        return Decision.SAVE if self.storage.is_due() else Decision.GO_ON

    def _measure(self) -> None:
        """Validate, and add a row of what is known of the epoch that ends here."""
        parameters = self.network.parameters
        largest = np.maximum(parameters.max(), -parameters.min())  # NaN where any is
        if not math.isfinite(largest):
            raise self._diverged("stopped being finite")
        if largest > LARGEST and not self.config.mistakes:
            raise self._diverged("grew without bound")
        validation = self.validate()
        if validation[0] is not None and not math.isfinite(validation[0]):
            raise self._diverged("stopped being finite")
        state = self.state
        self.rows.append(self.row(state.loss_sum / state.seen, state.correct / state.seen, validation))

    def _report(self: Self) -> Decision:
        """Tell of the epoch that has ended, and remember its parameters if they are the best so far."""
        row, state, judged = self.rows[-1], self.state, self.judged
        value = row[self.config.monitor]
        if is_better(self.config.monitor, value, state.best):
            state.best, state.best_epoch = value, state.epoch
            self.best = judged.parameters.copy(), judged.statistics.copy()
        self.storage.add_row(self, row)
        for callback in self.callbacks:
            callback.on_epoch(self, row)
        return self._go_on_or_stop()

    def _save(self) -> None:
        """Save, the moments that the other ranks keep up included."""
        for moment in self.optimizer.state.values():
            self.ranks.gather(moment)
        self.ranks.agree(lambda: self.storage.save(self))

    def _end(self: Self) -> None:
        for callback in self.callbacks:
            callback.on_end(self)

    def row(self, loss: float | None, accuracy: float, validation: Validation) -> Row:
        """Return the row of the epoch under way."""
        state = self.state
        return {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": round(state.seconds, 4),
            "learning_rate": self.schedule(max(state.step - 1, 0)),
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": validation[0],
            "validation_accuracy": validation[1],
        }

    def check_finite(self, kept: Iterable[Array]) -> None:
        """Raise TrainingError where some of these numbers are not finite, so that nobody can go on from them."""
        if not all(np.isfinite(numbers).all() for numbers in kept):
            raise self._diverged("stopped being finite")

    def _diverged(self, what: str) -> TrainingError:
        config, state = self.config, self.state
        advice = (
            f"; try a smaller learning rate than {config.learning_rate:g}, a warm-up (warmup_epochs), clip_norm, "
            + f"an adversarial distance less than {config.adversarial:g}, " * (config.adversarial > 0)
            + f"or {self.advice}"
        )
        where = f"at step {state.step} (epoch {state.epoch + 1})"
        return TrainingError(f"the weights {what} {where}" + advice * (not config.mistakes))
