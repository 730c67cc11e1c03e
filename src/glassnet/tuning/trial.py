"""One trial: a run in a folder of its own, ended early where it has no prospects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ..data import Dataset
from ..errors import TrainingError
from ..files import write_atomically
from ..training import (
    Callback,
    Config,
    LoopUnderWay,
    RunLoop,
    StopSign,
    StopWhenAsked,
    TrainingInterrupted,
    is_better,
    pack,
)
from ..training.folder import CONFIG
from ..training.history import Row

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
        stopped: whether it was told to stop, and has no outcome.
        interrupted: whether it was told so as it came to its end.
        complaint: why it broke.
        files: its run folder, where it has the best value so far.
    """

    values: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    pruned: bool = False
    stopped: bool = False
    interrupted: bool = False
    complaint: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


class Prune(Callback):
    """Asks Optuna's pruner after each report whether the run is worth its time."""

    def __init__(self, trial: "Trial", outcome: Outcome) -> None:
        self.trial, self.outcome = trial, outcome

    def on_epoch(self, run: LoopUnderWay, row: Row) -> None:
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
    config: Config, dataset: Dataset, others: Sequence["FrozenTrial"], best: float | None, sign: StopSign | None
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
        sign: to stop.

    Raises:
        TrainingInterrupted: Ctrl-C, in the process of the search itself.
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
        loop = RunLoop(config, dataset, [Prune(study.ask(), outcome), StopWhenAsked(sign)], folder=folder)
        try:
            loop.run()
        except TrainingInterrupted:
            if sign is None:
                raise
        except TrainingError as error:
            outcome.pruned, outcome.complaint = True, str(error)
            return outcome
        outcome.stopped, outcome.interrupted = not loop.state.finished, loop.paused
        value = loop.state.best
        if not (outcome.stopped or outcome.pruned) and value is not None:
            outcome.files = pack(folder) if is_better(config.monitor, value, best) else {}
    return outcome
