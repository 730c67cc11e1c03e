"""The application: every path that it answers, and how it says that something went wrong."""

from importlib import resources
from pathlib import Path

import plotly
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import GlassnetError
from . import insight, watch
from .site import Site

__all__ = ["create_app"]

STATIC = Path(str(resources.files(__package__))) / "static"
CHARTS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def create_app(site: Site) -> Starlette:
    """Return the ASGI application that serves ``site``."""
    return Starlette(
        routes=[
            Route("/", _page),
            Route("/charts.js", _charts),
            *watch.routes(site),
            *insight.routes(site),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={GlassnetError: _refuse, HTTPException: _refuse_request},
    )


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _charts(_request: Request) -> Response:
    """The chart library, from the package that is installed beside this one."""
    return FileResponse(CHARTS, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


async def _refuse(_request: Request, error: Exception) -> Response:
    """A mistake of whoever asked: one line that says what, where and what to do."""
    return JSONResponse({"error": str(error)}, 400)


async def _refuse_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
