"""Training a run in a new folder, and resuming one."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..data import Dataset
from ..errors import ConfigError, DataError, FileError, TrainingError, check_count
from ..files import advice, as_path, make_folder, write_atomically
from ..locks import only_process
from ..model import Model
from .assembly import prepare
from .callbacks import AnyCallback, RunUnderWay, check_callbacks
from .checkpoint import read_state
from .config import Config
from .ensemble import train_members
from .folder import CHECKPOINT, CONFIG, RunFolder
from .interruption import resume_command
from .mpi import open_ranks
from .notebook_progress import notebook_callbacks
from .ranks import ALONE, Ranks
from .run import Run, open_model
from .run_loop import RunLoop
from .start import SMALL, begin_with, dataset_for, recipe_for, settings_of
from .thread_choice import fastest_threads
from .workers import Workers

__all__ = ["choose_config", "make_run_folder", "resume", "train"]

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
    progress: bool | None = None,
    start: str | os.PathLike[str] | Model | None = None,
    **settings: Any,
) -> Run:
    """Train a network and leave everything in a run folder.

    Args:
        dataset: from `glassnet.load_dataset`.
        recipe: a recipe's name or a TOML file; by default ``small`` where there are fewer than 5,000 images to learn
            from, or ``fine-tune`` if the run starts from a model of the same classes, else ``default``.
        as_written: for the recipe of a notebook: with that notebook's own mistakes.
        out: the run folder, new or empty; by default ``runs/<time>-<data>-<recipe>``.
        callbacks: see `Callback` and `RunCallback`.
        jobs: how many members of an ensemble are trained at once, in processes of their own; see `Workers`.
        dask: the address of a Dask scheduler whose workers train them.
        parallel: "mpi" for one run of all the processes that ``mpiexec`` began, see `glassnet.training.mpi`. Only
            rank 0 calls the callbacks and writes.
        progress: whether to report how the run goes: on standard error, or in a notebook below its cell. By default
            where a person watches, which is in a terminal and in a notebook.
        start: a model, or the path of a model file or run folder, whose weights the network begins with. It decides the
            layers; the outputs begin anew where the classes are others than its own, or some of them.
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
        out = None if out is None else as_path(out, "out")
        model = start if start is None or isinstance(start, Model) else open_model(start)
        _check_dataset(dataset)
        if model is not None:
            dataset, recipe = dataset_for(model, dataset), recipe or recipe_for(model, dataset)
            settings = settings_of(model, dataset, settings)
        config = choose_config(dataset, recipe, settings, as_written=as_written)
        dataset = dataset.whole() if config.all_data else dataset
    ranks.check(config, dataset.fingerprint)
    name = f"{dataset.name}-{Path(recipe or config.recipe).stem}" + "-as-written" * as_written
    with ExitStack() as stack, _reporting(progress) as reporting:
        with ranks.together():  # what cannot be trained on is refused before there is a folder
            workers = stack.enter_context(_workers_for(config, jobs, dask))
            config = config.model_copy(update=_computing(config, dataset, ranks, workers))
        with ranks.together():
            folder = Path() if ranks.rank else stack.enter_context(_begun(make_run_folder(out, name), config))
        folder = Path(ranks.broadcast(str(folder)))
        _train(folder, config, dataset, [*reporting, *callbacks], workers, ranks, start=model)
    return Run(folder, required=ranks.rank == 0)


