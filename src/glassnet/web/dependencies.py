"""What the paths are answered with: made once for the application, and kept in its state."""

from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, HTTPException, Request

from ..errors import FileError
from ..training import Run
from .jobs import Jobs
from .store import Store

__all__ = ["NamedRun", "Preparing", "TheJobs", "TheStore"]


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


async def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


async def _preparing(request: Request) -> CapacityLimiter:
    preparing: CapacityLimiter = request.app.state.preparing
    return preparing


TheStore = Annotated[Store, Depends(_store)]
TheJobs = Annotated[Jobs, Depends(_jobs)]
Preparing = Annotated[CapacityLimiter, Depends(_preparing)]
"""Limits how many pictures are decoded at a time."""


def _run(name: str, store: TheStore) -> Run:
    try:
        return store.run(name)
    except FileError as error:
        raise HTTPException(404, str(error)) from error


NamedRun = Annotated[Run, Depends(_run)]
"""The run that ``{name}`` in the path names; 404 where there is none."""
