"""Runs that the page begins and steers: what can be chosen, whether it can be, and the buttons."""

import math
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field, ValidationError

from ..clinic import MISTAKES
from ..data import needs_download
from ..data.folder import MNIST_FORM
from ..engines import choose_engine
from ..errors import ConfigError, GlassnetError, nearest
from ..training import Config, Settings, notebook_names, recipe_names, recipe_summary
from ..training.architecture import build_layers, network_words
from ..training.assembly import check_size
from ..training.recipe import read_recipe
from ..training.settings import Architecture, Augmentations, Data, Optimization, Running
from ..training.wording import fault
from .dependencies import TheJobs, TheStore
from .drawing_files import pictures_by_class
from .questions import Question, SettingsByName, error_line, typed
from .record import Facts
from .site import Site
from .watch import TheWatching

__all__ = ["router"]


Pace: TypeAlias = Annotated[float | None, Field(ge=0.01, le=1000)]  # steps a second; None for as many as it can


class Order(Question):
    """What is to be trained, and how."""

    data: str = "digits"
    recipe: str | None = None
    as_written: bool = False
    settings: SettingsByName = Field(default={})
    mistakes: list[str] = Field(default=[])
    mistakes_from: int | None = None
    paused: bool = False
    pace: Pace = None


class Slower(Question):
    """At what pace a run is to go on, or to be resumed."""

    pace: Pace


Word: TypeAlias = Literal["pause", "go", "step", "epoch", "stop", "resume"]
SECTIONS: dict[str, type[BaseModel]] = {
    "Network": Architecture,
    "Optimization": Optimization,
    "Augmentation": Augmentations,
    "Data": Data,
    "Run": Running,
}
"""Of the form."""
router = APIRouter()


@router.get("/api/options")
def options(store: TheStore) -> dict[str, Any]:
    """Return all that can be chosen, each with a line of what it is."""
    recipes = [
        {"name": name, "summary": recipe_summary(name), "settings": _recipe_settings(name), "as_written": written}
        for name in recipe_names()
        if not Config.resolve(name).rehearsal  # which starts from a model
        for written in [name in notebook_names()]
    ]
    schema = Settings.model_json_schema()["properties"]
    return {
        "data": [{"name": name, **source} for name, source in _sources(store.site).items()],
        "recipes": recipes,
        "settings": {name: _setting(name, properties) for name, properties in schema.items()},
        "mistakes": [{"name": name, "summary": mistake.summary} for name, mistake in MISTAKES.items()],
        "runs": str(store.site.runs),
    }


@router.post("/api/settings")
def check(body: Annotated[Any, Body()], store: TheStore) -> dict[str, Any]:
    """Return what the settings come to, or what is wrong with them: to be asked is not a mistake."""
    try:
        order = Order.model_validate(body)
        spec, config = _spec(store.site, order)
        network = _network(config, _sources(store.site)[order.data])
    except ValidationError as error:
        return {"error": error_line(error.errors())}
    except GlassnetError as error:
        others = _others(error)
        return {"error": str(error)} | ({"others": others} if others else {})
    return {"recipe": spec["recipe"], "settings": config.model_dump(include=set(Settings.model_fields))} | network


@router.post("/api/runs", status_code=201)
def start(order: Order, store: TheStore, jobs: TheJobs) -> dict[str, str]:
    """Begin a run and return its name."""
    spec, _ = _spec(store.site, order)
    return {"name": jobs.start(spec)}


@router.post("/api/runs/{name}/pace")
def pace(name: str, slower: Slower, jobs: TheJobs, watching: TheWatching) -> Facts:
    """Tell a run its pace, and return how it then stands."""
    jobs.set_pace(name, slower.pace)
    return watching.details(jobs.store.run(name))


@router.post("/api/runs/{name}/{word}")
def steer(name: str, word: Word, jobs: TheJobs, watching: TheWatching) -> Facts:
    """Tell a run a word, and return how it then stands."""
    if word == "resume":
        jobs.resume(name)
    else:
        jobs.control(name, word)
    return watching.details(jobs.store.run(name))


def _others(error: GlassnetError) -> list[str]:
    """Return what else is wrong with the settings, where their types and bounds have several faults at once."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return []
    lines = {str(found["loc"][0]): fault(found, str(found["loc"][0]), ()) for found in reversed(cause.errors())}
    return list(reversed(lines.values()))[1:]


def _network(config: Config, source: dict[str, Any]) -> dict[str, Any]:
    """Return what a network would be: its layers in words, and its ``parameters``; raise where it is too large."""
    shape, classes = source["image_shape"], len(source["classes"])
    parameters = check_size(config, build_layers(config, shape, classes), math.prod(shape))
    return {"network": network_words(config, shape, classes), "parameters": parameters}


def _sources(site: Site) -> dict[str, dict[str, Any]]:
    """Return the data that there are by name.

    That is their classes, the shape of their images, the recipe that suits them, and what the shell calls them.

    Nothing is offered that would first have to be downloaded.
    """
    digits = [str(digit) for digit in range(10)]
    large = (MNIST_FORM.height, MNIST_FORM.width)
    sources = {"digits": {"classes": digits, "image_shape": (8, 8), "recipe": "small", "source": "digits"}}
    if not needs_download("mnist"):
        sources["mnist"] = {"classes": digits, "image_shape": large, "recipe": "default", "source": "mnist"}
    kept = list(pictures_by_class(site.drawings))
    if len(kept) > 1:
        sources["drawings"] = {
            "classes": kept,
            "image_shape": large,
            "recipe": "small",
            "source": str(site.drawings),
        }
    return sources


def _recipe_settings(name: str) -> dict[str, Any]:
    settings, _, _ = read_recipe(name)
    return {key: value for key, value in settings.items() if key not in ("recipe", "as_written")}


def _setting(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return what the JSON schema of a setting says, in one level."""
    kinds = [kind for kind in properties.get("anyOf", [properties]) if kind.get("type") != "null"]
    choices = [choice for kind in kinds for choice in (kind.get("items") or kind).get("enum", [])]
    return {
        "description": properties["description"],
        "default": properties["default"],
        "type": " or ".join(kind["type"] for kind in kinds),
        **({"choices": choices} if choices else {}),
        "section": next(section for section, part in SECTIONS.items() if name in part.model_fields),
    }


def _spec(site: Site, order: Order) -> tuple[dict[str, Any], Config]:
    """Return what `Jobs.start` takes, and the configuration that it comes to.

    Raises:
        ConfigError: something in the order cannot be; only the recipes and data that are offered are taken.
    """
    sources = _sources(site)
    if order.data not in sources:
        raise ConfigError(f"data: {order.data[:80]!r} is not among the data here{nearest(order.data[:80], sources)}")
    source = sources[order.data]
    recipe = order.recipe or source["recipe"]
    if recipe not in recipe_names():
        raise ConfigError(f"recipe: {recipe[:80]!r} is unknown{nearest(recipe[:80], recipe_names())}")
    settings = typed(order.settings)
    how = order.model_dump(include={"as_written", "mistakes_from"})
    how["mistakes"] = order.mistakes or None  # those of the recipe, which an empty list would take out
    config = Config.resolve(recipe, **how, **settings, data=source["source"])
    choose_engine(config.engine, 0)  # which refuses one that cannot be had
    spec = {"name": order.data, "data": source["source"], "recipe": recipe, "settings": settings}
    return {**spec, **how, "paused": order.paused, "pace": order.pace}, config
