"""The study of a search: Optuna's, in an SQLite file, and what else is in its folder.

    study.db     every trial: what was tried, and what came of it epoch by epoch; other tools of Optuna's read it too
    best.toml    the best settings so far, a recipe for ``glassnet train``
    trial-12     the run folder of the best trial so far

Of the other trials nothing but their rows in the study stays: fifty runs would be a gigabyte, of which one is wanted.
Only the process of the search opens the file, however many workers there are and wherever, so that nobody waits for a
lock; it asks for settings and tells what came of them by Optuna's ask-and-tell interface. Optuna's storages for
clusters would need a disk that all machines share (JournalStorage), a database server (RDBStorage) or an open port of
this process (GrpcStorageProxy), or would keep the study with the scheduler (DaskStorage), where it is lost with it.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..errors import ConfigError, DataError, FileError
from ..files import write_atomically
from ..training import Config
from ..training.history import cost
from .trial import direction_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["BEST", "STUDY", "best_of", "done_trials", "keep_best", "open_study"]

STUDY, BEST = "study.db", "best.toml"
NAME = "glassnet"  # of the study in its file
WAIT = 60  # seconds, for somebody who looks into the file

_NOT_SEARCHED = {"data", "classes", "engine", "threads"}  # what the data says, and what changes no result


@contextmanager
def open_study(folder: Path, config: Config, searched: list[str], dataset: Dataset) -> Iterator["Study"]:
    """Open the study in a folder, or begin one; what is left of it running, also by a killed search, has failed.

    Raises:
        FileError: a damaged file, or one that is no search's.
        DataError: a study of another data set.
        ConfigError: a study of other settings.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    path = folder / STUDY
    try:
        # Without a pool each connection is closed when it has been used; one left in a pool is never closed.
        engine = {"connect_args": {"timeout": WAIT}, "poolclass": NullPool}
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}", engine_kwargs=engine)
        study = optuna.create_study(
            study_name=NAME,
            storage=storage,
            direction=direction_of(config),
            pruner=optuna.pruners.NopPruner(),  # the workers' prunes
            load_if_exists=True,
        )
        known = study.user_attrs
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
        raise FileError(f"{path}: not a study, or a damaged one; choose another folder with --out") from error
    own = {
        "fingerprint": dataset.fingerprint,
        "source": dataset.source or dataset.name,
        "settings": config.model_dump(mode="json", exclude=_NOT_SEARCHED),
        "searched": searched,
    }
    with ExitStack() as closing:
        closing.callback(storage.engine.dispose)
        closing.callback(storage.remove_session)
        if study.trials:
            _check(folder, known, own)
        else:
            for name, value in own.items():
                study.set_user_attr(name, value)
        _fail_running(study)
        closing.callback(_fail_running, study)
        # Another seed after each trial, so that a search that goes on does not repeat itself.
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
        yield study


def _fail_running(study: "Study") -> None:
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _check(folder: Path, known: dict[str, Any], own: dict[str, Any]) -> None:
    """Refuse a study of other data or of other settings."""
    if not set(own) <= set(known):
        raise FileError(f"{folder / STUDY}: a study, but no search of glassnet's; choose another folder with --out")
    if known["fingerprint"] != own["fingerprint"]:
        raise DataError(
            f"{folder}: a search of another data set ({known['source']}, or as it was then); "
            "choose another folder with --out"
        )
    other = [
        f"this search has {name} {known['settings'].get(name)}, not {value}"
        for name, value in own["settings"].items()
        if known["settings"].get(name) != value
    ]
    if known["searched"] != own["searched"]:
        other.append(f"this search is over {', '.join(known['searched']) or 'nothing'}")
    if other:
        raise ConfigError(f"{folder}: {other[0]}; give the same settings, or another folder with --out")


def done_trials(study: "Study") -> list["FrozenTrial"]:
    """Return the trials that have an outcome, pruned ones too, in their order."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def best_of(done: Sequence["FrozenTrial"], config: Config) -> "FrozenTrial | None":
    """Return the best of the trials that are done and whose run is kept, or None where there is none."""
    kept = [trial for trial in done if trial.user_attrs.get("kept")]
    return min(kept, key=lambda trial: (cost(config.monitor, trial.value or 0.0), trial.number), default=None)


def keep_best(study: "Study", folder: Path, config: Config) -> None:
    """Write the best settings, and delete all run folders but that of the best trial."""
    best = best_of(done_trials(study), config)
    for other in folder.glob("trial-*"):
        if best is None or other.name != f"trial-{best.number}":
            shutil.rmtree(other, ignore_errors=True)
    if best is None:
        return
    chosen = Config.model_validate(config.model_dump() | best.user_attrs["settings"])
    settings = chosen.model_copy(update={"threads": None}).to_recipe()
    text = f"# Trial {best.number} of the search {folder.name}, chosen by {config.monitor}.\n{settings}"
    if not (folder / BEST).is_file() or (folder / BEST).read_text("utf-8") != text:
        write_atomically(folder / BEST, text.encode())
