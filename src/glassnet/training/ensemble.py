"""Several networks that differ by seed, trained one after the other and joined in one model file.

Each member has a run folder of its own inside the ensemble's: it can be watched, reported and resumed by itself.

    config.toml            with ``members``
    history.jsonl          a row a member
    model.safetensors      the members that are done, joined
    member-1, member-2, …  ordinary run folders

Members differ in first weights, in the order of the images and in dropout, which is enough for their mistakes to differ
(Lakshminarayanan, Pritzel and Blundell, 2017). The validation images are those of the first seed for all, so none of
them has learned an image that the ensemble is judged by.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from ..data import Dataset, Examples
from ..errors import FileError
from ..files import only_process, write_atomically
from ..model import Model
from .callbacks import Callback
from .config import Config
from .history import Row, read_history, write_history
from .interruption import INTERRUPTED, TrainingInterrupted
from .trainer import CONFIG, HISTORY, MODEL, Trainer, validate

__all__ = ["train_members"]


def train_members(folder: Path, config: Config, dataset: Dataset, callbacks: Sequence[Callback]) -> None:
    """Train the members that are not yet done, and join each to those before it.

    Args:
        folder: of the ensemble.
        config: of the ensemble.
        dataset: what each member learns.
        callbacks: each member's run calls them.

    Raises:
        DataError, TrainingError, FileError: as for a single run; or a member that does not fit the others.
        TrainingInterrupted: Ctrl-C, with everything saved.
    """
    rows = read_history(folder / HISTORY)
    models: list[Model] = []
    kept: list[Row] = []  # of each member, the row of its best epoch
    ends: list[Row] = []  # and that of its last
    for number in range(1, config.members + 1):
        trainer = _train_member(folder, config, number, dataset, callbacks)
        if not trainer.state.finished:
            return
        models.append(Model.load(trainer.folder / MODEL))
        kept.append(_best_row(trainer))
        ends.append(trainer.rows[-1])
        if number > len(rows):
            joined = Model.join(models)
            joined.save(folder / MODEL)
            rows.append(_row(kept, ends, joined, trainer.validation))
            write_history(folder / HISTORY, rows)
        if trainer.paused and number < config.members:  # as the member's last step was taken
            if trainer.stopped == INTERRUPTED:
                raise TrainingInterrupted(folder, trainer.state.step)
            return


def _train_member(
    folder: Path, config: Config, number: int, dataset: Dataset, callbacks: Sequence[Callback]
) -> Trainer:
    """Train a member to its end, from wherever it is, and return its trainer."""
    member = folder / f"member-{number}"
    if not (member / CONFIG).exists():
        write_atomically(member / CONFIG, config.member(number).to_toml().encode())
    trainer = Trainer(Config.load(member / CONFIG), dataset, callbacks)
    with only_process(member):
        try:
            trainer.run(member)
        except TrainingInterrupted as interrupted:
            raise TrainingInterrupted(folder, interrupted.step) from None
    return trainer


def _best_row(trainer: Trainer) -> Row:
    """Return the row of the epoch whose model a finished run has kept."""
    for row in trainer.rows:
        if row["epoch"] == trainer.state.best_epoch:
            return row
    raise FileError(
        f"{trainer.folder / HISTORY}: the row of epoch {trainer.state.best_epoch} is missing; delete "
        f"{trainer.folder}, then resume the ensemble: the member is trained anew"
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
