"""``glassnet lr-find``: a learning-rate range test."""

from pathlib import Path

from ..training import LearningRateSearch, find_learning_rate
from .chart import draw_chart
from .flags import Classes, Flags, Recipe, Source
from .output import print_facts, print_json, require_png, write_figure
from .train import load_named

__all__ = ["lr_find"]


def lr_find(
    data: Source | None = None,
    /,
    *,
    recipe: Recipe = None,
    classes: Classes = None,
    settings: Flags = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Find a good learning rate with a range test.

    About two hundred steps are trained while the learning rate grows from nearly zero to 10, which takes seconds. The
    suggestion is the rate at which 85 % of the loss's fall is done. Nothing is saved. The recipe's learning
    rate, schedule and epochs are not used.

    Parameters
    ----------
    data
        As for `glassnet train`.
    recipe
        As for `glassnet train`.
    classes
        As for `glassnet train`.
    plot
        Write the curve to this PNG file.
    json
        Print the suggestion and all steps as JSON.
    """
    require_png(plot)
    given = settings.model_dump(exclude_unset=True) if settings else {}
    search = find_learning_rate(load_named(data, recipe, classes), recipe, **given)
    if plot is not None:
        from ..plots import learning_rate_search

        write_figure(learning_rate_search(search), plot)
    if json:
        print_json(
            {
                "suggestion": search.suggestion,
                "largest": search.largest,
                "diverged": search.diverged,
                "rates": search.rates.tolist(),
                "losses": search.losses.tolist(),
                "smoothed": search.smoothed.tolist(),
            }
        )
    else:
        _show(search, plot)


def _show(search: LearningRateSearch, plot: Path | None) -> None:
    """Draw the curve and print the suggestion."""
    named = {"suggested": search.suggestion, "largest": search.largest}
    marked = {name: rate for name, rate in named.items() if rate is not None}
    marks = {name[0].upper(): int(search.rates.searchsorted(rate)) for name, rate in marked.items()}
    print("   ".join(["loss (nats)", "o smoothed", ". each step", *(f"{name[0].upper()} {name}" for name in marked)]))
    low, high = search.smoothed[search.least] / 2, search.start * 2  # values far outside would only flatten the curve
    curves = {
        letter: list(enumerate(losses.clip(low, high).tolist()))
        for letter, losses in ((".", search.losses), ("o", search.smoothed))
    }
    ends = _short(search.rates[0]), "learning rate", _short(search.rates[-1])
    print(draw_chart(curves, axis=ends, marks=marks))
    print()
    print_facts(_facts(search) | ({"figure": plot} if plot is not None else {}))


def _facts(search: LearningRateSearch) -> dict[str, object]:
    """Describe the result."""
    suggested = "none: the loss did not fall at any rate"
    if search.suggestion is not None:
        suggested = f"--learning-rate {_short(search.suggestion)}, where 85 % of the fall is done"
    largest = f"unknown: the loss did not rise at any rate up to {_short(search.rates[-1])}"
    if search.largest is not None:
        largest = f"{_short(search.largest)}, half of where the loss rises again"
    return {"suggested": suggested, "largest": largest}


def _short(rate: float) -> str:
    """Return a rate with two significant digits, as it would be typed."""
    return f"{rate:.2g}".replace("e-0", "e-")
