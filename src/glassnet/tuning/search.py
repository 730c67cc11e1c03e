"""The search: Optuna proposes settings, workers try them, and the study remembers."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..errors import ConfigError, FileError, TrainingError
from ..files import only_process
from ..training import (
    Config,
    Run,
    Workers,
    available_threads,
    make_run_folder,
    prepare,
    require_search,
    unpack,
)
from ..training.interruption import interruptible
from ..training.launch import choose_config
from .space import searched, suggest
from .study import BEST, STUDY, best_of, done_trials, keep_best, open_study
from .trial import Outcome, direction_of, run_trial

if TYPE_CHECKING:
    from optuna import Study
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
    require_search("a search", ["optuna"])
    if trials < 1:
        raise ConfigError(f"trials: must be at least 1, not {trials}")
    config = choose_config(dataset, recipe, settings)
    _check_searchable(config)
    prepare(config, dataset)  # which refuses what cannot be trained on, before there is a folder
    names = searched(config, [name for name, value in settings.items() if value is not None])
    folder = Path(out) if out is not None else SEARCHES / f"{dataset.name}-{Path(recipe or config.recipe).stem}"
    if folder.exists() and not (folder / STUDY).exists() and any(folder.iterdir()):
        raise FileError(f"{folder}: is not empty, and no search is in it; choose a new or an empty folder with --out")
    with Workers(jobs, dask, pieces=trials) as workers, only_process(make_run_folder(folder, "")):
        study = open_study(folder, config, names, dataset)
        _clear(folder, study, config)
        loop = _Loop(study, folder, config, names, dataset, workers, on_trial)
        loop.go_on(trials)
    return _found(study, folder, config)


def _check_searchable(config: Config) -> None:
    if config.members > 1:
        raise ConfigError("members: a search compares single networks; leave members out, and train them afterwards")
    if not config.validation:
        raise ConfigError("validation: a search chooses by validation images; set validation above 0")
    if config.mistakes:
        raise ConfigError(f"mistakes: a search of a network with {config.mistakes[0]} finds nothing; leave it out")


def _clear(folder: Path, study: "Study", config: Config) -> None:
    """Delete what a killed search has left of a trial that was never told of."""
    best = best_of(done_trials(study), config)
    for leftover in folder.glob("trial-*"):
        if best is None or leftover.name != f"trial-{best.number}":
            shutil.rmtree(leftover, ignore_errors=True)


class _Stopped(Exception):  # noqa: N818  # no error: the trial was told to stop
    pass


class _Loop:
    """Asks the study for settings, has them tried, and tells the study what came out."""

    def __init__(
        self,
        study: "Study",
        folder: Path,
        config: Config,
        names: list[str],
        dataset: Dataset,
        workers: Workers,
        on_trial: Callable[[Search, Trial], None] | None,
    ) -> None:
        self.study, self.folder, self.config, self.names, self.dataset = study, folder, config, names, dataset
        self.workers, self.on_trial, self.lock = workers, on_trial, Lock()
        self.failure: Exception | None = None

    def go_on(self, trials: int) -> None:
        """Try until there are ``trials`` in all, or Ctrl-C."""
        left = trials - len(done_trials(self.study))
        if left <= 0:
            return
        self.shared, self.jobs = self.workers.share(self.dataset), min(self.workers.jobs, left)
        with interruptible(self.workers.stop):
            try:
                self.study.optimize(self._try, left, n_jobs=self.jobs, catch=(_Stopped,), callbacks=[self._after])
            except (KeyboardInterrupt, _Stopped):
                self.workers.stop()
        if self.failure:
            raise self.failure
        if self.workers.stopped and (done := len(done_trials(self.study))) < trials:
            raise KeyboardInterrupt(
                f"stopped after {done} of {trials} trials, which are kept; the same search again goes on"
            )

    @contextmanager
    def _ending_all(self) -> Iterator[None]:
        """Remember what goes wrong and stop; of several threads Optuna does not look at the errors of the last."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error
            self.workers.stop()
            raise _Stopped from error

    def _try(self, trial: Any) -> float:
        """Have one trial tried; what Optuna calls an objective."""
        import optuna

        with self._ending_all():
            outcome = self._outcome(trial)
        if outcome is None or outcome.stopped:
            raise _Stopped
        if outcome.pruned:
            raise optuna.TrialPruned
        choose = max if direction_of(self.config) == "maximize" else min
        return choose(value for _, value in outcome.values)

    def _outcome(self, trial: Any) -> Outcome | None:
        """Propose settings, have them tried, and write down what came of it; None where it was not begun."""
        proposed = suggest(trial, self.names, self.config, self.dataset)
        config = Config.model_validate(self.config.model_dump() | proposed)
        if config.threads is None and not self.workers.alone:
            config = config.model_copy(update={"threads": max(available_threads() // self.jobs, 1)})
        done = done_trials(self.study)
        best = best_of(done, self.config)
        outcome = self.workers.run(run_trial, config, self.shared, done, best and best.value, self.workers.sign)
        if outcome is None:
            return None
        if outcome.stopped:
            if not self.workers.stopped:
                raise TrainingError("a worker lost touch with this process; the same search again goes on")
            return outcome
        attributes = {"settings": proposed, "seconds": outcome.seconds, "kept": bool(outcome.files)}
        for name, value in (attributes | {"complaint": outcome.complaint}).items():
            trial.set_user_attr(name, value)
        for epoch, value in outcome.values:
            trial.report(value, epoch)
        if not outcome.pruned:
            unpack(outcome.files, self.folder / f"trial-{trial.number}")
        if outcome.interrupted:
            self.workers.stop()
        return outcome

    def _after(self, study: "Study", trial: "FrozenTrial") -> None:
        """Called when the study knows of a trial."""
        if self.workers.stopped:
            study.stop()
        with self._ending_all(), self.lock:
            keep_best(study, self.folder, self.config)
            if self.on_trial and trial.state.name != "FAIL":
                self.on_trial(_found(study, self.folder, self.config), _summary(trial))


def _found(study: "Study", folder: Path, config: Config) -> Search:
    sign = -1 if direction_of(config) == "maximize" else 1
    done = done_trials(study)
    best = best_of(done, config)
    trials = sorted(
        map(_summary, done),
        key=lambda trial: (trial.pruned, trial.value is None, sign * (trial.value or 0.0), trial.number),
    )
    first = [trial for trial in trials if best is not None and trial.number == best.number]
    return Search(folder, config.monitor, tuple(first + [trial for trial in trials if trial not in first]))


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
