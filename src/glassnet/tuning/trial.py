"""One trial: a run in a folder of its own, ended early where it has no prospects."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ..data import Dataset
from ..errors import TrainingError
from ..files import write_atomically
from ..training import Callback, Config, LoopUnderWay, Run, RunLoop, TrainingInterrupted
from ..training.cluster import require_search
from ..training.folder import CONFIG
from ..training.history import Row, cost, is_better
from ..training.workers import pack

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

__all__ = ["Outcome", "direction_of", "run_trial"]

STARTUP = 5  # trials that come to their end before any is judged by them


@dataclass(frozen=True)
class Outcome:
    """What came out of a trial.

    Attributes:
        values: what it was judged by, of each report by its epoch.
        seconds: of training.
        finished: whether it came to an end, if only to an early one.
        pruned: whether it was ended early, or broke.
        complaint: why it broke, or "".
        stopped: why it was told to stop, if it was, which may have been at its end.
        files: its run folder, where it has the best value so far.
    """

    values: dict[int, float]
    seconds: float
    finished: bool
    pruned: bool
    complaint: str
    stopped: str | None
    files: dict[str, bytes]


class Prune(Callback):
    """Asks Optuna's pruner after each report whether the run is worth its time."""

    def __init__(self, trial: "Trial") -> None:
        self.trial, self.pruned = trial, False

    def on_epoch(self, run: LoopUnderWay, row: Row) -> None:
        self.trial.report(row[run.config.monitor], row["epoch"])
        if row["epoch"] < run.config.epochs and self.trial.should_prune():
            self.pruned = True
            run.finish("pruned")


def direction_of(config: Config) -> Literal["minimize", "maximize"]:
    """Return whether what a run is judged by shall be large or small."""
    return "minimize" if is_better(config.monitor, 0, 1) else "maximize"


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
    require_search("a search", "optuna")  # which may be missing on another machine
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    pruner = optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=config.epochs // 10)
    study = optuna.create_study(direction=direction_of(config), pruner=pruner)
    study.add_trials(others)
    prune, complaint = Prune(study.ask()), ""
    with TemporaryDirectory(prefix="glassnet-") as place:
        folder = Path(place)
        write_atomically(folder / CONFIG, config.to_toml().encode())
        loop = RunLoop(config, dataset, [prune, *callbacks], folder=folder)
        try:
            with suppress(TrainingInterrupted):
                loop.run()
        except TrainingError as error:
            complaint = str(error)
        rows, finished = Run(folder).history, loop.state.finished or bool(complaint)
        costs = [cost(config.monitor, row[config.monitor]) for row in rows]
        pruned = prune.pruned or bool(complaint)
        kept = finished and not pruned and (best is None or min(costs) < cost(config.monitor, best))
        return Outcome(
            values={row["epoch"]: row[config.monitor] for row in rows},
            seconds=rows[-1]["seconds"] if rows else 0.0,
            finished=finished,
            pruned=pruned,
            complaint=complaint,
            stopped=loop.stopped if loop.paused else None,
            files=pack(folder) if kept else {},
        )
