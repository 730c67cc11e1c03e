"""``glassnet lr-find``: how large the learning rate may be."""

from pathlib import Path

from ..training import LearningRateSearch, find_learning_rate
from .chart import draw_chart
from .output import print_facts, print_json, require_png, write_figure
from .train import Flags, load_named

__all__ = ["lr_find"]


def lr_find(
    data: str | None = None,
    /,
    *,
    recipe: str | None = None,
    classes: int | None = None,
    settings: Flags = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Find out how large the learning rate may be.

    A couple of hundred steps are taken while the rate grows from next to nothing to 10. Suggested is the rate at which
    the loss falls fastest. Nothing is kept; learning rate, schedule and epochs of the recipe play no part.

    Parameters
    ----------
    data
        As for `glassnet train`.
    recipe
        As for `glassnet train`.
    classes
        As for `glassnet train`.
    plot
        Draw the curve into this PNG file.
    json
        Print what was found and every step as JSON.
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
    """Draw the curve and say what follows from it."""
    named = {"suggested": search.suggestion, "largest": search.largest}
    marked = {name: rate for name, rate in named.items() if rate is not None}
    marks = {name[0].upper(): int(search.rates.searchsorted(rate)) for name, rate in marked.items()}
    print("   ".join(["loss (nats)", "o smoothed", ". each step", *(f"{name[0].upper()} {name}" for name in marked)]))
    low, high = search.smoothed[search.least] / 2, search.start * 2  # what is far above or below says no more than that
    curves = {
        letter: list(enumerate(losses.clip(low, high).tolist()))
        for letter, losses in ((".", search.losses), ("o", search.smoothed))
    }
    ends = _short(search.rates[0]), "learning rate", _short(search.rates[-1])
    print(draw_chart(curves, axis=ends, marks=marks))
    print()
    print_facts(_facts(search) | ({"figure": plot} if plot is not None else {}))


def _facts(search: LearningRateSearch) -> dict[str, object]:
    """Put into words what was found."""
    suggested = "nothing: the loss did not fall with any rate"
    if search.suggestion is not None:
        suggested = f"--learning-rate {_short(search.suggestion)}, where the loss falls fastest"
    largest = f"unknown: no rate up to {_short(search.rates[-1])} made the loss rise again"
    if search.largest is not None:
        largest = f"{_short(search.largest)} as one-cycle's peak, a tenth of where the loss is up again"
    return {"suggested": suggested, "largest": largest}


def _short(rate: float) -> str:
    """Return a rate with two digits, as a flag may be given it."""
    return f"{rate:.2g}".replace("e-0", "e-")
