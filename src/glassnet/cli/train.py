"""``glassnet train`` and ``glassnet resume``."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .. import training
from ..data import Dataset, load_dataset
from ..errors import ConfigError, GlassnetError
from ..logs import TensorBoard
from ..training import Config, Run, notebook_names, open_model
from ..training.brought import brought_callback
from .flags import Classes, Flags, Recipe, Source
from .groups import RECIPE
from .output import command, percent, print_facts, print_json, say
from .serve import PORT, page_beside

__all__ = ["load_named", "resume", "train"]

REPORTED = "training-accuracy-reported"


def train(
    data: Source | None = None,
    /,
    *,
    recipe: Recipe = None,
    start: Annotated[Path | None, Parameter(name="--from", group=RECIPE)] = None,
    as_written: Annotated[bool, Parameter(group=RECIPE)] = False,
    classes: Classes = None,
    settings: Flags = None,
    out: Path | None = None,
    parallel: str | None = None,
    watch: bool = False,
    port: int | None = None,
    tensorboard: Path | None = None,
    callback: list[str] | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    json: bool = False,
) -> None:
    """Train a network and save it in a run folder.

    Ctrl-C saves the run and says how to resume it. A run that is killed loses about five seconds of training; continue
    it with `glassnet resume`.

    Parameters
    ----------
    data
        Training data: digits, mnist, openml, fashion-mnist, kmnist, emnist-digits, emnist-letters, qmnist, usps,
        synthetic, a name that an installed package brings, or a path: a folder of IDX files, Kaggle's train.csv,
        Keras's mnist.npz, or a folder of pictures with one subfolder per class. Default: the data named in the recipe's
        file, else digits.
    recipe
        Name of a recipe (see: glassnet recipes), or a TOML file of settings. Default: small for fewer than 5,000
        training images (with --from and the same classes fine-tune), else default.
    start
        Run folder or model file whose weights the network begins with. The model decides the layers. For a few images
        of its own classes, such as drawings kept on the page, the default recipe is then fine-tune; otherwise give a
        smaller --learning-rate than from the beginning.
    as_written
        Train with the mistakes of the original notebook (recipes notebook-000 to notebook-004).
    classes
        Number of classes; labels are 0, 1, 2, … Default: 10. In folders of images, the number of subfolders.
    out
        Run folder, new or empty. Default: runs/TIME-DATA-RECIPE.
    parallel
        mpi: train one network with all processes started by mpiexec, each on its share of every batch. Example: mpiexec
        -n 4 glassnet train mnist --parallel mpi
    watch
        Serve a page on which the run can be watched, during training and afterwards until Ctrl-C.
    port
        Port of that page. Default: 8000. 0 picks a free port.
    tensorboard
        Log folder in which the run gets an event file. View it with: tensorboard --logdir FOLDER
    callback
        Callback by its name: mlflow, wandb, trackio, or one that an installed package brings. May be given again.
    jobs
        Number of ensemble members trained at the same time, each in its own process.
    dask
        Address of a Dask scheduler whose workers train the members, such as tcp://127.0.0.1:8786.
    json
        Print the result as JSON.
    """
    if port is not None and not watch:
        raise ConfigError(f"--port {port}: only used with --watch; give --watch too")
    runs = Path("runs") if out is None else out.parent
    if tensorboard is not None and tensorboard.resolve() == runs.resolve():
        raise ConfigError(f"--tensorboard {tensorboard}: is the folder of the runs; choose another one, such as logs")
    if watch and parallel:
        raise ConfigError("--watch: not available with --parallel; watch the run with: glassnet serve")
    given = settings.model_dump(exclude_unset=True) if settings else {}
    with ExitStack() as beside, _one_of_many(parallel) as ranks:
        page = beside.enter_context(page_beside(out, PORT if port is None else port)) if watch else None
        with ranks.together():
            logs = [] if tensorboard is None or ranks.rank else [TensorBoard(tensorboard)]
            plugins = [] if ranks.rank else [brought_callback(name) for name in callback or []]
            model = None if start is None else open_model(start)
            dataset = load_named(data, recipe, classes if classes or model is None else model.classes)
        run = training.train(
            dataset,
            recipe,
            as_written=as_written,
            out=out,
            callbacks=[*logs, *plugins, *([training.Live()] if page else [])],
            jobs=jobs,
            dask=dask,
            parallel=parallel,
            progress=True,
            start=model,
            **given,
        )
        if ranks.rank == 0:
            _show(run, dataset, json)
        if page:
            sys.stdout.flush()  # the result is for whoever reads it in a pipe, and this line for the person
            say(f"The page stays at {page.address} until Ctrl-C.")
            page.wait()


@contextmanager
def _one_of_many(parallel: str | None) -> Iterator[training.Ranks]:
    """Let only the first of the processes that ``mpiexec`` started report an error, unless it cannot know of it."""
    rank, size = training.launched_ranks()
    try:
        if parallel is None and size > 1:
            raise ConfigError(
                f"mpiexec started {size} processes, and each would train a separate run; give --parallel mpi"
            )
        yield training.open_ranks(parallel)
    except GlassnetError as error:
        of_this_machine = isinstance(error.__cause__, ImportError | RuntimeError)  # which has no MPI
        if rank and not of_this_machine:
            raise SystemExit(2) from None
        raise


def load_named(data: str | None, recipe: str | None, classes: int | Sequence[str] | None) -> Dataset:
    """Load the data that the flags name, or else the recipe's file; that has names of classes, or the digits."""
    named = Config.resolve(recipe or "default")
    if named.classes == Config.model_fields["classes"].default:
        return load_dataset(data or named.data, classes=classes or len(named.classes))
    return load_dataset(data or named.data, classes=classes or named.classes)


