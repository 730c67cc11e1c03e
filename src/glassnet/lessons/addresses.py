"""The addresses of the page that a lesson may show: its views, and the settings that each takes."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from ..clinic import MISTAKES
from ..errors import ConfigError, nearest
from ..explain import explain_tiny, explain_tiny_convolution
from ..study.pairs import BASE, pair
from ..training import Config, Settings, recipe_names
from ..training.wording import fault

__all__ = ["VIEWS", "address_errors"]

DATA = ("digits", "mnist", "drawings")
RUN = ("data", "recipe", "as_written", "pace", "run")
PAIR = ("hidden", "learning_rate", "batch_size", "epochs", "seed")  # what the clinic lets one change
LARGEST = 255  # of a pixel
TINY = {"tiny": explain_tiny, "convolution": explain_tiny_convolution}  # networks small enough to be followed by hand

VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "draw": ("run", "step"),
    "network": ("show", "run", "step", "layer", "unit", "method", "image", "of"),
    "watch": ("run", "by", "step", "true", "predicted"),
    "train": (*RUN, *Settings.model_fields),
    "step": ("show", "run", "step", "image", "of", "label", "rate", "stage", "parameters", "losses"),
    "clinic": ("show", "mistake", "round", "from", "planted", "cured", *PAIR),
}
"""The views of the page and their settings, as its scripts read them."""


def address_errors(address: str) -> Iterator[str]:
    """Yield everything that is wrong with an address of the page.

    That is: no such view or setting, of which the nearest is named, and values that the view refuses.
    """
    view, _, query = address.removeprefix("#").partition("?")
    if not address.startswith("#"):
        yield f"must be an address of the page such as '#train?recipe=fast', not {address!r:.80}"
        return
    if view not in VIEWS:
        yield f"no view called {view[:80]!r}{nearest(view[:80], VIEWS)}"
        return
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in VIEWS[view]:
            yield f"the view {view!r} has no setting called {name[:80]!r}{nearest(name[:80], VIEWS[view])}"
    if view in _CHECKS:
        yield from _CHECKS[view]({name: value for name, value in given.items() if name in VIEWS[view]})
    if "step" in VIEWS[view]:
        yield from _not_numbers("step", given, 1, "a step of the run, from 0", lambda n: n >= 0 and n % 1 == 0)


def _check_watch(given: Mapping[str, str]) -> Iterator[str]:
    yield from _unknown("by", given, ("step", "epoch", "seconds"))


def _check_train(given: Mapping[str, str]) -> Iterator[str]:
    wrong = [
        *_unknown("data", given, DATA),
        *_unknown("recipe", given, recipe_names()),
        *_unknown("as_written", given, ("true", "false")),
        *_not_numbers("pace", given, 1, "from 0.01 to 1000 steps a second", lambda pace: 0.01 <= pace <= 1000),
    ]
    settings, invalid = _typed({name: value for name, value in given.items() if name not in RUN})
    yield from wrong + invalid
    if not wrong and not invalid:
        as_written = given.get("as_written") == "true"
        yield from _refusal(lambda: Config.resolve(given.get("recipe", "small"), as_written=as_written, **settings))


def _check_step(given: Mapping[str, str]) -> Iterator[str]:
    kind = given.get("show", "tiny")
    yield from _unknown("show", given, (*TINY, "trained"))
    yield from _not_numbers("rate", given, 1, "more than 0", lambda rate: rate > 0)
    if kind == "trained":
        yield from _not_numbers(
            "image", given, 1, "the number of a test image, from 0", lambda n: n >= 0 and n % 1 == 0
        )
    if kind not in TINY:
        return
    explanation = TINY[kind]()
    size = sum(array.size for array in explanation.parameters.values())
    yield from _not_numbers("parameters", given, size)
    levels = f"whole numbers from 0 to {LARGEST}"
    yield from _not_numbers("image", given, explanation.image.size, levels, lambda n: 0 <= n <= LARGEST and n % 1 == 0)
    yield from _unknown("label", given, ("0", "1"))
    yield from _unknown("stage", given, [stage.name for stage in explanation.stages])


def _check_clinic(given: Mapping[str, str]) -> Iterator[str]:
    yield from _unknown("show", given, ("quiz",))
    wrong = [*_unknown("mistake", given, MISTAKES)]
    yield from wrong
    for name in ("from", "round"):
        yield from _not_numbers(name, given, 1, "a whole number of at least 1", lambda n: n >= 1 and n % 1 == 0)
    settings, invalid = _typed({name: value for name, value in given.items() if name in PAIR})
    yield from invalid
    if not wrong and not invalid:
        mistake = given.get("mistake", next(iter(MISTAKES)))
        yield from _refusal(lambda: Config.resolve(BASE, **pair(mistake, settings)[1]))


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]]] = {
    "watch": _check_watch,
    "train": _check_train,
    "step": _check_step,
    "clinic": _check_clinic,
}


def _unknown(name: str, given: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Yield a line where a setting is given and is not one of those known."""
    value = given.get(name)
    if value is not None and value not in known:
        yield f"{name}: {value[:80]!r} is unknown{nearest(value[:80], known)}"


def _not_numbers(
    name: str, given: Mapping[str, str], count: int, which: str = "", fits: Callable[[float], bool] = math.isfinite
) -> Iterator[str]:
    """Yield a line where a setting is given and is not ``count`` numbers, of which each fits what ``which`` says."""
    if name not in given:
        return
    try:
        numbers = [float(part) for part in given[name].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        which = "a number" if count == 1 else f"{count} numbers with commas between them"
    elif all(map(fits, numbers)):
        return
    yield f"{name}: must be {which}, not {given[name]!r:.80}"


@cache
def _lists() -> set[str]:
    """Return the settings of a run that are lists."""
    schema = Settings.model_json_schema()["properties"]
    return {name for name, one in schema.items() if "array" in {part.get("type") for part in one.get("anyOf", [one])}}


def _typed(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return settings of a run as numbers and lists, given as they stand in an address, and what is wrong with them."""
    parts = {name: text.split(",") if name in _lists() else text for name, text in texts.items() if text}
    try:
        read = Settings.model_validate(parts)
    except ValidationError as error:
        wrong = {str(each["loc"][0]): each for each in reversed(error.errors())}  # the first error of each setting
        return {}, [fault(wrong[name], name, Settings.model_fields) for name in parts if name in wrong]
    return {name: getattr(read, name) for name in parts}, []


def _refusal(resolve: Callable[[], object]) -> Iterator[str]:
    """Yield why settings do not go together."""
    try:
        resolve()
    except ConfigError as error:
        yield str(error)
