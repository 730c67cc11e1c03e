"""A network as a network: what each unit gives for an image, what it is connected with, and what it looks for.

Numbers are float32 in base64, little-endian, so that the page has them as they are.
"""

import zlib
from base64 import b64encode
from typing import Annotated, Any

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from numpy.typing import ArrayLike
from starlette.concurrency import run_in_threadpool

from ..data import Examples
from ..data.dataset import Images
from ..errors import DataError
from ..explain import Connections, TopImages, Trace, UnitLayer, top_images, trace
from ..explain.units import check_unit, connections, unit_layers
from ..model import Model
from ..nn import Network
from .choice import Of, Step, choose, framed, name_of, training_images
from .dependencies import Preparing, TheKept, TheStore

__all__ = ["encoded", "look", "router", "version"]

MOST_NUMBERS = 4_000_000  # that units of a network may give for an image: 16 MB
MOST_UNITS = 64  # whose connections are sent at once
MOST_CONNECTIONS = 4_000_000  # of these together
TOP = 9  # images that excite a unit most
SUMS = {"input": "pixel", "dense": "sum", "convolution": "sum", "max pool": "maximum", "average pool": "mean"}

router = APIRouter()


@router.get("/api/network")
def of_image(
    store: TheStore, run: str | None = None, step: Step = None, image: int = 0, of: Of = "test"
) -> dict[str, Any]:
    """Return what each unit gives for an image that the network has not learned from."""
    model = store.model(run, step)
    chosen = choose(store, model, run, of, image)
    return look(model, chosen.pixels) | {"label": chosen.label, "images": chosen.images, "model": name_of(store, run)}


@router.post("/api/network")
async def of_drawing(
    request: Request, store: TheStore, preparing: Preparing, run: str | None = None, step: Step = None
) -> dict[str, Any]:
    """Return what each unit gives for a drawing."""
    picture = await request.body()

    def work_out() -> dict[str, Any]:
        model = store.model(run, step)
        return look(model, framed(model, picture)) | {"model": name_of(store, run)}

    return await run_sync(work_out, limiter=preparing)


@router.get("/api/network/units")
def units(
    store: TheStore, layer: int, units: Annotated[str, Query(max_length=1_000)], run: str | None = None,
    step: Step = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what some units of a layer are connected with, by their numbers from 0 with commas between them."""
    model = store.model(run, step)
    wanted = [int(part) for part in units.split(",") if part.isascii() and part.isdigit()]
    if not 1 <= len(wanted) <= MOST_UNITS or len(wanted) != units.count(",") + 1:
        raise DataError(f"units: {units[:40]!r} is not a list of 1 to {MOST_UNITS} whole numbers, such as 0,3,17")
    layers = unit_layers(model)
    for unit in wanted:
        check_unit(layers, layer, unit)
    found = [connections(model.network, layers, layer, unit) for unit in wanted]
    if sum(each.inputs.size + each.outputs.size for each in found) > MOST_CONNECTIONS:
        raise DataError(f"units: these have more than {MOST_CONNECTIONS:,} connections together; ask for fewer")
    return {"version": version(model), "units": [_connected(layers, layer, each) for each in found]}


@router.get("/api/network/top")
async def top(
    store: TheStore, kept: TheKept, layer: int, unit: int, run: str | None = None, step: Step = None
) -> dict[str, Any]:
    """Return the nine training images, of up to 2,000, that excite a unit most; a filter at any place."""
    model = await run_in_threadpool(store.model, run, step)
    layers = unit_layers(model)
    check_unit(layers, layer, unit)

    def work_out() -> tuple[Examples, tuple[TopImages, ...]]:
        examples = training_images(store, model, run)
        return examples, top_images(model, examples, TOP)

    number = version(model)
    examples, of_layers = await kept.answer("top", (run, number), work_out)
    found = of_layers[layer]
    row = layers[layer].feature(unit)
    return {
        "version": number,
        "images": examples.images_at(found.indices[row]).tolist(),
        "labels": examples.labels[found.indices[row]].tolist(),
        "activations": found.activations[row].tolist(),
        "of": len(examples),
    }


def look(model: Model, pixels: Images) -> dict[str, Any]:
    """Return what each unit of a model's network gives for an image (h, w), ready for JSON.

    Returns:
        ``version`` of the network, by which answers can be told to be of the same; ``classes``, ``members`` (of an
        ensemble, whose first network this is), ``image``, ``probabilities``, and ``layers`` with ``name``, ``kind``,
        ``shape`` and ``steps`` (``name`` and ``values``, of which the last are the activations).

    Raises:
        DataError: the network is too large to be looked at, or its answer is not finite.
    """
    count = sum(layer.size * (len(layer.steps) or 1) for layer in unit_layers(model))
    if count > MOST_NUMBERS:
        raise DataError(f"this network gives {count:,} numbers for an image, and at most {MOST_NUMBERS:,} are shown")
    seen = trace(model, pixels)
    return {
        "version": version(model),
        "classes": model.classes,
        "members": len(model.networks),
        "image": pixels.tolist(),
        "probabilities": seen.probabilities.tolist(),
        "layers": [_layer(seen, level) for level in range(len(seen.layers))],
    }


def version(model: Model) -> int:
    """Return a number that changes with any parameter of a model's networks."""
    number = 0
    for network in model.networks:
        number = zlib.crc32(np.ascontiguousarray(network.parameters).data, number)
    return number


def encoded(numbers: ArrayLike) -> str:
    """Return numbers as float32 in base64."""
    return b64encode(np.asarray(numbers, "<f4").tobytes()).decode()


def _layer(seen: Trace, level: int) -> dict[str, Any]:
    layer = seen.layers[level]
    names = [SUMS[layer.kind], *_after(seen.network, layer)]
    steps = [{"name": name, "values": encoded(values)} for name, values in zip(names, seen.values[level], strict=True)]
    return {"name": layer.name, "kind": layer.kind, "shape": layer.shape, "steps": steps}


def _after(network: Network, layer: UnitLayer) -> list[str]:
    """Return the names of the network's layers that follow a sum, a pool, or the pixels."""
    own = layer.steps if layer.kind == "input" else layer.steps[1:]
    return [type(network.layers[i]).__name__ for i in own]


def _connected(layers: tuple[UnitLayer, ...], level: int, own: Connections) -> dict[str, Any]:
    """Return a unit's connections; indices are None where they are those of a whole layer."""
    layer = layers[level]
    first = 0 if layer.kind == "input" else 1
    norms = {layer.steps.index(i) + 1 - first: numbers for i, numbers in own.normalisation.items()}
    above = layers[level + 1].size if level + 1 < len(layers) else 0
    return {
        "inputs": None if level and own.inputs.size == layers[level - 1].size else own.inputs.tolist(),
        "weights": None if own.weights is None else encoded(own.weights),
        "bias": own.bias,
        "outputs": None if own.outputs.size == above else own.outputs.tolist(),
        "output_weights": None if own.output_weights is None else encoded(own.output_weights),
        "normalisation": norms,
    }
