"""What may be done between the steps of a run."""

from typing import TYPE_CHECKING

from .history import Row

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Callback", "EarlyStopping"]


class Callback:
    """Something that a run calls as it goes. Override what you need.

    Each method gets the `Trainer`: its ``config``, ``network``, ``model``, ``state`` (step, epoch, …), ``rows`` (the
    history so far) and ``total_steps`` are there to look at, and ``trainer.stop(reason)`` ends the run after the step.

        class PrintGradientNorm(Callback):
            def on_step(self, trainer, loss):
                print(trainer.state.step, np.linalg.norm(trainer.network.gradients))
    """

    def on_start(self, trainer: "Trainer") -> None:
        """Called before the first step, also when a run is resumed."""

    def on_step(self, trainer: "Trainer", loss: float) -> None:
        """Called after each step with the loss of its batch."""

    def on_epoch(self, trainer: "Trainer", row: Row) -> None:
        """Called after each epoch, validation included, with the row that the history got."""

    def on_end(self, trainer: "Trainer") -> None:
        """Called when the run stops, whatever the reason, with everything saved."""


class EarlyStopping(Callback):
    """Stop when the best model is ``patience`` epochs old.

    It keeps nothing itself, so a resumed run stops where the whole one would have.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_epoch(self, trainer: "Trainer", row: Row) -> None:
        if trainer.state.epoch - trainer.state.best_epoch >= self.patience:
            trainer.finish(f"no better {trainer.config.monitor.replace('_', ' ')} in {self.patience} epochs")