def resume(
    path: str | os.PathLike[str],
    dataset: Dataset | None = None,
    *,
    epochs: int | None = None,
    callbacks: Sequence[AnyCallback[RunUnderWay]] = (),
    jobs: int | None = None,
    dask: str | None = None,
    parallel: str | None = None,
    progress: bool | None = None,
) -> Run:
    """Go on with a run from its last checkpoint, to the same end as if it had never stopped.

    An ensemble goes on with the members that were stopped, and then with those that are missing.

    Args:
        path: the run folder.
        dataset: only for a run that learned from arrays in memory.
        epochs: train this many in all, more than the run has, also where it has come to its end. From there on, the
            learning rate follows the schedule of a run of so many epochs.
        callbacks: see `Callback` and `RunCallback`.
        jobs: as for `train`; it need not be what the run began with.
        dask: as for `train`.
        parallel: as for `train`, whatever the run began with, and with any number of processes. Each reads the run's
            settings in its folder.
        progress: as for `train`.

    Raises:
        ConfigError: no more epochs than the run has, or more epochs for an ensemble.
        FileError: no run there, or a damaged one.
        TrainingError: the data has changed since the run began; and as for `train`.
    """
    ranks = open_ranks(parallel)
    with ranks.together():
        check_callbacks(callbacks)
        run = Run(path)
        config, dataset = run.config, run.dataset() if dataset is None else dataset
        _check_dataset(dataset)
        dataset = dataset.whole() if config.all_data else dataset
        config = config if epochs is None else _with_epochs(run, epochs)
    ranks.check(config, dataset.fingerprint)
    with ExitStack() as stack, _reporting(progress) as reporting:
        with ranks.together():
            workers = stack.enter_context(_workers_for(config, jobs, dask))
            if ranks.rank == 0:
                stack.enter_context(only_process(run.path))
                if epochs is not None:
                    write_atomically(run.path / CONFIG, config.to_toml().encode())
        _train(run.path, config, dataset, [*reporting, *callbacks], workers, ranks, reopen=epochs is not None)
    return Run(path, required=ranks.rank == 0)


def _with_epochs(run: Run, epochs: int) -> Config:
    """Return the configuration of a run with more epochs."""
    check_count("epochs", epochs)
    if run.config.members > 1:
        raise ConfigError("epochs: an ensemble cannot be continued after its end; continue with its members one by one")
    done = read_state(run.path / CHECKPOINT).epoch
    if epochs <= done:
        raise ConfigError(f"epochs: the run has {done} already; give more than that, such as {2 * done}")
    return run.config.model_copy(update={"epochs": epochs})


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


@contextmanager
def _reporting(progress: bool | None) -> Iterator[list[AnyCallback[RunUnderWay]]]:
    """Yield what reports how a run goes, if somebody wants to know."""
    from .progress import Progress

    if progress is not False and (shown := notebook_callbacks()):
        yield shown
    elif progress or (progress is None and sys.stderr.isatty()):
        with closing(Progress()) as reporting:
            yield [reporting]
    else:
        yield []


def _workers_for(config: Config, jobs: int | None, dask: str | None) -> Workers:
    """Return the processes that train a run; one network is trained by one."""
    if jobs is not None:
        check_count("jobs", jobs)
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
                f"{folder}: has a run already; choose another, or continue with: {resume_command(folder)}"
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
    *,
    reopen: bool = False,
    start: Model | None = None,
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
                if reopen and isinstance(loop.storage, RunFolder):
                    loop.storage.reopen = True
                if start is not None and not done:
                    begin_with(loop, start, same_classes=start.classes == dataset.classes)
            loop.run()
            if loop.stopped:
                break


def make_run_folder(out: str | os.PathLike[str] | None, name: str, runs: Path = Path("runs")) -> Path:
    """Make the folder that was asked for, or else ``<time>-<name>`` in ``runs``, which no other run has.

    Raises:
        FileError: it cannot be made.
    """
    folder, number = as_path(out if out is not None else ".", "out"), 1
    try:
        if out is not None:
            if not folder.is_dir():
                make_folder(folder)
            return folder
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        folder = runs / stem
        while True:
            with suppress(FileExistsError):
                make_folder(folder)
                return folder
            number += 1
            folder = runs / f"{stem}-{number}"
    except OSError as error:
        what = advice(error, "choose another folder with --out")
        raise FileError(f"{folder}: cannot be created ({error.strerror}); {what}") from error
