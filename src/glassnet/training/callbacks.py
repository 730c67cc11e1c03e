"""What may be done between the steps of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..data import Examples
from ..errors import ConfigError
from ..model import Model
from ..nn import Network, Schedule, SoftmaxCrossEntropy
from .batches import Batches
from .checkpoint import State
from .config import Config
from .history import Row
from .ranks import Ranks

__all__ = ["Callback", "EarlyStopping", "RunUnderWay", "check_callbacks"]


class RunUnderWay(Protocol):
    """What a callback sees of the run that calls it (it is the `Trainer`).

    Attributes:
        config: how the run goes.
        folder: of the run.
        network: as it is now; its ``parameters`` and ``gradients`` are those of the last step. Of a run over MPI it is
            the first rank's, and after `Callback.on_start` only to be looked at.
        loss: what it makes small.
        model: what validation judges and the run keeps, with preprocessing and class names: the same network, or where
            ``ema`` is set the averaged one, which has parameters of its own.
        batches: the training images.
        validation: the validation images.
        state: how far the run has come: ``step``, ``epoch``, ``seconds``, ``best``, …
        rows: the history so far.
        total_steps: of the whole run.
        schedule: the learning rate of each step, counted from 0.
        stopped: why the run ends after the step under way, and None while it goes on.
        broken: why it cannot go on, where a planted mistake has broken it.
        ahead: by how many steps the network is ahead of ``state.step``. Steps on single images are taken 128 at a time,
            and `Callback.on_step` is called for each of them afterwards; else it is 0.
        ranks: the processes that share out the run; the callback is in the first.
    """

    config: Config
    folder: Path
    network: Network
    loss: SoftmaxCrossEntropy
    model: Model
    batches: Batches
    validation: Examples
    state: State
    rows: list[Row]
    total_steps: int
    schedule: Schedule
    stopped: str | None
    broken: str | None
    ahead: int
    ranks: Ranks

    def tell(self) -> None:
        """Write the line that tells of the steps since the last one now, as before a pause."""

    def stop(self, reason: str) -> None:
        """End the run after the step under way; it can be resumed."""

    def finish(self, reason: str) -> None:
        """End the run after the step under way, for good."""


class Callback:
    """Something that a run calls as it goes. Override what you need.

        class PrintGradientNorm(Callback):
            def on_step(self, run, loss):
                print(run.state.step, np.linalg.norm(run.network.gradients))

        train(dataset, callbacks=[PrintGradientNorm()])

    Those of an ensemble are called by each member's run.

    Attributes:
        needs_folder: whether it needs the run's folder, so that `glassnet.DigitClassifier`, which has none, refuses it.
    """

    needs_folder = False

    def on_start(self, run: RunUnderWay) -> None:
        """Called before the first step, also when a run is resumed, and when mistakes are planted on its way."""

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        """Called after each step with the loss of its batch; see `RunUnderWay.ahead` for steps on single images."""

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        """Called after each epoch, validation included, with the row that the history got."""

    def on_end(self, run: RunUnderWay) -> None:
        """Called when the run stops, by itself or by `RunUnderWay.stop`, with everything saved."""

    def on_member(self, number: int, row: Row) -> None:
        """Called in an ensemble with the row of its first ``number`` members, which are now joined.

        It is all that is called where members train in other processes.
        """


def check_callbacks(callbacks: Sequence[Callback], *, folder: bool = True) -> None:
    """Raise ConfigError where something is no callback, or needs a ``folder`` that is not there."""
    if not isinstance(callbacks, list | tuple):
        raise ConfigError(f"callbacks: must be a list, not {callbacks!r:.40}")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise ConfigError(
                f"callbacks: {callback!r:.40} is none; give objects of a class derived from glassnet.training.Callback"
            )
        if callback.needs_folder and not folder:
            raise ConfigError(f"callbacks: {type(callback).__name__} needs a run folder; use glassnet.train for it")


class EarlyStopping(Callback):
    """Finish when the best model is ``patience`` epochs old.

    It keeps nothing itself, so a resumed run stops where the whole one would have.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        if row[run.config.monitor] is not None and run.state.epoch - run.state.best_epoch >= self.patience:
            run.finish(f"no better {run.config.monitor.replace('_', ' ')} in {self.patience} epochs")
