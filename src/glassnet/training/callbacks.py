"""What may be done between the steps of a training loop."""

from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ..data import Examples
from ..errors import ConfigError
from ..model import Model
from ..nn import Network, Schedule, SoftmaxCrossEntropy
from .batches import Batches
from .checkpoint import State
from .config import Config
from .history import Row
from .ranks import Ranks

__all__ = ["AnyCallback", "Callback", "EarlyStopping", "LoopUnderWay", "RunCallback", "RunUnderWay", "check_callbacks"]


class LoopUnderWay(Protocol):
    """What a `Callback` sees of the loop that calls it, be it that of `glassnet.train` or of an estimator's ``fit``.

    Attributes:
        config: how it goes.
        network: as it is now; its ``parameters`` and ``gradients`` are those of the last step. Ask for it each time:
            after steps on single images it is brought up to date when somebody does. Of a run over MPI it is the first
            rank's, and after `Callback.on_start` only to be looked at.
        loss: what it makes small.
        state: how far it has come: ``step``, ``epoch``, ``seconds``, ``best``, …
        rows: the history so far; of an estimator that of this call.
        total_steps: of the whole run.
        schedule: the learning rate of each step, counted from 0.
        stopped: why it ends after the step under way, and None while it goes on.
    """

    config: Config
    loss: SoftmaxCrossEntropy
    state: State
    rows: list[Row]
    total_steps: int
    schedule: Schedule
    stopped: str | None

    @property
    def network(self) -> Network: ...

    def stop(self, reason: str) -> None:
        """End it after the step under way; a run can be resumed.

        An estimator ends after the epoch under way, and steps on single images after 128 of them, where the next are
        prepared: so that what goes on from there is the same as if it had never stopped.
        """

    def finish(self, reason: str) -> None:
        """End it as `stop` does, for good."""


class RunUnderWay(LoopUnderWay, Protocol):
    """What a `RunCallback` sees of the run that calls it: images, and a folder.

    Attributes:
        folder: of the run.
        model: what validation judges and the run keeps, with preprocessing and class names: the same network, or where
            ``ema`` is set the averaged one, which has parameters of its own.
        batches: the training images.
        mixture: of what they are mixed, in words, where some are rehearsed.
        validation: the validation images.
        broken: why it cannot go on, where a planted mistake has broken it.
        ranks: the processes that share out the run; the callback is in the first.
    """

    mixture: str
    validation: Examples
    broken: str | None
    ranks: Ranks

    @property
    def folder(self) -> Path: ...

    @property
    def model(self) -> Model: ...

    @property
    def batches(self) -> Batches: ...

    def tell(self) -> None:
        """Write the line that tells of the steps since the last one now, as before a pause."""


Seen = TypeVar("Seen", contravariant=True)


class AnyCallback(Generic[Seen]):
    """What `Callback` and `RunCallback` have in common: methods to override."""

    def on_start(self, run: Seen) -> None:
        """Called before the first step, also when a run is resumed, and when mistakes are planted on its way."""

    def on_step(self, run: Seen, loss: float) -> None:
        """Called after each step with the loss of its batch."""

    def on_epoch(self, run: Seen, row: Row) -> None:
        """Called after each epoch, validation included, with the row that the history got."""

    def on_end(self, run: Seen) -> None:
        """Called when the training stops, by itself or by `LoopUnderWay.stop`, with everything saved."""

    def on_member(self, number: int, row: Row) -> None:
        """Called in an ensemble with the row of its first ``number`` members, which are now joined.

        It is all that is called where members train in other processes.
        """


class Callback(AnyCallback[LoopUnderWay]):
    """Something that a training loop calls as it goes. Override what you need.

        class PrintGradientNorm(Callback):
            def on_step(self, run, loss):
                print(run.state.step, np.linalg.norm(run.network.gradients))

        train(dataset, callbacks=[PrintGradientNorm()])

    Those of an ensemble are called by each member's run.
    """


class RunCallback(AnyCallback[RunUnderWay]):
    """A callback that needs a run's images or its folder; `glassnet.DigitClassifier` has neither and refuses it."""


def check_callbacks(callbacks: Any, kind: type[AnyCallback[Any]] = AnyCallback) -> None:
    """Raise ConfigError where something is no callback, or needs a run where only the other ``kind`` can be called."""
    if not isinstance(callbacks, list | tuple):
        raise ConfigError(f"callbacks: must be a list, not {callbacks!r:.40}")
    for callback in callbacks:
        if not isinstance(callback, AnyCallback):
            raise ConfigError(
                f"callbacks: {callback!r:.40} is not a callback; give objects of a class derived from "
                "glassnet.training.Callback"
            )
        if not isinstance(callback, kind):
            raise ConfigError(f"callbacks: {type(callback).__name__} needs a run folder; use glassnet.train for it")


class EarlyStopping(Callback):
    """Finish when the best model is ``patience`` epochs old.

    It keeps nothing itself, so a resumed run stops where the whole one would have.
    """

    def __init__(self, patience: int) -> None:
        if not isinstance(patience, int) or isinstance(patience, bool) or patience < 1:
            raise ConfigError(f"patience: must be a whole number of at least 1, not {patience!r:.80}")
        self.patience = patience

    def on_epoch(self, run: LoopUnderWay, row: Row) -> None:
        if row[run.config.monitor] is not None and run.state.epoch - run.state.best_epoch >= self.patience:
            run.finish(f"no better {run.config.monitor.replace('_', ' ')} in {self.patience} epochs")
