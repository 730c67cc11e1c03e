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
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..errors import ConfigError, DataError, FileError
from ..files import read_regular, write_atomically
from ..training import Config
from ..training.history import cost
from ..training.recipe import MAX_TOML_BYTES
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
        FileError: a damaged file, or one that is no search's; or, also while the study is in use, a full disk.
        DataError: a study of another data set.
        ConfigError: a study of other settings.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    path = folder / STUDY
    own = {
        "fingerprint": dataset.fingerprint,
        "source": dataset.source or dataset.name,
        "settings": config.model_dump(mode="json", exclude=_NOT_SEARCHED),
        "searched": searched,
    }
    try:
        with ExitStack() as closing:
            study = _load(path, config, closing)
            if study.trials:
                _check(folder, study.user_attrs, own)
                _check_trials(study, path, config)
            else:
                for name, value in own.items():
                    study.set_user_attr(name, value)
            _fail_running(study)
            closing.callback(_fail_running_if_possible, study)
            # Another seed after each trial, so that a search that goes on does not repeat itself.
            study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
            yield study
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        raise _fault(path, error) from error


def _load(path: Path, config: Config, closing: ExitStack) -> "Study":
    """Return the study of a file, whose trials can be read.

    Raises:
        FileError: it cannot be opened, or something else is in it.
    """
    try:
        if not path.exists():
            write_atomically(path, _empty_study(config))
        study = _opened(path, config, closing)
        study.get_trials(deepcopy=False)
    except FileError:
        raise
    except Exception as error:  # Optuna and SQLAlchemy say by many exceptions that what they read cannot be
        raise _fault(path, error) from error
    return study


def _empty_study(config: Config) -> bytes:
    """Return the file of a study without trials.

    Optuna makes its tables and their indices one by one. Where it was killed in between, an index would be missing for
    good, by which the study is the only one of its name: it would be made again, and none could be opened.
    """
    with TemporaryDirectory() as place, ExitStack() as closing:
        path = Path(place) / STUDY
        _opened(path, config, closing)
        return path.read_bytes()


def _opened(path: Path, config: Config, closing: ExitStack) -> "Study":
    """Return the study of a file, which is made where there is none."""
    import optuna
    from sqlalchemy.pool import NullPool

    # Without a pool each connection is closed when it has been used; one left in a pool is never closed.
    engine = {"connect_args": {"timeout": WAIT}, "poolclass": NullPool}
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}", engine_kwargs=engine)
    closing.callback(storage.engine.dispose)
    closing.callback(storage.remove_session)
    return optuna.create_study(
        study_name=NAME,
        storage=storage,
        direction=direction_of(config),
        pruner=optuna.pruners.NopPruner(),  # the workers' prunes
        load_if_exists=True,
    )


def _check_trials(study: "Study", path: Path, config: Config) -> None:
    """Refuse a study of which a trial does not have what a search writes of it."""
    kinds = {"settings": dict, "seconds": float | int, "complaint": str, "kept": bool}
    for trial in done_trials(study):
        facts = trial.user_attrs
        right = all(isinstance(facts.get(name), kind) for name, kind in kinds.items())
        try:
            Config.model_validate(config.model_dump() | facts.get("settings", {}))
        except (ValueError, TypeError):
            right = False
        if not right or (trial.state.name == "COMPLETE" and trial.value is None):
            raise FileError(f"{path}: trial {trial.number} is damaged; choose another folder with --out")


def _fault(path: Path, error: BaseException) -> FileError:
    """Return what to tell of an error of Optuna's, SQLAlchemy's, SQLite's or the system's."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, sqlite3.Error | OSError):
        found = found.__cause__ or found.__context__
    other = sqlite3.SQLITE_IOERR if isinstance(found, OSError) else sqlite3.SQLITE_CORRUPT
    code = getattr(found, "sqlite_errorcode", other) & 0xFF  # the rest of it says more than is needed
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH):
        return FileError(f"{path}: not a study, or a damaged one; choose another folder with --out")
    what = "free space" if code == sqlite3.SQLITE_FULL else "see to its disk and permissions"
    return FileError(f"cannot read or write {path}: {found}; {what}, and the same search again goes on")


def _fail_running(study: "Study") -> None:
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _fail_running_if_possible(study: "Study") -> None:
    """Do so at the end, unless the disk does not take it: then the next search does."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    with suppress(SQLAlchemyError, OptunaError):
        _fail_running(study)


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
    try:
        is_there = read_regular(folder / BEST, MAX_TOML_BYTES) == text.encode()
    except OSError:
        is_there = False
    if not is_there:
        write_atomically(folder / BEST, text.encode())
