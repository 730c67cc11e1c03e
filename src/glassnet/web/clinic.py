"""The clinic on the page: what each mistake is, the two runs that show what it costs, and the truth about them."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..clinic import MISTAKES
from ..errors import ConfigError, FileError, nearest
from ..evaluation import evaluate, examples_for
from ..study.compare import BASE, pair
from ..training import Settings
from .shelf import Shelf

__all__ = ["routes"]

DATA = "digits"  # so small that both runs are done while a person looks on
WORDS = ("name", "summary", "wrong", "right", "effect", "symptom", "check", "from_the_start")


def routes(shelf: Shelf) -> list[Route]:
    """Return the paths of the clinic; the runs themselves are started and watched as any others."""

    async def mistakes(_request: Request) -> Response:
        return JSONResponse([_described(name) for name in MISTAKES])

    async def both(request: Request) -> Response:
        try:
            asked = await request.json()
        except (ValueError, RecursionError) as error:
            raise ConfigError("the body is no JSON; send an object with mistake and settings") from error
        return JSONResponse(_both(asked))

    async def truth(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_truth, shelf, request.query_params.get("run", "")))

    return [
        Route("/api/mistakes", mistakes),
        Route("/api/clinic/pair", both, methods=["POST"]),
        Route("/api/clinic/truth", truth),
    ]


def _described(name: str) -> dict[str, Any]:
    """Return what a mistake says of itself, and the settings in which it shows."""
    return {word: getattr(MISTAKES[name], word) for word in WORDS} | {"settings": pair(name, {"seed": 0})[1]}


def _both(asked: Any) -> dict[str, Any]:
    """Return what to ask of ``POST /api/runs`` for the run with the mistake, and for the cured one."""
    asked = asked if isinstance(asked, dict) else {}
    name, settings, later = asked.get("mistake"), asked.get("settings", {}), asked.get("mistakes_from")
    if not isinstance(name, str) or not isinstance(settings, dict):
        raise ConfigError("send an object with the name of a mistake and an object of settings")
    for setting in settings:
        if setting not in Settings.model_fields:
            raise ConfigError(f"no setting called {setting[:80]!r}{nearest(setting, Settings.model_fields)}")
    planted, cured = pair(name[:80], settings)
    common = {"data": DATA, "recipe": BASE}
    return {
        # A mistake that is switched on later changes the settings then.
        "planted": common | {"settings": cured if later else planted, "mistakes": [name], "mistakes_from": later},
        "cured": common | {"settings": cured, "mistakes": []},
    }


def _truth(shelf: Shelf, name: str) -> dict[str, Any]:
    """Return how many of its data's test images a run recognises, which it has neither learned from nor chosen by.

    The accuracy is None where a mistake broke the run before there was a model to keep.
    """
    run = shelf.run(name)
    examples = shelf.dataset(run)
    try:
        model = run.model
    except FileError:
        if not run.broken:
            raise
        return {"accuracy": None, "images": len(examples.test)}
    judged = examples_for(model, examples)
    return {"accuracy": evaluate(model, judged).accuracy, "images": len(judged)}
