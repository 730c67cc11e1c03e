"""A run folder: what a run has left there, and what reads it."""

import os
from functools import cached_property
from pathlib import Path

from ..data import Dataset, load_dataset
from ..errors import DataError, FileError, TrainingError
from ..files import as_path
from ..model import Model
from ..notebook import card, curves
from .checkpoint import read_state
from .config import Config
from .folder import CHECKPOINT, CONFIG, HISTORY, MODEL, SNAPSHOTS
from .history import Row, best_row, read_history
from .interruption import resume_command
from .snapshots import find_snapshots

__all__ = ["BUNDLED", "Run", "find_runs", "name_of", "open_model"]

BUNDLED = Path(__file__).parent.parent / "bundled" / "digits.safetensors"  # made by `make model`


class Run:
    """What a run left in its folder, read when it is asked for.

    Args:
        path: the run folder.
        required: whether it must be there. The other ranks of a run over MPI may not see the folder of rank 0.

    Raises:
        FileError: no run there.
    """

    def __init__(self, path: str | os.PathLike[str], *, required: bool = True) -> None:
        self.path = as_path(path)
        if required and not (self.path / CONFIG).is_file():
            raise FileError(f"{self.path}: no run here (a run folder has a {CONFIG}); is the path right?")

    @cached_property
    def config(self) -> Config:
        """The configuration as resolved, which stays what it is."""
        return Config.load(self.path / CONFIG)

    @property
    def history(self) -> list[Row]:
        """A row an epoch, see `glassnet.training.history.Row`; of an ensemble a row a member."""
        return read_history(self.path / HISTORY)

    @property
    def best(self) -> Row:
        """The row of the model that was kept: of its epoch, or of all members. FileError before there is one."""
        rows = self.history
        if not rows:
            raise FileError(f"{self.path}: no {self._part} is complete yet; continue with: {resume_command(self.path)}")
        return rows[-1] if self.config.members > 1 else best_row(rows, self.config.monitor)

    @property
    def broken(self) -> bool:
        """Whether a planted mistake has broken the run, so that its last row tells of a network beyond help."""
        rows = self.history
        return bool(rows) and rows[-1]["loss"] is None

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end, so that there is nothing to resume."""
        if self.config.members > 1:
            return len(self.history) == self.config.members
        checkpoint = self.path / CHECKPOINT
        return checkpoint.is_file() and read_state(checkpoint).finished

    @property
    def model(self) -> Model:
        """The best model so far; raises FileError before the end of the first epoch."""
        if not (self.path / MODEL).exists():
            if self.broken:
                raise FileError(f"{self.path}: has no model: a planted mistake broke the run before its first report")
            raise FileError(f"{self.path}: no model yet: no {self._part} is complete; resume the run, or wait")
        return Model.load(self.path / MODEL)

    @property
    def snapshots(self) -> list[int]:
        """The steps at which its weights were kept, from 0 to the last; of an ensemble those that all members have."""
        kept = [set(find_snapshots(folder)) for folder in self._networks()]
        return sorted(set.intersection(*kept)) if kept else []

    def model_at(self, step: int) -> Model:
        """Return the model as it was after so many steps, with weights rounded to float16; 0 is before the first.

        Raises:
            FileError: no snapshot of that step, or a damaged one.
        """
        steps = self.snapshots
        if step not in steps:
            near = sorted(sorted(steps, key=lambda other: abs(other - step))[:4])
            there = f"the nearest are those of steps {', '.join(map(str, near))}" if near else "there are none"
            raise FileError(f"{self.path}: no snapshot of step {step}; {there}")
        models = [Model.load(folder / SNAPSHOTS / f"{step}.safetensors") for folder in self._networks()]
        return models[0] if len(models) == 1 else Model.join(models)

    def _networks(self) -> list[Path]:
        """Return the folders in which the networks of the run are: its own, or those of the members so far."""
        if self.config.members == 1:
            return [self.path]
        return [folder for i in range(self.config.members) if (folder := self.path / f"member-{i + 1}").is_dir()]

    def dataset(self) -> Dataset:
        """Load the data that the run learns.

        Raises:
            DataError: it is gone, or can no longer be read.
            TrainingError: it was arrays in memory.
        """
        source = self.config.data
        if not source:
            raise TrainingError(
                f"{self.path}: this run learned from arrays in memory; from Python, give the same arrays again: "
                "glassnet.resume(path, dataset)"
            )
        try:
            dataset = load_dataset(source, classes=self.config.classes)
        except DataError as error:
            raise DataError(f"{self.path}: the data of this run cannot be loaded: {error}") from error
        return dataset.whole() if self.config.all_data else dataset

    @property
    def _part(self) -> str:
        """What a row of the history tells of."""
        return "member" if self.config.members > 1 else "epoch"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        rows, config = self.history, self.config
        facts: dict[str, object] = {"data": Path(config.data).name or "arrays in memory", "recipe": config.recipe}
        if rows:
            best, unit = self.best, self._part
            facts[f"{unit}s"] = f"{len(rows)}"
            if best["validation_accuracy"] is not None:
                of = f"epoch {best['epoch']}" if config.members == 1 else f"ensemble of {len(rows)}"
                facts["best validation accuracy"] = f"{best['validation_accuracy']:.2%} ({of})"
            facts["seconds"] = f"{rows[-1]['seconds']:.1f}"
        return card(f"Run {self.path.name}", facts, curves(rows) if config.members == 1 else "")


def find_runs(place: str | os.PathLike[str]) -> list[Run]:
    """Return the run that a folder is, or else the runs that are in it, by name.

    Raises:
        FileError: neither.
    """
    place = as_path(place)
    if (place / CONFIG).is_file():
        return [Run(place)]
    if not place.is_dir():
        raise FileError(f"{place}: no run folder or folder of runs there; is the path right?")
    runs = [Run(path.parent) for path in sorted(place.glob(f"*/{CONFIG}"))]
    if not runs:
        raise FileError(f"{place}: no runs in this folder (a run folder has a {CONFIG}); is the path right?")
    return runs


def open_model(path: str | os.PathLike[str] | None = None) -> Model:
    """Return the model of a run folder or of a model file, or the bundled model if no path is given.

    The bundled model comes with glassnet; it was trained on MNIST.

    Raises:
        FileError: neither a run folder nor a model file there.
    """
    path = BUNDLED if path is None else as_path(path)
    if not path.exists():
        if path.parent.name == SNAPSHOTS and path.stem.isdecimal():
            return Run(path.parent.parent).model_at(int(path.stem))  # which says which there are
        raise FileError(f"{path}: no run folder or model file there; is the path right?")
    return Run(path).model if path.is_dir() else Model.load(path)


def name_of(path: str | os.PathLike[str] | None) -> str:
    """Return the name of the model that `open_model` opens: of its run, of a snapshot with the step, or of its file."""
    if path is None:
        return "the bundled model"
    path = as_path(path).resolve()
    if path.parent.name == SNAPSHOTS and path.stem.isdecimal():
        return f"{path.parent.parent.name} at step {int(path.stem):,}"
    return path.name.removesuffix(".safetensors")
