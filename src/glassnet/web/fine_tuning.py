"""Fine-tuning the network in hand on the kept drawings, and what has become of it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool

from ..data import Dataset, Examples, load_dataset, needs_download
from ..errors import DataError, GlassnetError
from ..locks import is_held
from ..model import Model
from ..training import BUNDLED, Config, Run
from ..training.folder import MODEL
from .choice import Step
from .dependencies import Beginning, Preparing, TheJobs, TheStore
from .store import Store

__all__ = ["router", "score"]

RECIPE = "fine-tune"

router = APIRouter()


@router.post("/api/drawings/train", status_code=201)
async def train(
    store: TheStore, jobs: TheJobs, preparing: Preparing, beginning: Beginning, run: str | None = None
) -> dict[str, str]:
    """Begin a run that starts from the site's model, or from the run's that is named, and return its name."""
    async with beginning:
        order = await run_sync(_order, store, run, limiter=preparing)
        name = await run_in_threadpool(jobs.start, order)  # not under the limit for pictures: it waits for a process
    return {"name": name}


@router.get("/api/drawings/train")
async def under_way(store: TheStore, beginning: Beginning) -> dict[str, str | None]:
    """Return the name of the run that is being fine-tuned on the kept drawings; None where there is none."""
    async with beginning:  # whoever reloads the page while one begins is told of it
        return {"name": await run_in_threadpool(_under_way, store)}


@router.get("/api/drawings/score")
async def get_score(store: TheStore, preparing: Preparing, run: str | None = None, step: Step = None) -> dict[str, Any]:
    """Say how many drawings the site's model, or the run's that is named, recognises, and of what it learned first.

    A run's is the one that it has now, or had at a ``step``: at 0, what a fine-tuning started from.

    Where it cannot be asked, the answer says ``why``: to be asked is not a mistake.
    """
    return await run_sync(_score, store, run, step, limiter=preparing)


def score(model: Model, dataset: Dataset) -> dict[str, list[int]]:
    """Return how many drawings a model recognises and of how many: ``all``, and ``held_out`` from fine-tuning."""
    held = _right(model, dataset.test)
    return {"held_out": held, "all": [a + b for a, b in zip(held, _right(model, dataset.train), strict=True)]}


def _under_way(store: Store) -> str | None:
    drawings = store.site.drawings.resolve()
    for name in store.names():
        path = store.site.runs / name
        if is_held(path):
            with suppress(GlassnetError):  # of a folder that is gone or damaged
                config = Run(path).config
                if config.recipe == RECIPE and Path(config.data).resolve() == drawings:
                    return name
    return None


def _order(store: Store, run: str | None) -> dict[str, Any]:
    """Return what `Jobs.start` takes, once it has been checked that it can be trained."""
    if name := _under_way(store):
        raise HTTPException(409, f"{name}: is being fine-tuned on the drawings; stop it, or wait until it ends")
    start = store.site.model or BUNDLED
    if run is not None:
        folder = store.run(run).path
        start = folder / MODEL
        if is_held(folder):  # its network of the moment may be gone before the other process reads it
            raise HTTPException(409, f"{run}: is being trained; stop it, or wait until it ends")
    model = store.model(run)
    _drawings(store, model)  # which refuses what cannot be trained on
    before = _learned_first(model)
    if needs_download(before):
        raise DataError(
            f"this model has learned {before}, which fine-tuning shows it again so that it is not forgotten, and which "
            "is not on this machine; fetch it with `glassnet evaluate`"
        )
    spec = {"name": "drawings", "data": str(store.site.drawings), "recipe": RECIPE, "start": str(start)}
    how = {"as_written": False, "settings": {}, "mistakes": None, "mistakes_from": None, "paused": False, "pace": None}
    return spec | how


def _score(store: Store, run: str | None, step: int | None) -> dict[str, Any]:
    model = store.model(run, step)
    try:
        found: dict[str, Any] = dict(score(model, _drawings(store, model)))
    except DataError as error:
        return {"why": str(error)}
    before = _learned_first(model)
    with suppress(DataError):  # arrays in memory, or files that are gone
        if not needs_download(before):
            config = Config.resolve(RECIPE)  # so that before and after fine-tuning the images are the same
            _, old = load_dataset(before, classes=model.classes).split(config.validation, config.split_seed)
            found |= {"before": Path(before).name, "validation": _right(model, old)}
    return found


def _drawings(store: Store, model: Model) -> Dataset:
    """Return the kept drawings with the classes of a model.

    Raises:
        DataError: there are none, not of its classes or its size, or one that cannot be read, which it names without
            the path of their folder: whoever reads it may be at another machine.
    """
    if not store.site.drawings.is_dir():
        raise DataError("no drawings are kept yet; draw some digits, and press Keep it")
    try:
        dataset = load_dataset(store.site.drawings, classes=model.classes).with_classes(model.classes)
    except DataError as error:
        raise DataError(str(error).replace(f"{store.site.drawings}{os.sep}", "")) from error
    if dataset.image_shape != model.image_shape:
        (height, width), (its_height, its_width) = dataset.image_shape, model.image_shape
        raise DataError(
            f"drawings become images of {height}×{width} pixels, and this model takes {its_height}×{its_width}; "
            "choose the bundled model, or one that was trained on MNIST"
        )
    return dataset


def _learned_first(model: Model) -> str:
    return model.seen[0] if model.seen else model.trained_on


def _right(model: Model, examples: Examples) -> list[int]:
    if not len(examples):
        return [0, 0]
    right = model.predict_proba(examples.images).argmax(axis=1) == examples.labels
    return [int(right.sum()), len(examples)]
