"""The addresses of the page that a lesson may show: its views, and the settings that each takes."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from ..clinic import MISTAKES
from ..errors import ConfigError, nearest
from ..explain import explain_tiny, explain_tiny_convolution
from ..study.compare import BASE, pair
from ..training import Config, Settings, explain, recipe_names

__all__ = ["VIEWS", "check_address"]

DATA = ("digits", "mnist", "drawings")
RUN = ("data", "recipe", "as_written", "run")
PAIR = ("hidden", "learning_rate", "batch_size", "epochs", "seed")  # what the clinic lets one change
LARGEST = 255  # of a pixel
TINY = {"tiny": explain_tiny, "convolution": explain_tiny_convolution}  # networks small enough to be followed by hand

VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "draw": ("run",),
    "network": ("show", "run", "layer", "unit", "method", "image", "of"),
    "watch": ("run", "by", "step"),
    "train": (*RUN, *Settings.model_fields),
    "step": ("show", "run", "image", "of", "label", "rate", "stage", "parameters", "losses"),
    "clinic": ("show", "mistake", "round", "from", "planted", "cured", *PAIR),
}
"""The views of the page and their settings, as its scripts read them."""


def check_address(address: str) -> str:
    """Return an address of the page as it is.

    Raises:
        ValueError: no such view or setting, of which the nearest is named, or a value that the view refuses.
    """
    view, _, query = address.removeprefix("#").partition("?")
    if not address.startswith("#"):
        raise ValueError(f"must be an address of the page such as '#train?recipe=fast', not {address!r:.80}")
    if view not in VIEWS:
        raise ValueError(f"no view called {view[:80]!r}{nearest(view[:80], VIEWS)}")
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, _ in pairs:
        if name not in VIEWS[view]:
            raise ValueError(f"the view {view!r} has no setting called {name[:80]!r}{nearest(name[:80], VIEWS[view])}")
    check = _CHECKS.get(view)
    try:
        if check:
            check(dict(pairs))
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return address


def _check_watch(given: Mapping[str, str]) -> None:
    _require("by", given, ("step", "epoch", "seconds"))


def _check_train(given: Mapping[str, str]) -> None:
    _require("data", given, DATA)
    _require("recipe", given, recipe_names())
    _require("as_written", given, ("true", "false"))
    settings = _typed({name: value for name, value in given.items() if name not in RUN})
    recipe = given.get("recipe", "small")
    Config.resolve(recipe, as_written=given.get("as_written") == "true", **settings)


def _check_step(given: Mapping[str, str]) -> None:
    kind = given.get("show", "tiny")
    _require("show", given, (*TINY, "trained"))
    rate = _numbers("rate", given, 1)
    if rate and rate[0] <= 0:
        raise ConfigError(f"rate: must be more than 0, not {given['rate']!r:.80}")
    if kind == "trained":
        image = _numbers("image", given, 1)
        if image and (image[0] < 0 or image[0] % 1):
            raise ConfigError(f"image: must be the number of a test image, from 0, not {given['image']!r:.80}")
        return
    explanation = TINY[kind]()
    _numbers("parameters", given, sum(array.size for array in explanation.parameters.values()))
    if any(not 0 <= pixel <= LARGEST or pixel % 1 for pixel in _numbers("image", given, explanation.image.size)):
        raise ConfigError(f"image: must be whole numbers from 0 to {LARGEST}, not {given['image']!r:.80}")
    _require("label", given, ("0", "1"))
    _require("stage", given, [stage.name for stage in explanation.stages])


def _check_clinic(given: Mapping[str, str]) -> None:
    _require("show", given, ("quiz",))
    _require("mistake", given, MISTAKES)
    for name in ("from", "round"):
        number = _numbers(name, given, 1)
        if number and (number[0] < 1 or number[0] % 1):
            raise ConfigError(f"{name}: must be a whole number of at least 1, not {given[name]!r:.80}")
    mistake = given.get("mistake", next(iter(MISTAKES)))
    _, cured = pair(mistake, _typed({name: value for name, value in given.items() if name in PAIR}))
    Config.resolve(BASE, **cured)


_CHECKS: Final[Mapping[str, Any]] = {
    "watch": _check_watch,
    "train": _check_train,
    "step": _check_step,
    "clinic": _check_clinic,
}


def _require(name: str, given: Mapping[str, str], known: Any) -> None:
    """Raise ConfigError where a setting is given and is not one of those known."""
    value = given.get(name)
    if value is not None and value not in known:
        raise ConfigError(f"{name}: {value[:80]!r} is unknown{nearest(value[:80], known)}")


def _numbers(name: str, given: Mapping[str, str], count: int) -> list[float]:
    """Return the numbers of a setting, none where it is not given; raise ConfigError unless there are ``count``."""
    if name not in given:
        return []
    try:
        numbers = [float(part) for part in given[name].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or any(abs(number) == float("inf") or number != number for number in numbers):
        what = "a number" if count == 1 else f"{count} numbers with commas between them"
        raise ConfigError(f"{name}: must be {what}, not {given[name]!r:.80}")
    return numbers


@cache
def _lists() -> set[str]:
    """Return the settings of a run that are lists."""
    schema = Settings.model_json_schema()["properties"]
    return {name for name, one in schema.items() if "array" in {part.get("type") for part in one.get("anyOf", [one])}}


def _typed(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return settings of a run as numbers and lists, given as they stand in an address."""
    parts = {name: text.split(",") if name in _lists() else text for name, text in texts.items() if text}
    try:
        read = Settings.model_validate(parts)
    except ValidationError as error:
        raise ConfigError(explain(error, parts, "", Settings.model_fields)) from error
    return {name: getattr(read, name) for name in parts}
