"""The search: Optuna proposes settings, workers try them, and Optuna's study keeps what came out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..errors import ConfigError, FileError, TrainingError, check_count
from ..files import PARTIAL, as_path
from ..locks import only_process
from ..training import Config, Run, Workers, available_threads, make_run_folder, prepare
from ..training.cluster import require_search
from ..training.history import cost
from ..training.interruption import INTERRUPTED, interruptible
from ..training.launch import choose_config
from ..training.workers import ASKED, unpack
from .space import searched, suggest
from .study import BEST, STUDY, best_of, done_trials, keep_best, open_study
from .trial import Outcome, run_trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as AskedTrial
    from optuna.trial import FrozenTrial

__all__ = ["Search", "Trial", "search"]

SEARCHES = Path("searches")


@dataclass(frozen=True)
class Trial:
    """One combination of settings, and what came of it.

    Attributes:
        number: in its study, from 0.
        value: the best of what was judged by: of validation loss or accuracy. None where it broke before its first
            report.
        pruned: whether it was ended early, or broke; its value is then the one at its end.
        epochs: that it came to.
        seconds: of training.
        settings: that were searched.
        complaint: why it broke, or "".
    """

    number: int
    value: float | None
    pruned: bool
    epochs: int
    seconds: float
    settings: dict[str, Any]
    complaint: str


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        path: its folder.
        monitor: what trials are judged by: ``validation_loss`` or ``validation_accuracy``.
        trials: all that have an outcome, the best first and pruned ones last.
    """

    path: Path
    monitor: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The best trial; None where every one was ended early."""
        return self.trials[0] if self.trials and not self.trials[0].pruned else None

    @property
    def recipe(self) -> Path:
        """The TOML file of the best settings, for `glassnet.train`."""
        return self.path / BEST

    @property
    def run(self) -> Run:
        """The best trial's run; raises FileError before there is one."""
        if self.best is None:
            raise FileError(f"{self.path}: no trial has come to its end yet; search on, with more trials")
        return Run(self.path / f"trial-{self.best.number}")


def search(
    dataset: Dataset,
    recipe: str | Path | None = None,
    *,
    trials: int = 50,
    jobs: int | None = None,
    dask: str | None = None,
    out: str | os.PathLike[str] | None = None,
    on_trial: Callable[[Search, Trial], None] | None = None,
    **settings: Any,
) -> Search:
    """Search for good settings: learning rate, widths, batch size, smoothing, dropout, normalisation, distortion.

    Settings are proposed by the tree-structured Parzen estimator (Bergstra et al., 2011), which learns from the trials
    before. All trials see the same validation images and are judged by them alone; the test images are not read. A
    search that was killed goes on when it is called again.

    Args:
        dataset: from `glassnet.load_dataset`.
        recipe: what the search begins with, as for `glassnet.train`.
        trials: how many there shall be in all, those before a kill included.
        jobs: how many go on at once, in processes of their own; see `glassnet.training.Workers`.
        dask: the address of a Dask scheduler whose workers take the trials.
        out: the folder; by default ``searches/<data>-<recipe>``.
        on_trial: called with what is known so far and the trial that has ended.
        **settings: any field of `Config`; what is given is not searched.

    Raises:
        ConfigError: a setting that cannot be, a package is missing, no scheduler answers, or the folder's search is
            one over other settings.
        DataError: data that cannot be trained on, or the folder's search is one of other data.
        TrainingError: a batch larger than the data, or a worker process that is gone.
        FileError: a folder that cannot be used, or in which another process searches.
        KeyboardInterrupt: Ctrl-C, with all trials saved that have an outcome.
    """
    require_search("a search", "optuna")
    check_count("trials", trials)
    config = choose_config(dataset, recipe, settings)
    _check_searchable(config)
    prepare(config, dataset)  # which refuses what cannot be trained on, before there is a folder
    names = searched(config, [name for name, value in settings.items() if value is not None])
    folder = (
        as_path(out, "out") if out is not None else SEARCHES / f"{dataset.name}-{Path(recipe or config.recipe).stem}"
    )
    if folder.exists() and not (folder / STUDY).exists() and any(path.suffix != PARTIAL for path in folder.iterdir()):
        raise FileError(f"{folder}: is not empty, and no search is in it; choose a new or an empty folder with --out")
    with (
        Workers(jobs, dask, pieces=trials) as workers,
        only_process(make_run_folder(folder, "")),
        open_study(folder, config, names, dataset) as study,
    ):
        keep_best(study, folder, config)  # a killed search may have left another's folder
        pieces = _ask(study, trials - len(done_trials(study)), config, names, dataset, workers)
        with interruptible(workers.stop):
            for asked, outcome in workers.run(run_trial, pieces):
                if outcome.stopped:
                    workers.stop(outcome.stopped)
                if outcome.finished:
                    trial = _tell(study, asked, outcome, folder, config)
                    keep_best(study, folder, config)
                    if on_trial:
                        on_trial(_found(study, folder, config), trial)
        found = _found(study, folder, config)
        if len(found.trials) < trials:
            _say_how_to_go_on(found, trials, workers)
    return found


