"""The loop: batches through the network, gradients into the optimizer, and every so often all of it to the disk."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from ..clinic import MISTAKES
from ..data import Dataset, Examples, Preprocessing
from ..errors import FileError, TrainingError
from ..files import MAX_TENSOR_FILE_BYTES, sync
from ..model import Model
from ..nn import OPTIMIZERS, SoftmaxCrossEntropy, WeightAverage, constant
from ..nn.team import Team
from .assembly import build_loss, build_network, build_optimizer, build_schedule
from .batches import Batches
from .callbacks import Callback, EarlyStopping, check_callbacks
from .checkpoint import State, load_checkpoint, run_tensors, save_checkpoint
from .config import Config
from .history import Row, append_row, keep_rows, read_history
from .interruption import TrainingInterrupted, interruptible
from .live import StepLog
from .ranks import ALONE, Announced, Ranks
from .steps import Steps
from .threads import available_threads, choose_threads

__all__ = ["CHECKPOINT", "CONFIG", "HISTORY", "MODEL", "Trainer", "validate"]

CONFIG, HISTORY, MODEL, CHECKPOINT = "config.toml", "history.jsonl", "model.safetensors", "checkpoint.safetensors"

SAVE_EVERY = 5.0  # seconds: what a killed run has to do again


class Trainer:
    """One run, from its first step or its last checkpoint to its end.

    Args:
        config: how it goes.
        dataset: what it learns. Of its test images nothing is used here.
        callbacks: called between the steps.
        until: the epoch to end with; by default the last.
        ranks: the processes that share out the work of a step.

    Raises:
        ConfigError: what is no callback.
        DataError: data that cannot be trained on.
        TrainingError: a batch larger than the data, or data that has changed since the run began.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        callbacks: Sequence[Callback] = (),
        until: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        dataset.require_trainable()
        check_callbacks(callbacks)
        self.config, self.until, self.ranks = config, until or config.epochs, ranks
        mistakes = [MISTAKES[name]() for name in config.mistakes]
        training, self.validation = dataset.split(config.validation, config.split_seed)
        for mistake in mistakes:
            mistake.see(training, self.validation)
        for mistake in mistakes:
            training, self.validation = mistake.examples(training, self.validation, config.split_seed)
        size = len(training) if config.batch_size == "all" else int(config.batch_size)
        if size > len(training):
            raise TrainingError(
                f"batch_size: {size} is more than the {len(training)} training images of "
                f"{dataset.name}; use {len(training)} or fewer"
            )
        inputs, classes = math.prod(dataset.image_shape), len(dataset.classes)
        sizes = [inputs, *config.hidden, classes]
        _check_size(config, sizes)
        preprocessing = Preprocessing.fit(training, config.scaling)
        self.network = build_network(config, inputs, classes, mistakes)
        self.average = WeightAverage(self.network, config.ema) if config.ema else None
        judged = self.average.network if self.average else self.network
        self.model = Model(judged, preprocessing, dataset.classes, dataset.source, dataset.fingerprint)
        self.loss = build_loss(config, training.labels, classes, mistakes)
        self.optimizer = build_optimizer(config, self.network)
        # To distort a batch takes milliseconds, which is always worth another thread.
        chosen = available_threads() if config.augmentation else choose_threads(size, sizes)
        self.threads = ranks.threads(config.threads or chosen)
        self.batches = Batches(
            training,
            preprocessing,
            size,
            config.seed,
            self.network.dtype,
            shuffle=config.shuffle,
            augmentation=config.augmentation,
            team=Team(self.threads),
            ranks=ranks,
        )
        self.schedule = build_schedule(config, len(self.batches))
        self.total_steps = config.epochs * len(self.batches)
        self.steps = Steps(config, self.network, self.loss, self.optimizer, self.average, self.batches)
        self._log = StepLog()
        self.callbacks = [self._log, *([EarlyStopping(config.patience)] if config.patience else []), *callbacks]
        self.state = State()
        self.rows: list[Row] = []
        self.stopped: str | None = None
        self.paused = False  # stopped from outside, if only after the last step
        self.broken: str | None = None
        self.ahead = 0
        self._best_parameters: tuple[np.ndarray, np.ndarray] | None = None  # better than the model file, not yet in it

    def tell(self) -> None:
        """Write the line that tells of the steps since the last one now, as before a pause."""
        self._log.tell(self)

    def stop(self, reason: str) -> None:
        """End the run after the step under way; it can be resumed."""
        self.stopped, self.paused = reason, True

    def finish(self, reason: str) -> None:
        """End the run after the step under way, for good."""
        self.stopped, self.state.finished = reason, True

    def run(self, folder: Path) -> None:
        """Train to the epoch to end with, or until something stops the run; go on from the checkpoint if there is one.

        Args:
            folder: the run folder, where ``config.toml`` is already.

        Raises:
            TrainingError: the weights stopped being finite.
            TrainingInterrupted: Ctrl-C, or a termination signal.
            FileError: the disk is full. What was saved before is still there.
        """
        self.folder = folder
        checkpoint = folder / CHECKPOINT
        if checkpoint.exists():
            self.state = load_checkpoint(checkpoint, self.network, self.optimizer, self.average, self.model.fingerprint)
            self._check_state()
        keep_rows(folder / HISTORY, self.state.epoch)
        self.rows = read_history(folder / HISTORY)
        if self.state.finished:
            return
        with self.computing(), interruptible(self.stop) as interrupted:
            self._saved = perf_counter()
            if not checkpoint.exists():
                self._save()
            for callback in self.callbacks:
                callback.on_start(self)
            generator = json.dumps(self.network.rng.bit_generator.state)
            self.ranks.announce_state(self.state.step, self._tensors(), generator)
            try:
                while not self.stopped and self.state.epoch < self.until:
                    self._train_epoch()
                self.state.finished |= self.state.epoch == self.config.epochs
                self._save()
            except TrainingError as error:
                if not self.config.mistakes:
                    raise
                self._end_by_mistake(error)
            finally:
                self._save_best_model()
        for callback in self.callbacks:
            callback.on_end(self)
        if interrupted() and not self.state.finished:
            raise TrainingInterrupted(self.folder, self.state.step)

    def follow(self) -> None:
        """Do what rank 0 announces, as one of the other ranks, until it ends the run."""
        with self.ranks.following(), self.computing():
            for what, first, i, rate in self.ranks.announcements():
                if what is Announced.STEP:
                    self.steps.take(first, i, constant(rate), count=True)
                elif what is Announced.MOMENTS:
                    for moment in self.optimizer.state.values():
                        self.ranks.gather(moment)
                else:
                    self.network.rng.bit_generator.state = json.loads(self.ranks.receive_state(self._tensors()))
                    self.optimizer.steps = first

    def _tensors(self) -> list[np.ndarray]:
        return list(run_tensors(self.network, self.optimizer, self.average).values())

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What steps are taken in: as many BLAS threads as they need, and none of NumPy's warnings."""
        # What overflows is found by looking at the loss, which says more than a warning.
        with threadpool_limits(self.steps.blas_threads, "blas"), np.errstate(all="ignore"):
            yield

    def _train_epoch(self) -> None:
        """Take the steps that this epoch still has, then validate, report and perhaps save."""
        state = self.state
        first = state.epoch * len(self.batches)
        while (i := state.step - first) < len(self.batches):
            start = perf_counter()
            losses, correct, size = self.steps.take(state.epoch, i, self._rate_ahead, self._is_due(state.epoch + 1))
            if not math.isfinite(losses[-1]):
                raise self._diverged(state.step)
            state.seconds += perf_counter() - start
            state.loss_sum += sum(losses) * size
            state.correct += correct
            state.seen += len(losses) * size
            for taken, loss in enumerate(losses, 1):
                state.step += 1
                self.ahead = len(losses) - taken
                for callback in self.callbacks:
                    callback.on_step(self, loss)
            if perf_counter() - self._saved > SAVE_EVERY:
                self._save()
            if self.stopped and state.step - first < len(self.batches):
                return
        self._end_epoch()

    def _rate_ahead(self, steps: int) -> float:
        """Return η of the step that comes this many ``steps`` after the next."""
        return self.schedule(self.state.step + steps)

    def _end_epoch(self) -> None:
        """Count the epoch, and report where a report is due."""
        state, epoch = self.state, self.state.epoch + 1
        row = self._measure() if self._is_due(epoch) else None
        state.epoch = epoch
        state.loss_sum, state.correct, state.seen = 0.0, 0, 0
        if row:
            self._keep_if_best(row)
            self._write(row)
            if not (self.folder / MODEL).exists():
                self._save()  # from the first report on there is a model to look at
            for callback in self.callbacks:
                callback.on_epoch(self, row)

    def _is_due(self, epoch: int) -> bool:
        """Whether this epoch, counted from 1, ends with a report."""
        return epoch % self.config.report_every == 0 or epoch == self.config.epochs

    def _measure(self) -> Row:
        """Validate, and return what is known of the epoch that ends here."""
        state = self.state
        if not np.isfinite(self.network.parameters).all():
            raise self._diverged(state.step)
        loss, accuracy = validate(self.model, self.validation)
        if loss is not None and not math.isfinite(loss):
            raise self._diverged(state.step)
        return self._row(state.loss_sum / state.seen, state.correct / state.seen, loss, accuracy)

    def _end_by_mistake(self, error: TrainingError) -> None:
        """A planted mistake has broken the run: end it here, and report what the network answers now.

        Where weights are NaN, so are all outputs, and argmax says that the first is the largest: class 0.
        """
        self.stopped = self.broken = str(error)
        _, accuracy = validate(self.model, self.batches.examples)
        assert accuracy is not None  # there are always images to learn from
        self._write(self._row(None, accuracy, None, validate(self.model, self.validation)[1]))

    def _row(
        self, loss: float | None, accuracy: float, validation_loss: float | None, validation_accuracy: float | None
    ) -> Row:
        state = self.state
        return {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": round(state.seconds, 4),
            "learning_rate": self.schedule(max(state.step - 1, 0)),
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
        }

    def _require_folder(self) -> None:
        if not self.folder.is_dir():
            raise FileError(f"{self.folder}: was deleted or moved while the run went on, so nothing can be saved")

    def _write(self, row: Row) -> None:
        self._require_folder()
        self.rows.append(row)
        append_row(self.folder / HISTORY, row)

    def _keep_if_best(self, row: Row) -> None:
        """Remember the parameters if they are the best so far; without validation images the last are the best."""
        value, best = row[self.config.monitor], self.state.best
        sign = 1 if self.config.monitor == "validation_accuracy" else -1
        if value is None or best is None or sign * value > sign * best:
            self.state.best, self.state.best_epoch = value, self.state.epoch
            network = self.model.network
            self._best_parameters = (network.parameters.copy(), network.statistics.copy())

    def _save(self) -> None:
        """Write the best model and the history, then the checkpoint, which never knows more than the other files."""
        self._require_folder()
        kept = list(self.optimizer.state.values())
        self.ranks.gather_moments(kept)
        for network in {self.network, self.model.network}:
            kept += [network.parameters, network.statistics]
        if not all(np.isfinite(numbers).all() for numbers in kept):
            raise self._diverged(self.state.step)  # the checkpoint before is a better one to go on from
        self._save_best_model()
        sync(self.folder / HISTORY)
        save_checkpoint(
            self.folder / CHECKPOINT,
            self.network,
            self.optimizer,
            self.average,
            self.state,
            self.model.fingerprint,
        )
        self._saved = perf_counter()

    def _save_best_model(self) -> None:
        """Write the model file if there are better parameters than those in it."""
        if self._best_parameters is None or not self.folder.is_dir():
            return
        network = self.model.network
        current = (network.parameters.copy(), network.statistics.copy())
        network.parameters[...], network.statistics[...] = self._best_parameters
        try:
            self.model.save(self.folder / MODEL)
        finally:
            network.parameters[...], network.statistics[...] = current
        self._best_parameters = None

    def _check_state(self) -> None:
        """Refuse a state that no run of this length and data can be in."""
        state, first = self.state, self.state.epoch * len(self.batches)
        started = 0 < state.step - first <= len(self.batches)  # all steps taken, the epoch not yet reported
        whole = state.step == first
        if state.epoch > self.config.epochs or not (started or whole) or started != (state.seen > 0):
            raise FileError(f"{self.folder / CHECKPOINT}: damaged: its step, epoch and counts do not fit together")

    def _diverged(self, step: int) -> TrainingError:
        advice = (
            f"; try a smaller learning rate than {self.config.learning_rate:g}, a warm-up (warmup_epochs), clip_norm, "
            f"or another scaling than {self.config.scaling!r}"
        )
        return TrainingError(
            f"the weights stopped being finite at step {step} (epoch {self.state.epoch + 1})"
            + advice * (not self.config.mistakes)
        )


