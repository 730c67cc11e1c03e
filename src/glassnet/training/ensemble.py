"""Several networks that differ by seed, trained one after the other or side by side, and joined in one model file.

Each member has a run folder of its own inside the ensemble's: it can be watched, reported and resumed by itself.

    config.toml            with ``members``
    history.jsonl          a row a member
    model.safetensors      the members that are done, joined
    member-1, member-2, …  ordinary run folders

Members differ in first weights, in the order of the images and in dropout, which is enough for their mistakes to differ
(Lakshminarayanan, Pritzel and Blundell, 2017). The validation images are those of the first seed for all, so none of
them has learned an image that the ensemble is judged by.

In other processes the members are what they would be here, bit for bit: each has its own seed and its own folder. A
worker on a machine that does not see the folder trains in one of its own, and sends the files.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from ..data import Dataset
from ..errors import FileError, TrainingError
from ..files import write_atomically
from ..locks import only_process
from ..model import Model
from .callbacks import AnyCallback, RunUnderWay
from .checkpoint import State, read_state
from .config import Config
from .folder import CHECKPOINT, CONFIG, HISTORY, MODEL
from .history import Row, read_history, write_rows
from .interruption import INTERRUPTED, TrainingInterrupted, interruptible, resume_command
from .run_loop import RunLoop
from .validation import validate
from .workers import ASKED, Workers, pack, unpack

__all__ = ["train_members"]


def train_members(
    folder: Path, config: Config, dataset: Dataset, callbacks: Sequence[AnyCallback[RunUnderWay]], workers: Workers
) -> None:
    """Train the members that are not yet done, and join each to those before it.

    Args:
        folder: of the ensemble.
        config: of the ensemble.
        dataset: what each member learns.
        callbacks: each member's run calls them where this process trains it; `Callback.on_member` is called anyway.
        workers: the processes that train.

    Raises:
        DataError, TrainingError, FileError: as for a single run; or a member that does not fit the others.
        TrainingInterrupted: Ctrl-C, with everything saved.
    """
    ensemble = _Ensemble(folder, config, dataset, callbacks)
    ensemble.join()
    runs = workers.run(_train_member, ensemble.pieces(workers))
    with interruptible(workers.stop):
        try:
            for member, (files, stopped) in runs:
                unpack(files, member)
                ensemble.join()
                if stopped:
                    workers.stop(stopped)
        except Exception:
            workers.stop("failed")
            for member, (files, _) in runs:  # what others have come to is kept
                unpack(files, member)
            raise
    if missing := ensemble.missing():
        if workers.stopped == INTERRUPTED:
            raise TrainingInterrupted(folder, _state(missing[0]).step)
        if workers.stopped == ASKED:  # and not by this process, which would have said why
            raise TrainingError(f"{missing[0]}: a worker lost its connection; continue with: {resume_command(folder)}")


def _train_member(
    member: Path, files: dict[str, bytes], dataset: Dataset, callbacks: Sequence[AnyCallback[RunUnderWay]]
) -> tuple[dict[str, bytes], str | None]:
    """Train a member to its end, from wherever it is; called in a worker.

    Args:
        member: its run folder, absolute in another process.
        files: what is there. A process that does not see that folder, or another of this name, has its own.
        dataset: what it learns.
        callbacks: that its run calls.

    Returns:
        Its files where the folder is not seen, and why it was stopped, if it was.
    """
    with ExitStack() as stack:
        seen = (member / CONFIG).is_file() and (member / CONFIG).read_bytes() == files[CONFIG]
        if not seen:
            member = Path(stack.enter_context(TemporaryDirectory(prefix="glassnet-")))
            unpack(files, member)
        loop = RunLoop(Config.load(member / CONFIG), dataset, callbacks, folder=member)
        stack.enter_context(only_process(member))
        with suppress(TrainingInterrupted):
            loop.run()
        return {} if seen else pack(member), loop.stopped if loop.paused else None


class _Ensemble:
    """The members that are done, joined in their order, and those that are missing."""

    def __init__(
        self, folder: Path, config: Config, dataset: Dataset, callbacks: Sequence[AnyCallback[RunUnderWay]]
    ) -> None:
        self.folder, self.config, self.dataset, self.callbacks = folder, config, dataset, callbacks
        self.members = [folder / f"member-{number}" for number in range(1, config.members + 1)]
        self.rows = read_history(folder / HISTORY)
        self.validation = dataset.split(config.validation, config.split_seed)[1]
        self.models: list[Model] = []
        self.kept: list[Row] = []  # of each model's member, the row of its best epoch
        self.ends: list[Row] = []  # and that of its last

    def missing(self) -> list[Path]:
        """Return the folders of the members that are not yet done."""
        return [member for member in self.members if not _state(member).finished]

    def pieces(self, workers: Workers) -> Iterator[tuple[Path, tuple[Any, ...]]]:
        """Yield the folder of each member that is missing, and the arguments of `_train_member`."""
        callbacks = self.callbacks if workers.alone else workers.callbacks
        shared = workers.share(self.dataset)
        for member in self.missing():
            if not (member / CONFIG).exists():
                config = self.config.member(self.members.index(member) + 1)
                write_atomically(member / CONFIG, config.to_toml().encode())
            place = member if workers.alone else member.resolve()
            yield member, (place, pack(member), shared, callbacks)

    def join(self) -> None:
        """Join the members that are done to those before them; those before which one is missing wait for it."""
        for number, member in enumerate(self.members, 1):
            if not _state(member).finished:
                return
            if number > len(self.models):
                self._add(member)
            if number > len(self.rows):
                joined = Model.join(self.models)
                joined.save(self.folder / MODEL)
                self.rows.append(self._row(joined))
                write_rows(self.folder / HISTORY, self.rows)
                for callback in self.callbacks:
                    callback.on_member(number, self.rows[-1])

    def _add(self, member: Path) -> None:
        """Read what a member has come to."""
        model, history, best = Model.load(member / MODEL), read_history(member / HISTORY), _state(member).best_epoch
        if model.fingerprint != self.dataset.fingerprint:
            raise TrainingError(f"{member}: the data has changed since; put the old data back, or train again")
        rows = [row for row in history if row["epoch"] == best]
        if not rows:
            raise FileError(
                f"{member / HISTORY}: the row of epoch {best} is missing; delete {member}, then resume the ensemble: "
                "the member is trained again"
            )
        self.models.append(model)
        self.kept.append(rows[0])
        self.ends.append(history[-1])

    def _row(self, joined: Model) -> Row:
        """Return the row of the members so far.

        Epochs, steps and seconds are those of all together. Loss and accuracy in training are means over the members;
        in validation they are those of the mean probability.
        """
        loss, accuracy = validate(joined, self.validation)
        return {
            **{key: sum(row[key] for row in self.ends) for key in ("epoch", "step", "seconds")},
            "learning_rate": self.ends[-1]["learning_rate"],
            "loss": fmean(row["loss"] for row in self.kept),
            "accuracy": fmean(row["accuracy"] for row in self.kept),
            "validation_loss": loss,
            "validation_accuracy": accuracy,
        }


def _state(member: Path) -> State:
    """Return how far a member has come."""
    return read_state(member / CHECKPOINT) if (member / CHECKPOINT).is_file() else State()
