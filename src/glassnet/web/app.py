"""The application: every path that it answers, and how it says that something went wrong."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import plotly
from anyio import CapacityLimiter, Lock
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import GlassnetError
from ..training import available_threads
from . import (
    clinic,
    draw,
    drawings,
    fine_tuning,
    insight,
    lessons,
    look_back,
    manage,
    network,
    projection,
    service,
    step,
    train,
    watch,
)
from .batcher import Batcher
from .guard import guards
from .jobs import Jobs
from .kept import Kept
from .moments import Insight
from .questions import error_line
from .site import Site
from .store import Store

__all__ = ["create_app"]

STATIC = Path(__file__).parent / "static"
CHARTS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def create_app(site: Site, host: str = "127.0.0.1") -> FastAPI:
    """Return the ASGI application that serves ``site`` on ``host``, one of the names that it then answers to.

    The runs that it trains end when it does.
    """
    store = Store(site)
    jobs = Jobs(store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(manage.finish_deleting, site.runs)
        try:
            yield
        finally:
            await run_in_threadpool(jobs.close)

    app = FastAPI(
        title="glassnet",
        version=__version__,
        description="Recognises pictures of handwritten digits, or whatever else its model has learned.",
        docs_url=None,  # their scripts come from another host
        redoc_url=None,
        strict_content_type=False,
        lifespan=lifespan,
        middleware=guards(host, site.largest_body),
        exception_handlers={
            GlassnetError: _refuse,
            HTTPException: _refuse_request,
            RequestValidationError: _refuse_question,
        },
    )
    app.state.store, app.state.jobs, app.state.batcher, app.state.kept = store, jobs, Batcher(), Kept()
    app.state.insight, app.state.watching = Insight(store), watch.Watching(store, jobs)
    # A picture of a few bytes may have 64 million pixels; there is memory for some of these at a time.
    app.state.preparing = CapacityLimiter(available_threads())
    app.state.beginning = Lock()
    app.include_router(service.direct)
    app.include_router(service.router)
    views = (
        watch,
        insight,
        look_back,
        manage,
        train,
        step,
        clinic,
        lessons,
        draw,
        drawings,
        fine_tuning,
        network,
        projection,
    )
    for view in views:
        app.include_router(view.router, include_in_schema=False)
    app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/charts.js", _charts, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


async def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html")


async def _charts() -> FileResponse:
    """The chart library, from the package that is installed beside this one."""
    return FileResponse(CHARTS, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


async def _refuse(_request: Request, error: GlassnetError) -> JSONResponse:
    """A client's mistake, or a full disk: one line that says what, where and what to do."""
    cause = error.__cause__
    is_full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return JSONResponse({"error": str(error)}, 507 if is_full else 400)


async def _refuse_request(_request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _refuse_question(_request: Request, error: RequestValidationError) -> JSONResponse:
    """A path, a query or a body that cannot be: 404 for a path, and 400 for the others."""
    errors = error.errors()
    return JSONResponse({"error": error_line(errors)}, 404 if errors[0]["loc"][0] == "path" else 400)
