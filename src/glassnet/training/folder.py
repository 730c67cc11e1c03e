"""The run folder: what its files are called, and how a run is kept in them so that it never gets lost.

    config.toml              the configuration as resolved, enough to run it again
    history.jsonl            a line a report
    steps.jsonl              how its steps fare
    model.safetensors        the best model so far
    checkpoint.safetensors   all that going on takes
    live.safetensors         the network of this moment, while somebody watches
    snapshots/               the weights at some forty steps, see `glassnet.training.snapshots`

`Run` reads what is there.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from ..doubt import Doubt
from ..errors import FileError
from ..files import sync
from ..model import Model
from ..nn.types import Array
from .checkpoint import State, load_checkpoint, run_tensors, save_checkpoint
from .history import Row, append_row, read_history, write_rows
from .loop import Loop, Storage

__all__ = ["CHECKPOINT", "CONFIG", "HISTORY", "LIVE", "MODEL", "SNAPSHOTS", "STEPS", "RunFolder", "is_run_folder"]

CONFIG = "config.toml"
HISTORY, STEPS = "history.jsonl", "steps.jsonl"
MODEL, CHECKPOINT, LIVE = "model.safetensors", "checkpoint.safetensors", "live.safetensors"
SNAPSHOTS = "snapshots"

SAVE_EVERY = 5.0  # seconds: what a killed run has to do again


class RunFolder(Storage):
    """Keeps a run in its folder.

    A checkpoint never knows more than the other files, which are written before it.

    Args:
        path: of the folder.
        model: what is kept of the run: the network that validation judges, with preprocessing and class names.
        find_doubt: calibrates the doubt of the best model when the run ends.
    """

    resumable = True

    def __init__(self, path: Path, model: Model, find_doubt: Callable[[Model], Doubt | None]) -> None:
        self.path, self._model, self._find_doubt = path, model, find_doubt
        self.reopen = False  # to go on with a run that has come to its end
        self._kept: tuple[Array, Array] | None = None  # the parameters that the model file has got from this loop
        self._at_end = False  # whether the model file has all that the end of a run adds

    def begin(self, loop: Loop) -> None:
        """Bring a loop to where its checkpoint is, or make the first one.

        What was reported between the checkpoint and a crash is dropped, and will be reported again.
        """
        checkpoint = self.path / CHECKPOINT
        resumed = checkpoint.exists()
        if resumed:
            parts = loop.network, loop.optimizer, loop.average
            loop.state = load_checkpoint(checkpoint, *parts, self._model.fingerprint)
            loop.state.finished &= not self.reopen
            self._check_state(loop)
            self._check_model(loop.state)
        loop.rows = read_history(self.path / HISTORY, until=loop.state.epoch)
        write_rows(self.path / HISTORY, loop.rows)
        self._saved = perf_counter()
        if not resumed:
            self.save(loop)

    def is_due(self) -> bool:
        return perf_counter() - self._saved > SAVE_EVERY

    def save(self, loop: Loop) -> None:
        """Write the best model and the history, then the checkpoint; none of it where a number is not finite."""
        self._require()
        loop.check_finite(run_tensors(loop.network, loop.optimizer, loop.average).values())
        self.save_best(loop)
        sync(self.path / HISTORY)
        save_checkpoint(
            self.path / CHECKPOINT, loop.network, loop.optimizer, loop.average, loop.state, self._model.fingerprint
        )
        self._saved = perf_counter()

    def add_row(self, loop: Loop, row: Row) -> None:
        """Add a row to the history; from the first one on there is a model to look at."""
        self._require()
        append_row(self.path / HISTORY, row)
        if not (self.path / MODEL).exists():
            self.save_best(loop)

    def save_best(self, loop: Loop) -> None:
        """Write the model file, if the loop has better parameters than those in it; at the end, add the doubt."""
        if not is_run_folder(self.path):
            return
        if loop.best is not None and loop.best is not self._kept:
            network = self._model.network
            current = network.parameters.copy(), network.statistics.copy()
            network.parameters[...], network.statistics[...] = loop.best
            try:
                self._model.save(self.path / MODEL)
            finally:
                network.parameters[...], network.statistics[...] = current
            self._kept = loop.best
        if loop.state.finished and not self._at_end and (self.path / MODEL).exists():
            best = Model.load(self.path / MODEL)  # which may be from before a resume, or before a later mistake
            best.doubts = self._find_doubt(best)
            if best.doubts is not None:
                best.save(self.path / MODEL)
            self._at_end = True

    def _require(self) -> None:
        if not is_run_folder(self.path):
            raise FileError(f"{self.path}: was deleted, moved or emptied during the run, so nothing can be saved")

    def _check_model(self, state: State) -> None:
        """Refuse to go on from a best epoch whose model is lost, since no later one may be better."""
        if state.best is None or state.finished:
            return
        try:
            Model.load(self.path / MODEL)
        except FileError as error:
            raise FileError(f"{error}; it holds the best epoch; put it back, or train again") from error

    def _check_state(self, loop: Loop) -> None:
        """Refuse a state that no run of this length and data can be in."""
        state, batches = loop.state, len(loop.steps.batches)
        taken = state.step - state.epoch * batches
        started = 0 < taken <= batches  # all steps taken, the epoch not yet reported
        if state.epoch > loop.config.epochs or not (started or taken == 0) or started != (state.seen > 0):
            raise FileError(f"{self.path / CHECKPOINT}: damaged: its step, epoch and counts do not fit together")


def is_run_folder(folder: Path) -> bool:
    """Whether a run's folder is there. While a run goes on, somebody may delete, move or empty it."""
    return (folder / CONFIG).is_file()
