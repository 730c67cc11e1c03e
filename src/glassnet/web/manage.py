"""Runs are renamed and deleted: only those of the site's runs folder, and none that goes."""

import re
import shutil

from fastapi import APIRouter, HTTPException, Response

from ..errors import DataError, FileError
from ..files import advice, is_held, only_process
from ..training.folder import CONFIG
from .dependencies import TheJobs, TheStore
from .questions import Question
from .store import Store

__all__ = ["delete_run", "rename_run", "router"]

NAME = re.compile(r"\w[\w.+ -]{0,99}")

router = APIRouter()


class Renaming(Question):
    """What a run is to be called."""

    to: str


@router.post("/api/runs/{name}/rename")
def rename(name: str, asked: Renaming, store: TheStore, jobs: TheJobs) -> dict[str, str]:
    """Rename a run."""
    _refuse_going(name, store, jobs.is_running(name))
    rename_run(store, name, asked.to.strip())
    return {"name": asked.to.strip()}


@router.delete("/api/runs/{name}", status_code=204)
def delete(name: str, store: TheStore, jobs: TheJobs) -> Response:
    """Delete a run and all that is in its folder."""
    _refuse_going(name, store, jobs.is_running(name))
    delete_run(store, name)
    return Response(status_code=204)


def rename_run(store: Store, name: str, to: str) -> None:
    """Rename a run's folder.

    Raises:
        DataError: not a name for a folder.
        FileError: no such run, or the folder cannot be renamed.
        HTTPException: 409, there is something of this name already.
    """
    folder = store.run(name).path
    if not NAME.fullmatch(to) or to.endswith("."):
        raise DataError(f"{to[:80]!r}: cannot be a run's name; give up to 100 letters, digits, blanks and . + _ -")
    if (target := folder.with_name(to)).exists():
        raise HTTPException(409, f"{to}: there is a run or a folder of this name already; choose another")
    try:
        with only_process(folder):
            folder.rename(target)
    except OSError as error:
        raise FileError(f"{folder}: cannot be renamed ({error.strerror}); {advice(error)}") from error


def delete_run(store: Store, name: str) -> None:
    """Delete a run's folder; where that is a link to a folder elsewhere, only the link.

    Raises:
        FileError: no such run, or it cannot be deleted.
    """
    folder = store.run(name).path
    try:
        if folder.is_symlink():
            folder.unlink()
            return
        with only_process(folder):
            (folder / CONFIG).unlink()  # without which it is no run for anybody, however long the rest takes
            shutil.rmtree(folder)
    except OSError as error:
        raise FileError(f"{folder}: cannot be deleted ({error.strerror}); {advice(error)}") from error


def _refuse_going(name: str, store: Store, is_ours: bool) -> None:
    if is_ours or is_held(store.run(name).path):
        raise HTTPException(409, f"{name}: is being trained; stop it first")
