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

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from ..data import Dataset, Examples
from ..errors import FileError, TrainingError
from ..files import only_process, write_atomically
from ..model import Model
from .callbacks import AnyCallback, RunUnderWay
from .checkpoint import read_state
from .config import Config
from .folder import CHECKPOINT, CONFIG, HISTORY, MODEL
from .history import Row, read_history, write_rows
from .interruption import INTERRUPTED, TrainingInterrupted, interruptible
from .run_loop import RunLoop
from .validation import validate
from .workers import StopSign, StopWhenAsked, Workers, pack, unpack

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
    rows = read_history(folder / HISTORY)
    models: list[Model] = []
    kept: list[Row] = []  # of each member, the row of its best epoch
    ends: list[Row] = []  # and that of its last
    with ExitStack() as stack:
        if not workers.alone:
            wait_for = stack.enter_context(_side_by_side(folder, config, dataset, workers))
        for number in range(1, config.members + 1):
            if not workers.alone:
                wait_for(number)
            loop = _train_member(folder, config, number, dataset, callbacks)
            if not loop.state.finished:
                return
            models.append(Model.load(loop.folder / MODEL))
            kept.append(_best_row(loop))
            ends.append(loop.rows[-1])
            if number > len(rows):
                joined = Model.join(models)
                joined.save(folder / MODEL)
                rows.append(_row(kept, ends, joined, loop.validation))
                write_rows(folder / HISTORY, rows)
                for callback in callbacks:
                    callback.on_member(number, rows[-1])
            if loop.paused and number < config.members:  # as the member's last step was taken
                if loop.stopped == INTERRUPTED:
                    raise TrainingInterrupted(folder, loop.state.step)
                return


def _train_member(
    folder: Path, config: Config, number: int, dataset: Dataset, callbacks: Sequence[AnyCallback[RunUnderWay]]
) -> RunLoop:
    """Train a member to its end, from wherever it is, and return its loop."""
    member = folder / f"member-{number}"
    if not (member / CONFIG).exists():
        write_atomically(member / CONFIG, config.member(number).to_toml().encode())
    loop = RunLoop(Config.load(member / CONFIG), dataset, callbacks, folder=member)
    with only_process(member):
        try:
            loop.run()
        except TrainingInterrupted as interrupted:
            raise TrainingInterrupted(folder, interrupted.step) from None
    return loop


@contextmanager
def _side_by_side(folder: Path, config: Config, dataset: Dataset, workers: Workers) -> Iterator[Callable[[int], None]]:
    """Train the members that are not yet done in other processes.

    Yields:
        A function that waits for a member. It raises TrainingInterrupted where the member was stopped by Ctrl-C.
    """
    place, named, shared = folder.resolve(), (folder / CONFIG).read_bytes(), workers.share(dataset)
    missing = [number for number in range(1, config.members + 1) if not _is_finished(folder / f"member-{number}")]
    with interruptible(workers.stop):
        started = {
            number: workers.start(
                _train_elsewhere, place, named, config, number, shared, workers.sign, pack(place / f"member-{number}")
            )
            for number in missing
        }

        def wait_for(number: int) -> None:
            member = folder / f"member-{number}"
            if number in started:
                unpack(started[number].result() or {}, member)
                if not _is_finished(member):
                    if not workers.stopped:
                        raise TrainingError(f"{member}: stopped by itself; go on with: glassnet resume {folder}")
                    raise TrainingInterrupted(folder, _step(member))

        try:
            yield wait_for
        except BaseException:
            workers.stop()
            for number, work in started.items():  # what others have come to is kept
                if work.exception() is None:
                    unpack(work.result() or {}, folder / f"member-{number}")
            raise


def _train_elsewhere(
    folder: Path,
    named: bytes,
    config: Config,
    number: int,
    dataset: Dataset,
    sign: StopSign,
    files: dict[str, bytes],
) -> dict[str, bytes]:
    """Train a member in a worker, and return its files where the worker does not see the ensemble's folder.

    Args:
        folder: of the ensemble, absolute.
        named: what its configuration file holds, by which it is recognised.
        config: of the ensemble.
        number: of the member.
        dataset: what it learns.
        sign: to stop.
        files: of the member, as far as it has come.
    """
    callbacks = [StopWhenAsked(sign)]
    if (folder / CONFIG).is_file() and (folder / CONFIG).read_bytes() == named:
        with suppress(TrainingInterrupted):
            _train_member(folder, config, number, dataset, callbacks)
        return {}
    with TemporaryDirectory(prefix="glassnet-") as here:
        unpack(files, Path(here, f"member-{number}"))
        with suppress(TrainingInterrupted):
            _train_member(Path(here), config, number, dataset, callbacks)
        return pack(Path(here, f"member-{number}"))


def _is_finished(member: Path) -> bool:
    return (member / CHECKPOINT).is_file() and read_state(member / CHECKPOINT).finished


def _step(member: Path) -> int:
    return read_state(member / CHECKPOINT).step if (member / CHECKPOINT).is_file() else 0


def _best_row(loop: RunLoop) -> Row:
    """Return the row of the epoch whose model a finished run has kept."""
    for row in loop.rows:
        if row["epoch"] == loop.state.best_epoch:
            return row
    raise FileError(
        f"{loop.folder / HISTORY}: the row of epoch {loop.state.best_epoch} is missing; delete "
        f"{loop.folder}, then resume the ensemble: the member is trained anew"
    )


def _row(kept: Sequence[Row], ends: Sequence[Row], joined: Model, validation: Examples) -> Row:
    """Return the row of the members so far.

    Epochs, steps and seconds are those of all together. Loss and accuracy in training are means over the members;
    in validation they are those of the mean probability.
    """
    loss, accuracy = validate(joined, validation)
    return {
        **{key: sum(row[key] for row in ends) for key in ("epoch", "step", "seconds")},
        "learning_rate": ends[-1]["learning_rate"],
        "loss": fmean(row["loss"] for row in kept),
        "accuracy": fmean(row["accuracy"] for row in kept),
        "validation_loss": loss,
        "validation_accuracy": accuracy,
    }
