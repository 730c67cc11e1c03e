"""``glassnet serve``, and the page of ``glassnet train --watch``."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import FileError, check_count, missing_package
from ..training import open_model
from ..training.folder import CONFIG
from .output import print_facts, say

if TYPE_CHECKING:
    from ..web import Site
    from ..web.companion import Companion

__all__ = ["PORT", "page_beside", "serve"]

HOST, PORT = "127.0.0.1", 8000
LARGEST_BODY = 16  # MiB
RUNS, DRAWINGS = Path("runs"), Path("drawings")


def serve(
    place: Path | None = None,
    /,
    *,
    host: str = HOST,
    port: int = PORT,
    largest_body: int = LARGEST_BODY,
    lessons: Path | None = None,
) -> None:
    """Serve the web page (draw, train, watch) and the HTTP API, until Ctrl-C.

    Parameters
    ----------
    place
        Folder of runs, run folder or model file. Default: the folder runs. A run or a model also recognises the
        drawings; otherwise the bundled model does.
    host
        Address to listen on. By default only this computer can open the page; 0.0.0.0 accepts connections from others.
    port
        Port to listen on. 0 picks a free one.
    largest_body
        Largest request, such as a photograph, in MiB.
    lessons
        Folder of your own lessons, shown beside those that come with glassnet. They are read again when they change.
    """
    check_count("--largest-body", largest_body)
    _require_web()
    from .. import web
    from ..lessons import lesson_files

    site, view = _site(place)
    lesson_files(lessons)  # reports at once a folder that cannot be read
    site = replace(site, largest_body=largest_body * 2**20, lessons=lessons and lessons.resolve())

    def announce(address: str) -> None:
        print_facts({"page": f"{address}/{view}", "service": f"{address}/openapi.json", "runs": site.runs})
        print("\nOpen the page in a browser. Ctrl-C stops the server.", flush=True)

    web.serve(site, host, port, announce)


def page_beside(out: Path | None, port: int) -> "Companion":
    """Start a server in a separate process for the folder of a run, and print the address of its page.

    Args:
        out: the run folder; None for a new one in ``runs``.
        port: of the page.
    """
    _require_web()
    from ..web import Site
    from ..web.companion import Companion

    runs = RUNS if out is None else out.resolve().parent
    companion = Companion(Site(runs, None, DRAWINGS), HOST, port)
    say(f"Watch at {companion.address}/{_view(out)}")
    return companion


def _require_web() -> None:
    """Raise ConfigError if the packages are missing that only the page needs."""
    try:
        import_module("glassnet.web")
    except ModuleNotFoundError as error:
        raise missing_package("the page", error, "web") from error


def _site(place: Path | None) -> tuple["Site", str]:
    """Return what is served for a path, and the view with which the page opens."""
    from ..web import Site

    if place is None:
        return Site(RUNS, None, DRAWINGS), ""
    if (place / CONFIG).is_file():
        return Site(place.resolve().parent, place, DRAWINGS), _view(place)
    if place.is_dir():
        return Site(place, None, DRAWINGS), _view(None)
    if not place.exists():
        raise FileError(f"{place}: no folder of runs, run folder or model file there; is the path right?")
    open_model(place)  # reports at once what is wrong with it
    return Site(RUNS, place, DRAWINGS), ""


def _view(run: Path | None) -> str:
    return "#watch" if run is None else f"#watch?run={quote(run.resolve().name)}"
