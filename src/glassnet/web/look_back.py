"""What a run's network made of one drawing at each of the run's snapshots."""

from contextlib import suppress
from typing import Any

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from ..data import frame_picture, read_picture
from ..errors import DataError, FileError
from ..training import Run
from .choice import NAME
from .dependencies import NamedRun, Preparing

__all__ = ["look_back", "router"]

router = APIRouter()


@router.post("/api/runs/{name}/drawing")
async def drawing(request: Request, run: NamedRun, preparing: Preparing) -> dict[str, Any]:
    """Answer a drawing by the network of a run at each of its snapshots."""
    picture = await request.body()
    return await run_sync(lambda: look_back(run, picture), limiter=preparing)


def look_back(run: Run, picture: bytes) -> dict[str, Any]:
    """Return what a run's network made of a picture on its way, ready for JSON.

    Returns:
        ``classes`` (k), ``steps`` (n) and ``probabilities`` (n, k), in which None stands for a snapshot that cannot be
        read; where there is no digit to see, ``why`` instead.

    Raises:
        DataError: it is not a picture, or a damaged one.
        FileError: no snapshots.
    """
    gray = read_picture(picture, NAME)
    steps = run.snapshots
    if not steps:
        raise FileError(f"{run.path.name}: keeps no snapshots of its weights; train a new run to look back at it")
    prepared, found = None, []
    for step in steps:
        probabilities = None
        with suppress(FileError):
            model = run.model_at(step)
            try:
                prepared = frame_picture(gray, model.preprocessing, NAME) if prepared is None else prepared
            except DataError as error:
                return {"classes": model.classes, "why": str(error)}
            with suppress(DataError):  # weights so large that the answer is not finite
                probabilities = model.predict_proba(prepared[None])[0].astype(np.float64).round(4).tolist()
        found.append(probabilities)
    return {"classes": run.config.classes, "steps": steps, "probabilities": found}
