"""``glassnet search``."""

from pathlib import Path
from typing import Any

from .. import tuning
from .flags import Classes, Flags, Recipe, Source
from .output import command, percent, print_facts, print_json, print_table, say
from .train import load_named

__all__ = ["search"]

SHOWN = 10  # trials in the table

COLUMNS = {
    "learning_rate": "rate",
    "hidden": "hidden",
    "batch_size": "batch",
    "label_smoothing": "smoothing",
    "dropout": "dropout",
    "batch_norm": "norm",
    "rotation": "augment",
}


def search(
    data: Source | None = None,
    /,
    *,
    trials: int = 50,
    recipe: Recipe = None,
    classes: Classes = None,
    settings: Flags = None,
    jobs: int | None = None,
    dask: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Search for good settings over many runs.

    The search covers learning rate, layer widths, batch size, label smoothing, dropout, batch normalisation and
    augmentation. Trials are compared on validation images, and unpromising ones are stopped early. A setting given as a
    flag is fixed. A trial takes as long as a run of the recipe, or less where it is stopped early. After Ctrl-C or a
    kill, the same command continues the search. The best run is kept, and its settings are saved as a recipe for
    `glassnet train`.

    Parameters
    ----------
    data
        As for `glassnet train`.
    trials
        Total number of trials, including those of a search that is continued.
    recipe
        Recipe that the search starts from, as for `glassnet train`.
    classes
        As for `glassnet train`.
    jobs
        Number of trials run at the same time, each in its own process.
    dask
        Address of a Dask scheduler whose workers run the trials, such as tcp://127.0.0.1:8786.
    out
        Folder of the search. Default: searches/DATA-RECIPE.
    json
        Print the result as JSON.
    """
    given = settings.model_dump(exclude_unset=True) if settings else {}
    dataset = load_named(data, recipe, classes)

    def tell(found: tuning.Search, trial: tuning.Trial) -> None:
        say(_line(found, trial, trials))

    found = tuning.search(dataset, recipe, trials=trials, jobs=jobs, dask=dask, out=out, on_trial=tell, **given)
    if json:
        _print_json(found)
    else:
        _show(found, data)


def _line(found: tuning.Search, trial: tuning.Trial, trials: int) -> str:
    """Describe a trial and the best one so far."""
    value = _value(found.monitor, trial.value)
    went = f"pruned at epoch {trial.epochs}" if trial.pruned else f"{trial.epochs} epoch" + "s" * (trial.epochs != 1)
    if trial.complaint:
        went = "diverged"
    best = (
        f"best: {_value(found.monitor, found.best.value)}, trial {found.best.number}" if found.best else "no best yet"
    )
    count = f"{len(found.trials)} of {trials}"
    return f"{count:>10}  trial {trial.number:<4} {value:>8}  {went:<19} {trial.seconds:>7.1f} s   {best}"


def _value(monitor: str, value: float | None) -> str:
    if value is None:
        return "–"
    return percent(value) if monitor == "validation_accuracy" else f"{value:.4f}"


def _show(found: tuning.Search, data: str | None) -> None:
    """Print the best trials and what to do next."""
    pruned = sum(trial.pruned for trial in found.trials)
    best = found.trials[:SHOWN] if found.best else ()
    names = [name for name in COLUMNS if any(name in trial.settings for trial in best)]
    header = ["trial", found.monitor.removeprefix("validation_"), *(COLUMNS[name] for name in names)]
    shown = [trial for trial in best if not trial.pruned]
    rows = [
        [trial.number, _value(found.monitor, trial.value), *(_cell(name, trial.settings.get(name)) for name in names)]
        for trial in shown
    ]
    if rows:
        print_table(header, rows)
        print()
    facts: dict[str, Any] = {"trials": f"{len(found.trials)}, {pruned} of them stopped early"}
    if found.best is None:
        facts["best"] = "none: every trial was stopped early; continue the search with more trials"
    else:
        value = _value(found.monitor, found.best.value)
        facts["best"] = f"trial {found.best.number}: {found.monitor.replace('_', ' ')} {value}"
        facts["run"] = found.run.path
        facts["next"] = command("train", *([data] if data else []), "--recipe", found.recipe)
    print_facts(facts)


def _cell(name: str, value: Any) -> str:
    if name == "hidden":
        return "-".join(map(str, value))
    if name == "batch_norm":
        return "yes" if value else "no"
    if name == "rotation":
        return f"{value / tuning.DISTORTIONS['rotation']:.2f}"
    return f"{value:.3g}"


def _print_json(found: tuning.Search) -> None:
    best = found.best
    print_json(
        {
            "search": str(found.path),
            "monitor": found.monitor,
            "trials": [
                {
                    "trial": trial.number,
                    "value": trial.value,
                    "pruned": trial.pruned,
                    "epochs": trial.epochs,
                    "seconds": trial.seconds,
                    "settings": trial.settings,
                }
                for trial in found.trials
            ],
            "best": best and best.number,
            "recipe": str(found.recipe) if best else None,
            "run": str(found.run.path) if best else None,
        }
    )
