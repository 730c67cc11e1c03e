"""The application: every path that it answers, and how it says that something went wrong."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import plotly
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import GlassnetError
from ..training import available_threads
from . import clinic, draw, drawings, insight, service, step, train, watch
from .guard import guards
from .jobs import Jobs
from .shelf import Shelf
from .site import Site

__all__ = ["create_app"]

STATIC = Path(str(resources.files(__package__))) / "static"
CHARTS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def create_app(site: Site, host: str = "127.0.0.1") -> Starlette:
    """Return the ASGI application that serves ``site`` on ``host``, one of the names that it then answers to.

    What it trains ends when it does.
    """
    shelf, jobs = Shelf(site), Jobs(site)
    # A picture of a few bytes may have 64 million pixels; there is memory for some of these at a time.
    preparing = CapacityLimiter(available_threads())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(jobs.close)

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/charts.js", _charts),
            *service.routes(site, preparing),
            *watch.routes(site, jobs.states),
            *insight.routes(site),
            *train.routes(site, jobs),
            *step.routes(shelf),
            *clinic.routes(shelf),
            *draw.routes(shelf, preparing),
            *drawings.routes(shelf, preparing),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
        middleware=guards(host),
        exception_handlers={GlassnetError: _refuse, HTTPException: _refuse_request},
    )


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _charts(_request: Request) -> Response:
    """The chart library, from the package that is installed beside this one."""
    return FileResponse(CHARTS, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


async def _refuse(_request: Request, error: Exception) -> Response:
    """A mistake of whoever asked, or a disk that is full: one line that says what, where and what to do."""
    cause = error.__cause__
    is_full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return JSONResponse({"error": str(error)}, 507 if is_full else 400)


async def _refuse_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