def validate(model: Model, examples: Examples) -> tuple[float | None, float | None]:
    """Return a model's loss and accuracy on validation images, or None twice where there are none."""
    if not len(examples):
        return None, None
    Z = np.concatenate([model.logits(block.images) for block in examples.blocks()])
    y = examples.labels
    return SoftmaxCrossEntropy(len(model.classes)).forward(Z, y), float(np.mean(Z.argmax(axis=1) == y))


def _check_size(config: Config, sizes: list[int]) -> None:
    """Refuse networks whose files would be larger than a file may be, before any of their memory is taken."""
    parameters = sum((a + 1) * b for a, b in pairwise(sizes))
    copies = 1 + len(OPTIMIZERS[config.optimizer].moments) + bool(config.ema)
    needed = parameters * copies * np.dtype(config.dtype).itemsize
    if needed > MAX_TENSOR_FILE_BYTES:
        raise TrainingError(
            f"hidden: {parameters:,} parameters make checkpoints of {needed:,} bytes, more than the "
            f"{MAX_TENSOR_FILE_BYTES:,} allowed; use fewer units"
        )
    joined = parameters * config.members * np.dtype(config.dtype).itemsize
    if joined > MAX_TENSOR_FILE_BYTES:
        raise TrainingError(
            f"members: {config.members} networks of {parameters:,} parameters make a model file of {joined:,} bytes, "
            f"more than the {MAX_TENSOR_FILE_BYTES:,} allowed; use fewer members or units"
        )
