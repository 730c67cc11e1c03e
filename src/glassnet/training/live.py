"""What a run tells while it goes: how its steps fare, for everyone, and the network itself, for whoever watches.

Both are files in the run folder, so that whoever looks needs nothing else. Neither takes part in the training: a disk
that does not take them, or memory that does not hold a copy, costs a line or a picture, never the run.
"""

from contextlib import suppress
from pathlib import Path
from time import perf_counter

from ..errors import FileError
from .callbacks import RunCallback, RunUnderWay
from .folder import LIVE, STEPS, is_run_folder
from .history import append_row, read_steps, write_rows

__all__ = ["Live", "StepLog", "remove_live"]

LINE_EVERY = 0.25  # seconds
MODEL_EVERY = 0.25  # seconds
SHARE = 0.02  # of the time, at most, goes into writing the network


class StepLog(RunCallback):
    """Adds a line to ``steps.jsonl`` up to four times a second, and one at the end of the run.

    Each line tells of the steps since the one before it: ``step`` and ``epoch`` (counted from 1) that the run had come
    to, ``seconds`` (of training so far), ``loss`` (mean over the steps), ``accuracy`` (over their images; None where
    whole batches are not counted), ``learning_rate`` (of the last step), ``images_per_second`` and ``total_steps`` (of
    the whole run).
    """

    def on_start(self, run: RunUnderWay) -> None:
        self._path = run.folder / STEPS
        remove_live(run.folder)  # of a process that was killed
        with suppress(OSError, FileError):
            # Later steps than the checkpoint's will be taken again.
            write_rows(self._path, [row for row in read_steps(self._path) if row["step"] <= run.state.step])
        state = run.state
        self._epoch, self._seen_before, self._correct_before = state.epoch, state.seen, state.correct
        self._begin(state.seconds)
        self._written = -LINE_EVERY  # so that the first step is seen at once

    def _begin(self, seconds: float) -> None:
        self._steps, self._loss, self._seen, self._correct, self._since = 0, 0.0, 0.0, 0.0, seconds
        self._written = perf_counter()

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        state = run.state
        if state.epoch != self._epoch:  # what the run counts began anew
            self._epoch, self._seen_before, self._correct_before = state.epoch, 0, 0
        self._steps += 1
        self._loss += loss
        self._seen += state.seen - self._seen_before
        self._correct += state.correct - self._correct_before
        self._seen_before, self._correct_before = state.seen, state.correct
        if perf_counter() - self._written >= LINE_EVERY:
            self._write(run)

    def on_end(self, run: RunUnderWay) -> None:
        self.tell(run)

    def tell(self, run: RunUnderWay) -> None:
        """Write the line of the steps since the last one now, if there are any."""
        if self._steps:
            self._write(run)

    def _write(self, run: RunUnderWay) -> None:
        state = run.state
        row = {
            "step": state.step,
            "epoch": self._epoch + 1,
            "seconds": round(state.seconds, 4),
            "loss": self._loss / self._steps,
            "accuracy": None if run.config.batch_size == "all" else self._correct / self._seen,
            "learning_rate": run.schedule(state.step - 1),
            "images_per_second": round(self._seen / max(state.seconds - self._since, 1e-9), 1),
            "total_steps": run.total_steps,
        }
        with suppress(FileError):
            if is_run_folder(run.folder):
                append_row(self._path, row)
        self._begin(state.seconds)


class Live(RunCallback):
    """Keeps the network as it is now in ``live.safetensors``, up to four times a second, until the run ends.

    For runs at which somebody looks: a large network takes a while to write, and then it is written less often, so that
    it never takes more than a fiftieth of the time. Where ``ema`` is set it is the averaged network, which is the one
    that validation judges.
    """

    def on_start(self, run: RunUnderWay) -> None:
        self.write(run)  # the noise that everything grows out of

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if perf_counter() >= self._due:
            self.write(run)

    def write(self, run: RunUnderWay) -> None:
        """Write the network now, as before a pause."""
        start = perf_counter()
        # A full disk or memory, or weights that are NaN, which the run itself will report.
        with suppress(FileError, MemoryError):
            if is_run_folder(run.folder):  # else it was deleted, and it is not for this to bring it back
                run.model.save(run.folder / LIVE, durable=False)
        end = perf_counter()
        self._due = end + max(MODEL_EVERY, (end - start) / SHARE)


def remove_live(folder: Path) -> None:
    """Remove the network of the moment from a run folder, if there is one."""
    with suppress(OSError):
        (folder / LIVE).unlink(missing_ok=True)
