"""Runs are renamed and deleted: only those of the site's runs folder, and none that goes."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from fastapi import APIRouter, HTTPException, Response

from ..errors import DataError, FileError
from ..files import advice
from ..locks import is_held, only_process
from ..training.folder import CONFIG
from .dependencies import TheJobs, TheStore
from .questions import Question
from .store import Store

__all__ = ["finish_deleting", "router"]

NAME = re.compile(r"\w[\w.+ -]{0,99}")
MAX_BYTES = 200  # of a name in UTF-8; a file system takes some 255, in which a letter may have four
DELETED = re.compile(r"\.deleted-[0-9a-f]{16}")  # what a run is called while it is deleted

router = APIRouter()


class Renaming(Question):
    """What a run is to be called."""

    to: str


@router.post("/api/runs/{name}/rename")
def rename(name: str, asked: Renaming, store: TheStore, jobs: TheJobs) -> dict[str, str]:
    """Rename a run."""
    to = asked.to.strip()
    with jobs.forgetting(name, to):
        rename_run(store, name, to)
    return {"name": to}


@router.delete("/api/runs/{name}", status_code=204)
def delete(name: str, store: TheStore, jobs: TheJobs) -> Response:
    """Delete a run and all that is in its folder."""
    with jobs.forgetting(name):
        rest = _take_away(store, name)
    if rest:  # which may take long, and others wait for `jobs`
        try:
            (rest / CONFIG).unlink(missing_ok=True)  # nobody, not in a shell either, takes it for a run meanwhile
            shutil.rmtree(rest)
        except OSError as error:
            raise FileError(f"{rest}: cannot be deleted ({error.strerror}); {advice(error)}") from error
    return Response(status_code=204)


def finish_deleting(runs: Path) -> None:
    """Delete what is left of runs whose deletion was interrupted, as far as that is possible."""
    with suppress(OSError):  # no such folder yet, or no permission
        for path in runs.iterdir():
            if DELETED.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def rename_run(store: Store, name: str, to: str) -> None:
    """Rename a run's folder.

    Raises:
        DataError: not a name for a folder.
        FileError: no such run, or the folder cannot be renamed.
        HTTPException: 409, it is being trained, or there is something of this name already.
    """
    folder = _at_rest(store, name)
    if not NAME.fullmatch(to) or to.endswith(".") or len(to.encode()) > MAX_BYTES:
        raise DataError(
            f"{to[:80]!r}: cannot be a run's name; give up to 100 letters, digits, blanks and . + _ - "
            f"(at most {MAX_BYTES} bytes)"
        )
    target = folder.with_name(to)
    try:
        if os.path.lexists(target):
            raise HTTPException(409, f"{to}: there is a run or a folder of this name already; choose another")
        with only_process(folder):
            folder.rename(target)
    except OSError as error:
        raise FileError(f"{folder}: cannot be renamed ({error.strerror}); {advice(error)}") from error


def _take_away(store: Store, name: str) -> Path | None:
    """Return the folder of a run under a hidden name, or None where it was only a link.

    That is one step, which is done or not done: a run that cannot be taken away stays as it was.

    Raises:
        FileError: no such run, or it cannot be taken away.
        HTTPException: 409, it is being trained.
    """
    folder = _at_rest(store, name)
    try:
        if folder.is_symlink():
            folder.unlink()
            return None
        with only_process(folder):
            return folder.rename(folder.with_name(f".deleted-{token_hex(8)}"))
    except OSError as error:
        raise FileError(f"{folder}: cannot be deleted ({error.strerror}); {advice(error)}") from error


def _at_rest(store: Store, name: str) -> Path:
    """Return the folder of a run that nobody trains."""
    folder = store.run(name).path
    if is_held(folder):
        raise HTTPException(409, f"{name}: is being trained; stop it first")
    return folder
