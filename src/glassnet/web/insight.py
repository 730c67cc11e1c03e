"""What is inside a run's network as it is now: first-layer weights, layers, and the confusion matrix.

Each answer is worked out once for a model, in a thread, however many watch. It looks at validation images of the run.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as InPath
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from ..data import Examples
from ..errors import DataError
from ..evaluation import Evaluation, evaluate
from ..model import Model
from ..nn import Conv2D, Dense, Layer, LayerPass, Network, Pass, ReLU, SoftmaxCrossEntropy
from ..training import Run
from .dependencies import NamedRun, from_state
from .record import Record
from .store import Store, newest_model
from .watch import step_of

__all__ = ["Insight", "confused", "look_at_layers", "look_at_weights", "router"]

UNITS = 64  # first-layer images
SEEN = 256  # images on which activations and gradients are looked at
BARS = 40  # of a histogram
FULL = 127  # what a large weight is sent as: whole numbers are a third of the text
LARGE = 0.995  # share of the weights that are no larger: a few huge ones would make all others pale
CELL = 60  # images of a cell of the confusion matrix
RUNS = 4  # whose answers are kept

Answer: TypeAlias = dict[str, Any]
Index: TypeAlias = Annotated[int, InPath(ge=0)]  # of a class


@dataclass
class Snapshot:
    """A run's network at one moment, with what has been worked out of it.

    Attributes:
        model: the network.
        written: when its file was written.
        step: at which it was.
        answers: JSON by kind.
        evaluation: on all validation images, once somebody asked.
    """

    model: Model
    written: int
    step: int
    answers: dict[str, bytes]
    evaluation: Evaluation | None = None


class Insight:
    """The networks that are looked at.

    Args:
        store: where the models and the images come from.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._snapshots: dict[Path, Snapshot] = {}
        self._one_at_a_time = asyncio.Lock()  # a training beside it needs the processor too

    async def answer(self, run: Run, kind: str, work_out: Callable[[Snapshot], Answer]) -> Response:
        """Return the JSON of what is asked of a run's network, worked out anew only where the network is a new one.

        Raises:
            DataError, TrainingError, FileError: no model or no images, and why.
        """
        async with self._one_at_a_time:
            content = await run_in_threadpool(self._answer, run, kind, work_out)
        return Response(content, media_type="application/json")

    def _answer(self, run: Run, kind: str, work_out: Callable[[Snapshot], Answer]) -> bytes:
        snapshot = self._snapshot(run)
        if kind not in snapshot.answers:
            answer = {"step": snapshot.step} | work_out(snapshot)
            snapshot.answers[kind] = json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
        return snapshot.answers[kind]

    def _snapshot(self, run: Run) -> Snapshot:
        newest = newest_model(run.path)
        known = self._snapshots.pop(run.path, None)
        if known is None or newest is None or known.written != newest[1]:
            model = self.store.model(run.path.name)  # which says so where there is none
            file, written = newest or (run.path, 0)
            record = Record(run.path)
            record.read()
            known = Snapshot(model, written, step_of(file, record), {})
        self._snapshots[run.path] = known
        while len(self._snapshots) > RUNS:
            del self._snapshots[next(iter(self._snapshots))]
        return known

    def evaluation(self, run: Run, snapshot: Snapshot) -> Evaluation:
        """Return what the network says of all validation images; raises as `Store.validation_images`."""
        if snapshot.evaluation is None:
            snapshot.evaluation = evaluate(snapshot.model, self.store.validation_images(run, snapshot.model))
        return snapshot.evaluation


TheInsight = Annotated[Insight, from_state("insight")]
router = APIRouter()


@router.get("/api/runs/{name}/weights")
async def weights(run: NamedRun, insight: TheInsight) -> Response:
    """Return the weights of a run's first layer."""
    return await insight.answer(run, "weights", lambda snapshot: look_at_weights(snapshot.model))


