"""``glassnet train`` and ``glassnet resume``."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from .. import training
from ..data import Dataset, load_dataset
from ..errors import ConfigError, GlassnetError
from ..logs import TensorBoard
from ..training import Config, Run, Settings, notebook_names
from .output import command, percent, print_facts, print_json
from .progress import Progress
from .serve import PORT, page_beside

__all__ = ["Flags", "load_named", "resume", "train"]

REPORTED = "training-accuracy-reported"

Flags: TypeAlias = Annotated[
    Settings | None, Parameter(name="*", consume_multiple=True, show_default=False, negative_iterable=())
]
"""A flag for each setting."""


def train(
    data: str | None = None,
    /,
    *,
    recipe: str | None = None,
    as_written: Annotated[bool, Parameter(negative=())] = False,
    classes: int | None = None,
    settings: Flags = None,
    out: Path | None = None,
    parallel: str | None = None,
    watch: Annotated[bool, Parameter(negative=())] = False,
    port: int | None = None,
    tensorboard: Path | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    json: bool = False,
) -> None:
    """Train a network and keep it in a run folder.

    A flag given here wins over the recipe. Ctrl-C saves, and says how to go on. A run that is killed loses some five
    seconds; `glassnet resume` goes on with it. With --members 5, five networks are trained, each in a run folder of its
    own inside this one, and joined in one model file.

    Parameters
    ----------
    data
        What to learn: digits, mnist, openml, or the path of a folder of IDX files, Kaggle's train.csv, Keras's
        mnist.npz, or a folder with a folder of PNG or JPEG pictures for each class. By default what the recipe's file
        says, or else digits.
    recipe
        A recipe (see `glassnet recipes`) or a TOML file of settings. By default "small" for fewer than 5,000 images,
        else "default".
    as_written
        With the mistakes of the notebook that the recipe cures (notebook-000 to notebook-004).
    classes
        How many classes the labels have, 0 and up; by default ten. In folders of pictures the folders count instead.
    out
        The run folder, new or empty. By default runs/TIME-DATA-RECIPE.
    parallel
        mpi: one run of all the processes that mpiexec began, each on its share of every batch; as in
        mpiexec -n 4 glassnet train mnist --parallel mpi
    watch
        Open a page beside the training, on which the run can be watched as it goes and afterwards, until Ctrl-C.
    port
        Of that page; by default 8000. 0 is any that is free.
    tensorboard
        A folder of logs in which the run gets an event file as it goes: tensorboard --logdir FOLDER shows it.
    jobs
        How many members of an ensemble are trained at once, in processes of their own.
    dask
        The address of a Dask scheduler whose workers train them, such as tcp://127.0.0.1:8786.
    json
        Print the result as JSON.
    """
    if port is not None and not watch:
        raise ConfigError(f"--port {port}: it is the page's; give --watch too")
    runs = Path("runs") if out is None else out.parent
    if tensorboard is not None and tensorboard.resolve() == runs.resolve():
        raise ConfigError(f"--tensorboard {tensorboard}: is where the run folders are; choose another, such as logs")
    if watch and parallel:
        raise ConfigError("--watch: the page looks at one process; leave it out, and look with: glassnet serve")
    given = settings.model_dump(exclude_unset=True) if settings else {}
    with ExitStack() as beside, _one_of_many(parallel) as ranks:
        page = beside.enter_context(page_beside(out, PORT if port is None else port)) if watch else None
        progress = Progress()
        try:
            with ranks.together():
                logs = [] if tensorboard is None or ranks.rank else [TensorBoard(tensorboard)]
                dataset = load_named(data, recipe, classes)
            callbacks = [progress, *logs, *([training.Live()] if page else [])]
            run = training.train(
                dataset,
                recipe,
                as_written=as_written,
                out=out,
                callbacks=callbacks,
                jobs=jobs,
                dask=dask,
                parallel=parallel,
                **given,
            )
        finally:
            progress.close()
        if ranks.rank == 0:
            _show(run, json)
        if page:
            sys.stdout.flush()  # the result is for whoever reads it in a pipe, and this line for the person
            print(f"The page stays at {page.address} until Ctrl-C.", file=sys.stderr, flush=True)
            page.wait()


@contextmanager
def _one_of_many(parallel: str | None) -> Iterator[training.Ranks]:
    """Of the processes that ``mpiexec`` began, let the first alone say what is wrong, unless it cannot know."""
    rank, size = training.launched_ranks()
    try:
        if parallel is None and size > 1:
            raise ConfigError(
                f"mpiexec has begun {size} processes, and each would train a run of its own; give --parallel mpi"
            )
        yield training.open_ranks(parallel)
    except GlassnetError as error:
        of_this_machine = isinstance(error.__cause__, ImportError | RuntimeError)  # which has no MPI
        if rank and not of_this_machine:
            raise SystemExit(2) from None
        raise


def load_named(data: str | None, recipe: str | None, classes: int | None) -> Dataset:
    """Load what the flags name, or else the recipe's file."""
    named = Config.resolve(recipe or "default")
    return load_dataset(data or named.data, classes=classes or named.classes)


def resume(
    run: Path,
    /,
    *,
    tensorboard: Path | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    parallel: str | None = None,
    json: bool = False,
) -> None:
    """Go on with a run that was interrupted or killed.

    It goes on from its last checkpoint, in the middle of an epoch too, and comes to the same end, bit for bit, as if
    it had never stopped.

    Parameters
    ----------
    run
        The run folder.
    tensorboard
        As for `glassnet train`; the event file begins with all that was before.
    jobs
        As for `glassnet train`.
    dask
        As for `glassnet train`.
    parallel
        mpi: go on with all the processes that mpiexec began, however many the run had before.
    json
        Print the result as JSON.
    """
    progress = Progress()
    with _one_of_many(parallel) as ranks:
        try:
            with ranks.together():
                logs = [] if tensorboard is None or ranks.rank else [TensorBoard(tensorboard)]
            resumed = training.resume(run, callbacks=[progress, *logs], jobs=jobs, dask=dask, parallel=parallel)
        finally:
            progress.close()
        if ranks.rank == 0:
            _show(resumed, json)


def _show(run: Run, json: bool) -> None:
    """Print what came out and what to do next."""
    best, broken = run.best, run.broken
    if json:
        model_row = None if best["loss"] is None else best
        print_json({"run": str(run.path), "best": model_row, "epochs": run.history[-1]["epoch"], "broken": broken})
        return
    if broken:
        config = run.config
        kept = f"the model of epoch {best['epoch']} is kept" if best["loss"] is not None else "there is no model"
        what = config.recipe if config.recipe in notebook_names() else config.mistakes[0]
        print_facts(
            {
                "broken": f"at step {run.history[-1]['step']}, by a mistake that was planted; {kept}",
                "run": run.path,
                "next": f"{command()} clinic {what}",
            }
        )
        return
    accuracy = best["validation_accuracy"]
    verdict = "the last; there were no validation images"
    if accuracy is not None:
        images = "training images, reported as validation" if REPORTED in run.config.mistakes else "validation images"
        verdict = f"{percent(accuracy)} of the {images}"
    members = run.config.members
    which = f"{members} members together" if members > 1 else f"epoch {best['epoch']}"
    facts = {"best": f"{which}: {verdict}", "run": run.path, "next": f"{command()} evaluate {run.path}"}
    if Path(run.config.data).name == "train.csv":  # as Kaggle calls it
        facts["then"] = f"{command()} submit {run.path} test.csv"
    print_facts(facts)
