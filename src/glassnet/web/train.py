"""Runs that the page begins and steers: what can be chosen, whether it can be, and the buttons."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..clinic import MISTAKES
from ..data import mnist_is_here
from ..data.augmentation import RANGES
from ..data.folder import class_folders
from ..errors import ConfigError, GlassnetError, nearest
from ..training import Config, Settings, explain, notebook_names, recipe_names, recipe_summary
from ..training.recipe import read_recipe
from .jobs import WORDS, Jobs
from .record import Record
from .site import Site

__all__ = ["routes"]


class _Order(BaseModel):
    """What a client asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: str = "digits"
    recipe: str | None = None
    as_written: bool = False
    settings: dict[str, Any] = {}
    mistakes: list[str] = []
    mistakes_from: int | None = None
    paused: bool = False


def routes(site: Site, jobs: Jobs) -> list[Route]:
    """Return what begins and steers runs.

    Args:
        site: what data there are, and where runs go.
        jobs: what trains.
    """

    async def options(_request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_options, site))

    async def check(request: Request) -> Response:
        """Say what the settings come to, or what is wrong with them: to be asked is no mistake."""
        try:
            spec, config = await run_in_threadpool(_spec, site, await request.body())
        except GlassnetError as error:
            return JSONResponse({"error": str(error)})
        return JSONResponse(
            {"recipe": spec["recipe"], "settings": config.model_dump(include=set(Settings.model_fields))}
        )

    async def start(request: Request) -> Response:
        spec, _ = await run_in_threadpool(_spec, site, await request.body())
        return JSONResponse({"name": await run_in_threadpool(jobs.start, spec)}, 201)

    async def steer(request: Request) -> Response:
        name, word = request.path_params["name"], request.path_params["word"]
        if word == "resume":
            await run_in_threadpool(jobs.resume, name)
        elif word in WORDS:
            await run_in_threadpool(jobs.control, name, word)
        else:
            raise HTTPException(404, f"a run is told {', '.join(WORDS)} or resume, not {word[:80]!r}")
        return JSONResponse(
            await run_in_threadpool(lambda: Record(site.runs / name).details() | jobs.states().get(name, {}))
        )

    return [
        Route("/api/options", options),
        Route("/api/settings", check, methods=["POST"]),
        Route("/api/runs", start, methods=["POST"]),
        Route("/api/runs/{name}/{word}", steer, methods=["POST"]),
    ]


def _sources(site: Site) -> dict[str, dict[str, Any]]:
    """Return the data that there are by name: their classes, the recipe that suits them, and what the shell calls them.

    Nothing is offered that would first have to be downloaded.
    """
    digits = [str(digit) for digit in range(10)]
    sources = {"digits": {"classes": digits, "recipe": "small", "source": "digits"}}
    if mnist_is_here():
        sources["mnist"] = {"classes": digits, "recipe": "default", "source": "mnist"}
    kept = [folder.name for folder in class_folders(site.drawings)] if site.drawings.is_dir() else []
    if len(kept) > 1:
        sources["drawings"] = {"classes": kept, "recipe": "small", "source": str(site.drawings)}
    return sources


def _options(site: Site) -> dict[str, Any]:
    """Return all that can be chosen, each with a line of what it is."""
    recipes = [
        {"name": name, "summary": recipe_summary(name), "settings": _recipe_settings(name), "as_written": written}
        for name in recipe_names()
        for written in [name in notebook_names()]
    ]
    schema = Settings.model_json_schema()["properties"]
    return {
        "data": [{"name": name, **source} for name, source in _sources(site).items()],
        "recipes": recipes,
        "settings": {name: _setting(name, properties) for name, properties in schema.items()},
        "mistakes": [{"name": name, "summary": mistake.summary} for name, mistake in MISTAKES.items()],
        "runs": str(site.runs),
    }


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
        "distorts": name in RANGES,
    }


def _spec(site: Site, body: bytes) -> tuple[dict[str, Any], Config]:
    """Return what `Jobs.start` takes, and the configuration that it comes to.

    Raises:
        ConfigError: something in the body cannot be; recipes and data are taken by the names that are offered alone.
    """
    try:
        order = _Order.model_validate_json(body)
    except ValidationError as error:
        if not error.errors()[0]["loc"]:
            raise ConfigError('the body is no JSON object; send {"data": …, "recipe": …, "settings": {…}}') from error
        raise ConfigError(explain(error, (), "", _Order.model_fields)) from error
    sources = _sources(site)
    if order.data not in sources:
        raise ConfigError(f"data: {order.data[:80]!r} is not among the data here{nearest(order.data[:80], sources)}")
    source = sources[order.data]
    recipe = order.recipe or source["recipe"]
    if recipe not in recipe_names():
        raise ConfigError(f"recipe: {recipe[:80]!r} is unknown{nearest(recipe[:80], recipe_names())}")
    for name in order.settings:
        if name not in Settings.model_fields:
            raise ConfigError(f"no setting called {name[:80]!r}{nearest(name[:80], Settings.model_fields)}")
    how = {"as_written": order.as_written, "settings": order.settings}
    # Mistakes that are not given are those of the recipe, which an empty list would take out.
    planted = {"mistakes": order.mistakes or None, "mistakes_from": order.mistakes_from}
    config = Config.resolve(recipe, as_written=order.as_written, **order.settings, **planted, data=source["source"])
    spec = {"name": order.data, "data": source["source"], "recipe": recipe, "paused": order.paused, **how}
    return {**spec, **planted}, config