def _check_searchable(config: Config) -> None:
    if config.members > 1:
        raise ConfigError("members: a search compares single networks; leave members out, and train them afterwards")
    if not config.validation:
        raise ConfigError("validation: a search chooses by validation images; set validation above 0")
    if config.mistakes:
        raise ConfigError(f"mistakes: a search of a network with {config.mistakes[0]} finds nothing; leave it out")


def _say_how_to_go_on(found: Search, trials: int, workers: Workers) -> None:
    if workers.stopped == INTERRUPTED:
        raise KeyboardInterrupt(
            f"stopped after {len(found.trials)} of {trials} trials, which are kept; the same search again goes on"
        )
    if workers.stopped == ASKED:  # and not by this process, which would have said why
        raise TrainingError(f"{found.path}: a worker lost its connection; the same search again goes on")


def _ask(
    study: "Study", trials: int, config: Config, names: list[str], dataset: Dataset, workers: Workers
) -> Iterator[tuple["AskedTrial", tuple[Any, ...]]]:
    """Yield so many trials with settings that Optuna proposes, and of each the arguments of `run_trial`."""
    shared = workers.share(dataset)
    for _ in range(trials):
        trial = study.ask()
        settings = suggest(trial, names, config, dataset)
        trial.set_user_attr("settings", settings)
        own = Config.model_validate(config.model_dump() | settings)
        if own.threads is None and not workers.alone:
            own = own.model_copy(update={"threads": max(available_threads() // min(workers.jobs, trials), 1)})
        done = done_trials(study)
        best = best_of(done, config)
        yield trial, (own, shared, done, best and best.value, workers.callbacks)


def _tell(study: "Study", trial: "AskedTrial", outcome: Outcome, folder: Path, config: Config) -> Trial:
    """Write down what came out of a trial: its run folder, where it is kept, and then its row in the study."""
    from optuna.trial import TrialState

    unpack(outcome.files, folder / f"trial-{trial.number}")
    attributes = {"seconds": outcome.seconds, "complaint": outcome.complaint, "kept": bool(outcome.files)}
    for name, fact in attributes.items():
        trial.set_user_attr(name, fact)
    for epoch, value in outcome.values.items():
        trial.report(value, epoch)
    if outcome.pruned:
        return _summary(study.tell(trial, state=TrialState.PRUNED))
    return _summary(study.tell(trial, min(outcome.values.values(), key=lambda value: cost(config.monitor, value))))


def _found(study: "Study", folder: Path, config: Config) -> Search:
    trials = sorted(
        map(_summary, done_trials(study)),
        key=lambda trial: (trial.pruned, trial.value is None, cost(config.monitor, trial.value or 0.0), trial.number),
    )
    return Search(folder, config.monitor, tuple(trials))


def _summary(trial: "FrozenTrial") -> Trial:
    attributes = trial.user_attrs
    return Trial(
        number=trial.number,
        value=trial.value,
        pruned=trial.state.name == "PRUNED",
        epochs=max(trial.intermediate_values, default=0),
        seconds=attributes["seconds"],
        settings=attributes["settings"],
        complaint=attributes["complaint"],
    )