def resume(
    run: Path,
    /,
    *,
    epochs: int | None = None,
    tensorboard: Path | None = None,
    callback: list[str] | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    parallel: str | None = None,
    json: bool = False,
) -> None:
    """Resume a run that was interrupted or killed, or train a finished one for more epochs.

    Training continues from the last checkpoint, also in the middle of an epoch. The result is bit for bit that of a run
    that was never interrupted.

    Parameters
    ----------
    run
        Run folder.
    epochs
        Total number of epochs, more than the run has. From there on, the learning rate follows the schedule of a run of
        this length.
    tensorboard
        As for `glassnet train`. The event file also gets everything logged before the interruption.
    callback
        As for `glassnet train`. In a tracker, a resumed run is another run of the same name, with the epochs from there
        on.
    jobs
        As for `glassnet train`.
    dask
        As for `glassnet train`.
    parallel
        mpi: resume with all processes started by mpiexec; their number may differ from before.
    json
        Print the result as JSON.
    """
    with _one_of_many(parallel) as ranks:
        with ranks.together():
            logs = [] if tensorboard is None or ranks.rank else [TensorBoard(tensorboard)]
            plugins = [] if ranks.rank else [brought_callback(name) for name in callback or []]
            begun = Run(run)
            if ranks.rank == 0 and epochs is None and begun.finished:
                say(f"{run}: is finished; for more epochs than {begun.config.epochs}, give --epochs")
            dataset = begun.dataset()
        resumed = training.resume(
            run,
            dataset,
            epochs=epochs,
            callbacks=[*logs, *plugins],
            jobs=jobs,
            dask=dask,
            parallel=parallel,
            progress=True,
        )
        if ranks.rank == 0:
            _show(resumed, dataset, json)


def _show(run: Run, dataset: Dataset, json: bool) -> None:
    """Print the result of a run that learned a data set, and what to do next."""
    best, broken = run.best, run.broken
    if json:
        model_row = None if best["loss"] is None else best
        print_json({"run": str(run.path), "best": model_row, "epochs": run.history[-1]["epoch"], "broken": broken})
        return
    if broken:
        config = run.config
        kept = f"the model of epoch {best['epoch']} is kept" if best["loss"] is not None else "no model was saved"
        what = config.recipe if config.recipe in notebook_names() else config.mistakes[0]
        print_facts(
            {
                "broken": f"at step {run.history[-1]['step']}, by a planted mistake; {kept}",
                "run": run.path,
                "next": command("clinic", what),
            }
        )
        return
    accuracy = best["validation_accuracy"]
    verdict = "the last epoch; there are no validation images"
    if accuracy is not None:
        images = "training images, reported as validation" if REPORTED in run.config.mistakes else "validation images"
        verdict = f"{percent(accuracy)} of the {images} correct"
    members = run.config.members
    which = f"ensemble of {members}" if members > 1 else f"epoch {best['epoch']}"
    facts = {"best": f"{which}: {verdict}", "run": run.path}
    if len(dataset.test) and not run.config.all_data:
        facts["next"] = command("evaluate", run.path)
    if Path(run.config.data).name == "train.csv":  # as Kaggle calls it
        facts["then"] = command("submit", run.path, "test.csv")
    print_facts(facts)
