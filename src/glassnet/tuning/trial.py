"""One trial: a run in a folder of its own, ended early where it has no prospects."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ..data import Dataset
from ..errors import TrainingError
from ..files import write_atomically
from ..training import Callback, Config, RunUnderWay, Trainer, TrainingInterrupted, pack
from ..training.history import Row
from ..training.trainer import CONFIG

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

__all__ = ["Outcome", "direction_of", "run_trial"]

STARTUP = 5  # trials that come to their end before any is judged by them


@dataclass
class Outcome:
    """What came out of a trial.

    Attributes:
        values: epoch and what was judged by, of each report.
        seconds: of training.
        pruned: whether it was ended early, or broke.
        finished: whether it came to an end, if only to an early one.
        stopped: why it was told to stop, if it was, which may have been at its end.
        complaint: why it broke.
        files: its run folder, where it has the best value so far.
    """

    values: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    pruned: bool = False
    finished: bool = False
    stopped: str | None = None
    complaint: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


class Prune(Callback):
    """Asks Optuna's pruner after each report whether the run is worth its time."""

    def __init__(self, trial: "Trial", outcome: Outcome) -> None:
        self.trial, self.outcome = trial, outcome

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        value = row[run.config.monitor]
        self.outcome.values.append((row["epoch"], value))
        self.outcome.seconds = row["seconds"]
        self.trial.report(value, row["epoch"])
        if row["epoch"] < run.config.epochs and self.trial.should_prune():
            self.outcome.pruned = True
            run.finish("pruned")


def direction_of(config: Config) -> Literal["minimize", "maximize"]:
    """Return whether what a run is judged by shall be large or small."""
    return "maximize" if config.monitor == "validation_accuracy" else "minimize"


def run_trial(
    config: Config,
    dataset: Dataset,
    others: Sequence["FrozenTrial"],
    best: float | None,
    callbacks: Sequence[Callback],
) -> Outcome:
    """Train with the settings of a trial, in a temporary folder; a worker on another machine can do it too.

    The pruner is asked here, about a copy of the study in memory, so that a worker needs no way to its database: a
    trial is compared with those that were done when it began. It ends where its best value so far is worse than the
    median of theirs at the same epoch (Golovin et al., 2017).

    Args:
        config: of the run.
        dataset: what it learns.
        others: trials that are done.
        best: the best value so far; only what is better sends its files.
        callbacks: of the run.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    pruner = optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=config.epochs // 10)
    study = optuna.create_study(direction=direction_of(config), pruner=pruner)
    study.add_trials(others)
    outcome = Outcome()
    with TemporaryDirectory(prefix="glassnet-") as place:
        folder = Path(place)
        write_atomically(folder / CONFIG, config.to_toml().encode())
        trainer = Trainer(config, dataset, [Prune(study.ask(), outcome), *callbacks])
        try:
            with suppress(TrainingInterrupted):
                trainer.run(folder)
        except TrainingError as error:
            outcome.finished, outcome.pruned, outcome.complaint = True, True, str(error)
            return outcome
        outcome.finished, outcome.stopped = trainer.state.finished, trainer.stopped if trainer.paused else None
        value = trainer.state.best
        if outcome.finished and not outcome.pruned and value is not None:
            better = best is None or (value > best if config.monitor == "validation_accuracy" else value < best)
            outcome.files = pack(folder) if better else {}
    return outcome
