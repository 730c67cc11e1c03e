"""Training a run in a new folder, and resuming one."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..data import Dataset
from ..errors import ConfigError, DataError, FileError, TrainingError
from ..files import only_process, write_atomically
from .assembly import prepare
from .callbacks import AnyCallback, RunUnderWay, check_callbacks
from .checkpoint import read_state
from .config import Config
from .ensemble import train_members
from .folder import CHECKPOINT, CONFIG
from .mpi import open_ranks
from .notebook_progress import notebook_callbacks
from .ranks import ALONE, Ranks
from .run import Run
from .run_loop import RunLoop
from .thread_choice import fastest_threads
from .workers import Workers

__all__ = ["choose_config", "make_run_folder", "resume", "train"]

SMALL = 5_000  # images: with fewer, an epoch of the default recipe has too few steps to learn from
TINY = 320  # images: with fewer, the same is true of the small recipe's batches


def choose_config(
    dataset: Dataset, recipe: str | Path | None, settings: Mapping[str, Any], *, as_written: bool = False
) -> Config:
    """Return the configuration for a data set, with a recipe and a batch size that suit it where none are given.

    Raises:
        ConfigError: a setting that cannot be.
        DataError: ``dataset`` is not a data set.
    """
    _check_dataset(dataset)
    if reserved := settings.keys() & {"data", "classes", "recipe"}:
        raise ConfigError(f"{min(reserved)}: follows from the data set and the recipe; leave it out")
    settings = {name: value for name, value in settings.items() if value is not None}
    if recipe is None:
        recipe = "small" if len(dataset.train) < SMALL else "default"
        if len(dataset.train) < TINY:
            settings = {"batch_size": max(len(dataset.train) // 10, 1)} | dict(settings)
    return Config.resolve(recipe, as_written=as_written, **settings, data=dataset.source, classes=dataset.classes)


def _check_dataset(dataset: object) -> None:
    if not isinstance(dataset, Dataset):
        raise DataError(f"training takes a data set, not {dataset!r:.40}; give it load_dataset(…)")


def train(
    dataset: Dataset,
    recipe: str | Path | None = None,
    *,
    as_written: bool = False,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[AnyCallback[RunUnderWay]] = (),
    jobs: int | None = None,
    dask: str | None = None,
    parallel: str | None = None,
    **settings: Any,
) -> Run:
    """Train a network and leave everything in a run folder.

    Args:
        dataset: from `glassnet.load_dataset`.
        recipe: a recipe's name or a TOML file; by default ``small`` where there are fewer than 5,000 images to learn
            from, else ``default``.
        as_written: for the recipe of a notebook: with that notebook's own mistakes.
        out: the run folder, new or empty; by default ``runs/<time>-<data>-<recipe>``.
        callbacks: see `Callback` and `RunCallback`.
        jobs: how many members of an ensemble are trained at once, in processes of their own; see `Workers`.
        dask: the address of a Dask scheduler whose workers train them.
        parallel: "mpi" for one run of all the processes that ``mpiexec`` began, see `glassnet.training.mpi`. Only
            rank 0 calls the callbacks and writes.
        **settings: any field of `Config`, such as ``epochs=3``, ``hidden=[128, 64]`` or ``members=5`` for an ensemble;
            they go over the recipe.

    Raises:
        ConfigError: a setting that cannot be.
        DataError: data that cannot be trained on.
        TrainingError: a folder that has a run already, a batch larger than the data, or weights that are not finite.
        FileError: the folder cannot be written.
        TrainingInterrupted: Ctrl-C, with everything saved; it is a KeyboardInterrupt.
    """
    ranks = open_ranks(parallel)
    with ranks.together():
        check_callbacks(callbacks)
        callbacks = [*callbacks, *notebook_callbacks()]
        config = choose_config(dataset, recipe, settings, as_written=as_written)
    ranks.check(config, dataset.fingerprint)
    name = f"{dataset.name}-{Path(recipe or config.recipe).stem}" + "-as-written" * as_written
    with ExitStack() as stack:
        with ranks.together():  # what cannot be trained on is refused before there is a folder
            workers = stack.enter_context(_workers_for(config, jobs, dask))
            config = config.model_copy(update=_computing(config, dataset, ranks, workers))
        with ranks.together():
            folder = Path() if ranks.rank else stack.enter_context(_begun(make_run_folder(out, name), config))
        folder = Path(ranks.broadcast(str(folder)))
        _train(folder, config, dataset, callbacks, workers, ranks)
    return Run(folder, required=ranks.rank == 0)


def resume(
    path: str | os.PathLike[str],
    dataset: Dataset | None = None,
    *,
    callbacks: Sequence[AnyCallback[RunUnderWay]] = (),
    jobs: int | None = None,
    dask: str | None = None,
    parallel: str | None = None,
) -> Run:
    """Go on with a run from its last checkpoint, to the same end as if it had never stopped.

    An ensemble goes on with the members that were stopped, and then with those that are missing.

    Args:
        path: the run folder.
        dataset: only for a run that learned from arrays in memory.
        callbacks: see `Callback` and `RunCallback`.
        jobs: as for `train`; it need not be what the run began with.
        dask: as for `train`.
        parallel: as for `train`, whatever the run began with, and with any number of processes. Each reads the run's
            settings in its folder.

    Raises:
        FileError: no run there, or a damaged one.
        TrainingError: the data has changed since the run began; and as for `train`.
    """
    ranks = open_ranks(parallel)
    with ranks.together():
        check_callbacks(callbacks)
        callbacks = [*callbacks, *notebook_callbacks()]
        run = Run(path)
        config, dataset = run.config, run.dataset() if dataset is None else dataset
        _check_dataset(dataset)
    ranks.check(config, dataset.fingerprint)
    with ExitStack() as stack:
        with ranks.together():
            workers = stack.enter_context(_workers_for(config, jobs, dask))
            if ranks.rank == 0:
                stack.enter_context(only_process(run.path))
        _train(run.path, config, dataset, callbacks, workers, ranks)
    return run


def _computing(config: Config, dataset: Dataset, ranks: Ranks, workers: Workers) -> dict[str, object]:
    """Return the settings that say what a run computes with; config.toml keeps them, so that it goes on with the same.

    Raises:
        DataError, TrainingError: what cannot be trained on.
    """
    first, _ = config.parts()[0]
    task = prepare(first, dataset)
    if ranks is not ALONE:
        return {"engine": task.engine}
    chosen = config.threads is not None or not workers.alone
    return {"engine": task.engine, "threads": task.threads if chosen else fastest_threads(first, task, dataset)}


def _workers_for(config: Config, jobs: int | None, dask: str | None) -> Workers:
    """Return the processes that train a run; one network is trained by one."""
    if config.members == 1 and (dask is not None or (jobs or 1) > 1):
        given = "jobs" if dask is None else "dask"
        raise ConfigError(
            f"{given}: one network is trained in one process; give members, for an ensemble, or no {given}"
        )
    return Workers(jobs, dask, pieces=config.members)


@contextmanager
def _begun(folder: Path, config: Config) -> Iterator[Path]:
    """Begin a run in a new or empty folder, in which no other process may write until its end."""
    with only_process(folder):
        if (folder / CONFIG).exists():
            raise TrainingError(
                f"{folder}: has a run already; choose another, or continue with: glassnet resume {folder}"
            )
        if any(folder.iterdir()):
            raise TrainingError(f"{folder}: is not empty; choose a new or an empty folder")
        write_atomically(folder / CONFIG, config.to_toml().encode())
        yield folder


def _train(
    folder: Path,
    config: Config,
    dataset: Dataset,
    callbacks: Sequence[AnyCallback[RunUnderWay]],
    workers: Workers,
    ranks: Ranks,
) -> None:
    """Train what a folder's run still has to do: the members of an ensemble, or one part after another."""
    if config.members > 1:
        train_members(folder, config, dataset, callbacks, workers)
        return
    checkpoint, here = folder / CHECKPOINT, None if ranks.rank else folder
    with ranks.together():
        done = read_state(checkpoint).epoch if here and checkpoint.exists() else 0
    for part, until in config.parts():
        if done < until or until == config.epochs:
            with ranks.together():
                loop = RunLoop(part, dataset, callbacks if here else (), folder=here, until=until, ranks=ranks)
            loop.run()
            if loop.stopped:
                break


def make_run_folder(out: str | os.PathLike[str] | None, name: str, runs: Path = Path("runs")) -> Path:
    """Make the folder that was asked for, or else ``<time>-<name>`` in ``runs``, which no other run has.

    Raises:
        FileError: it cannot be made.
    """
    folder, number = Path(out if out is not None else "."), 1
    try:
        if out is not None:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        folder = runs / stem
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
            number += 1
            folder = runs / f"{stem}-{number}"
    except OSError as error:
        raise FileError(f"{folder}: cannot be created ({error.strerror}); choose another folder with --out") from error
