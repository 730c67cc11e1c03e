"""What the paths are answered with: made once for the application, and kept in its state."""

from typing import Annotated, Any

from anyio import CapacityLimiter, Lock
from fastapi import Depends, HTTPException, Request

from ..errors import FileError
from ..training import Run
from .jobs import Jobs
from .kept import Kept
from .store import Store

__all__ = ["Beginning", "NamedRun", "Preparing", "TheJobs", "TheKept", "TheStore", "from_state"]


def from_state(name: str) -> Any:
    """Return what hands a path's function the object of this name in the application's state."""

    async def get(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(get)


TheStore = Annotated[Store, from_state("store")]
TheJobs = Annotated[Jobs, from_state("jobs")]
TheKept = Annotated[Kept, from_state("kept")]
Preparing = Annotated[CapacityLimiter, from_state("preparing")]
"""Limits how many pictures are decoded at a time."""
Beginning = Annotated[Lock, from_state("beginning")]
"""Held until a fine-tuning has begun, so that two do not begin at once."""


def _run(name: str, store: TheStore) -> Run:
    try:
        return store.run(name)
    except FileError as error:
        raise HTTPException(404, str(error)) from error


NamedRun = Annotated[Run, Depends(_run)]
"""The run that ``{name}`` in the path names; 404 where there is none."""