@router.get("/api/runs/{name}/layers")
async def layers(run: NamedRun, insight: TheInsight) -> Response:
    """Return what goes forward and back through a run's layers for some validation images."""

    def work_out(snapshot: Snapshot) -> Answer:
        examples = insight.store.validation_images(run, snapshot.model)
        few = np.arange(0, len(examples), -(-len(examples) // SEEN))
        return look_at_layers(snapshot.model, examples.take(few))

    return await insight.answer(run, "layers", work_out)


@router.get("/api/runs/{name}/confusion")
async def confusion(run: NamedRun, insight: TheInsight) -> Response:
    """Return a run's confusion matrix on its validation images."""

    def work_out(snapshot: Snapshot) -> Answer:
        evaluation = insight.evaluation(run, snapshot)
        matrix = evaluation.confusion.tolist()
        return {"classes": list(evaluation.classes), "matrix": matrix, "images": len(evaluation.labels)}

    return await insight.answer(run, "confusion", work_out)


@router.get("/api/runs/{name}/confusion/{true}/{said}")
async def cell(run: NamedRun, insight: TheInsight, true: Index, said: Index) -> Response:
    """Return the images in a cell of a run's confusion matrix."""

    def work_out(snapshot: Snapshot) -> Answer:
        if max(true, said) >= len(snapshot.model.classes):
            raise HTTPException(404, f"no such cell: the classes are 0 to {len(snapshot.model.classes) - 1}")
        return confused(
            insight.evaluation(run, snapshot), insight.store.validation_images(run, snapshot.model), true, said
        )

    return await insight.answer(run, f"confusion/{true}/{said}", work_out)


def look_at_weights(model: Model) -> Answer:
    """Return the weights of the first layer as images, of an ensemble those of its first network.

    Returns:
        ``height``, ``width``, ``units`` (up to 64 images, in 127ths of ``full`` and no more than that), ``full``, and
        ``of`` (how many units there are).

    Raises:
        DataError: no layer has weights.
    """
    images = model.first_weights()
    W = images[:UNITS]  # (units, h, w)
    full = float(np.quantile(np.abs(W), LARGE)) or 1.0
    units = np.rint(np.clip(W / full, -1, 1) * FULL).astype(int).tolist()
    return {"height": W.shape[1], "width": W.shape[2], "units": units, "of": len(images), "full": full}


def look_at_layers(model: Model, examples: Examples) -> Answer:
    """Return what goes forward and back through the layers for some images, of an ensemble through its first network.

    A layer is one with weights and what follows it up to the next, so its activations are those that the next one gets;
    those of the last are the logits. The units of a convolution are its filters, each at all of its places. The
    gradient is that of the mean cross-entropy of these images.

    Returns:
        ``images`` (how many) and ``layers``, from the input up: ``name``, ``units``, ``filters`` (whether the units
        are), ``activations`` (``mean``, ``spread`` (standard deviation), ``zeros`` (share of them), ``dead`` (units
        that are zero for all images, None where the activation is not a ReLU), ``histogram`` (``low``, ``high``,
        ``counts``)) and ``gradients`` (``norm`` of ∂L/∂W, and ``relative`` to the norm of W).
    """
    network = model.network
    X, p = model.inputs(examples.images), Pass(network, gradients=np.empty_like(network.gradients))
    found: list[Answer] = []
    with np.errstate(all="ignore"):
        Y = X
        for name, layers in _groups(network, p):
            for layer, own in layers:
                Y = layer.forward(Y, own)
            shut = any(isinstance(layer, ReLU) for layer, _ in layers)
            filters = any(isinstance(layer, Conv2D) for layer, _ in layers)
            units = next(layer.W for layer, _ in layers if isinstance(layer, Dense | Conv2D)).shape[-1]
            places = Y.reshape(-1, Y.shape[-1])  # examples, and the places of an image
            found.append({"name": name, "units": units, "filters": filters, "activations": _activations(places, shut)})
        loss = SoftmaxCrossEntropy(len(model.classes))
        network.backward(loss(Y, examples.labels).gradient, p)
        pairs = zip(network.layers, p.layers, strict=True)
        weights = [(layer.W, own.dW) for layer, own in pairs if isinstance(layer, Dense | Conv2D)]
        for answer, (W, dW) in zip(found, weights, strict=True):
            norm, size = float(np.linalg.norm(dW)), float(np.linalg.norm(W))
            answer["gradients"] = {"norm": _finite(norm), "relative": _finite(norm / size if size else 0.0)}
    return {"images": len(examples), "layers": found}


def confused(evaluation: Evaluation, examples: Examples, true: int, said: int) -> Answer:
    """Return the images of class ``true`` of which the network said ``said``, up to 60, the most probable first.

    Each has its ``index`` among the validation images.
    """
    cell = np.flatnonzero((evaluation.labels == true) & (evaluation.predictions == said))
    sure = evaluation.probabilities[cell, said]
    order = np.argsort(-sure, kind="stable")[:CELL]
    pixels = examples.images_at(cell[order]).tolist()
    chances = sure[order].astype(float).tolist()
    images = [
        {"index": index, "pixels": image, "probability": chance}
        for index, image, chance in zip(cell[order].tolist(), pixels, chances, strict=True)
    ]
    return {"images": images, "of": len(cell)}


def _groups(network: Network, p: Pass) -> list[tuple[str, list[tuple[Layer, LayerPass]]]]:
    """Return the layers from each with weights up to the next, with a name; what comes before the first is its own."""
    layers = list(zip(network.layers, p.layers, strict=True))
    starts = [i for i, layer in enumerate(network.layers) if layer.weights]
    ends = [*starts[1:], len(network.layers)]
    names = [f"hidden {number}" for number in range(1, len(starts))] + ["output"]
    return [(name, layers[start:end]) for name, start, end in zip(names, [0, *starts[1:]], ends, strict=True)]


def _activations(A: NDArray[Any], shut: bool) -> Answer:
    """Return the figures of a layer's activations A (n, units); ``shut``: whether they come out of a ReLU."""
    values = A[np.isfinite(A)].astype(np.float64)
    if not values.size:
        raise DataError("the network's weights are so large that its activations are not finite")
    counts, edges = np.histogram(values, BARS)
    return {
        "mean": float(values.mean()),
        "spread": float(values.std()),
        "zeros": float(np.mean(values == 0)),
        "dead": int(np.count_nonzero(A.max(axis=0) <= 0)) if shut else None,
        "histogram": {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()},
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
