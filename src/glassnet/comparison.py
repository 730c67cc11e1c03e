"""Comparison of runs: the settings in which they differ, and their results."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .data import Dataset
from .errors import FileError, GlassnetError
from .evaluation import evaluate, examples_for
from .training import Config, Run
from .training.folder import HISTORY, MODEL

__all__ = ["RESULTS", "ComparedRun", "RunComparison", "compare_runs"]

RESULTS = ("validation_accuracy", "validation_loss", "best_epoch", "epochs_done", "seconds", "finished")
REPORTED = "training-accuracy-reported"  # the mistake of reporting training images as validation images


@dataclass
class ComparedRun:
    """The results of one run; those not known yet are None.

    Attributes:
        run: the run.
        name: of its folder, or its path if another run has the same name.
        validation_accuracy: of the saved model, on the validation images.
        validation_loss: of that model, in nats.
        best_epoch: the epoch of this model. For an ensemble, this and the next two are totals over its members.
        epochs_done: the number of completed epochs.
        seconds: of training so far.
        finished: whether the run has finished.
        test_accuracy: of that model on the test images of its data; None if not asked for.
    """

    run: Run
    name: str
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    best_epoch: int | None = None
    epochs_done: int = 0
    seconds: float = 0.0
    finished: bool = False
    test_accuracy: float | None = None


@dataclass(frozen=True)
class RunComparison:
    """Some runs, the one with the highest validation accuracy first.

    Attributes:
        lines: one a run.
        settings: the names of the settings in which they differ, in the order of `Config`.
        notes: what one must know to interpret the results, one sentence each.
        test: whether test accuracies were asked for.
    """

    lines: list[ComparedRun]
    settings: list[str]
    notes: list[str]
    test: bool

    @property
    def columns(self) -> list[str]:
        """The keys of `rows`: the path of the run, its results, and the settings that differ."""
        return ["run", *RESULTS, *["test_accuracy"] * self.test, *self.settings]

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row a run."""
        known = [vars(line.run.config) | vars(line) | {"run": str(line.run.path)} for line in self.lines]
        return [{column: row[column] for column in self.columns} for row in known]


def compare_runs(runs: Iterable[Run], *, test: bool = False) -> RunComparison:
    """Compare runs.

    Args:
        runs: from `glassnet.training.find_runs`, or each a ``Run(path)``.
        test: also evaluate each model on the test images of its data. If you choose a run by these results, no unseen
            images are left to measure how good it is.

    A run whose files are damaged is left out, and a note says why.

    Raises:
        FileError: no runs; or all are damaged, as the first is.
        ConfigError: the same, where it is the first one's configuration.
    """
    folders = {run.path.resolve(): run for run in runs}
    if not folders:
        raise FileError("no runs to compare; give run folders, or folders of runs")
    names = [path.name for path in folders]
    lines: list[ComparedRun] = []
    damaged: list[GlassnetError] = []
    for path, run in folders.items():
        try:
            lines.append(_line(run, path.name if names.count(path.name) == 1 else str(run.path)))
        except GlassnetError as error:
            damaged.append(error)
    if not lines:
        raise damaged[0]
    lines.sort(key=lambda line: (line.validation_accuracy is None, -(line.validation_accuracy or 0.0)))
    notes = [f"Left out: {error}" for error in damaged] + _notes(lines) + (_test(lines) if test else [])
    configs = [line.run.config for line in lines]
    settings = [name for name in Config.model_fields if len({getattr(config, name) for config in configs}) > 1]
    return RunComparison(lines, settings, notes, test)


def _line(run: Run, name: str) -> ComparedRun:
    """Read what came out of a run; raise GlassnetError where its files are damaged."""
    line, rows = ComparedRun(run, name, finished=run.finished), run.history
    if line.finished and not rows and (run.path / MODEL).exists():
        raise FileError(f"{run.path}: finished, but its history is empty; was {HISTORY} deleted or emptied?")
    if rows:
        best = run.best
        line.epochs_done, line.seconds = rows[-1]["epoch"], rows[-1]["seconds"]
        if best["loss"] is not None:
            line.best_epoch = best["epoch"]
            line.validation_accuracy, line.validation_loss = best["validation_accuracy"], best["validation_loss"]
    return line


def _notes(lines: Sequence[ComparedRun]) -> list[str]:
    """Say where results in the same column are not comparable."""
    configs = [line.run.config for line in lines]
    notes = []
    if len({(config.data, config.validation, config.split_seed) for config in configs}) > 1:
        notes.append("The validation images are not the same for all runs: data, validation or seed differ.")
    elif len({_fingerprint(line.run) for line in lines} - {None}) > 1:
        notes.append("The data are not the same for all runs, although they have the same name.")
    for fact, names in {
        "Not finished": [line.name for line in lines if not (line.finished or line.run.broken)],
        "Broken by a planted mistake": [line.name for line in lines if line.run.broken],
        "Training images, reported as validation images by a planted mistake": [
            line.name for line in lines if REPORTED in line.run.config.mistakes
        ],
    }.items():
        if names:
            notes.append(f"{fact}: {', '.join(names)}.")
    return notes


def _fingerprint(run: Run) -> str | None:
    """Return the fingerprint of a run's data, if it has a model yet."""
    try:
        return run.model.fingerprint
    except GlassnetError:  # it has none yet
        return None


def _test(lines: Sequence[ComparedRun]) -> list[str]:
    """Fill in the test accuracies; return a sentence for each that cannot be computed."""
    loaded: dict[object, Dataset] = {}
    notes = []
    for line in lines:
        config = line.run.config
        key = (config.data, config.classes)
        try:
            model = line.run.model
            if key not in loaded:
                loaded[key] = line.run.dataset()
            line.test_accuracy = evaluate(model, examples_for(model, loaded[key])).accuracy
        except GlassnetError as error:
            notes.append(f"{line.name}: no test accuracy: {error}")
    return notes
