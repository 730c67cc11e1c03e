"""What is inside a run's network, now or at a past step: first-layer weights, layers, and the confusion matrix."""

from typing import Annotated, Any, TypeAlias

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as InPath
from numpy.typing import NDArray

from ..data import Examples
from ..errors import DataError
from ..evaluation import Evaluation
from ..model import Model
from ..nn import Conv2D, Dense, Layer, LayerPass, Network, Pass, ReLU, SoftmaxCrossEntropy
from .choice import Step
from .dependencies import NamedRun, from_state
from .moments import Answer, Insight, Moment

__all__ = ["confused", "look_at_layers", "look_at_weights", "router"]

UNITS = 64  # first-layer images
SEEN = 256  # images on which activations and gradients are looked at
BARS = 40  # of a histogram
FULL = 127  # what a large weight is sent as: whole numbers are a third of the text
LARGE = 0.995  # fraction of the weights that are not larger: a few huge ones would make all others pale
CELL = 60  # images of a cell of the confusion matrix

Index: TypeAlias = Annotated[int, InPath(ge=0)]  # of a class


TheInsight = Annotated[Insight, from_state("insight")]
router = APIRouter()


@router.get("/api/runs/{name}/weights")
async def weights(run: NamedRun, insight: TheInsight, step: Step = None) -> Response:
    """Return the weights of a run's first layer."""

    def work_out(moment: Moment) -> Answer:
        return look_at_weights(moment.model, insight.units(run, moment, UNITS))

    return await insight.answer(run, step, "weights", work_out)


@router.get("/api/runs/{name}/changes")
async def changes(run: NamedRun, insight: TheInsight, step: Step = None) -> Response:
    """Return how the weights of a run's first layer differ from those of the moment before, and ``since`` which step.

    Where there is none before, ``since`` is None, and nothing differs.
    """

    def work_out(moment: Moment) -> Answer:
        before, since = moment.before or (moment.model, None)
        return look_at_weights(moment.model, insight.units(run, moment, UNITS), before) | {"since": since}

    return await insight.answer(run, step, "changes", work_out)


@router.get("/api/runs/{name}/layers")
async def layers(run: NamedRun, insight: TheInsight, step: Step = None) -> Response:
    """Return what goes forward and back through a run's layers for some validation images."""

    def work_out(moment: Moment) -> Answer:
        examples = insight.store.validation_images(run, moment.model)
        return look_at_layers(moment.model, examples.spread(SEEN))

    return await insight.answer(run, step, "layers", work_out)


@router.get("/api/runs/{name}/confusion")
async def confusion(run: NamedRun, insight: TheInsight, step: Step = None, changes: bool = False) -> Response:
    """Return a run's confusion matrix on its validation images.

    With ``changes`` also ``before``, that of the moment before on the same images, and ``since`` which step; both are
    None where there is none before.
    """

    def work_out(moment: Moment) -> Answer:
        evaluation = insight.evaluation(run, moment)
        matrix = evaluation.confusion.tolist()
        answer = {"classes": list(evaluation.classes), "matrix": matrix, "images": len(evaluation.labels)}
        if not changes:
            return answer
        earlier, since = insight.evaluation_before(run, moment) or (None, None)
        return answer | {"before": earlier and earlier.confusion.tolist(), "since": since}

    return await insight.answer(run, step, f"confusion {changes}", work_out)


@router.get("/api/runs/{name}/confusion/{true}/{said}")
async def cell(run: NamedRun, insight: TheInsight, true: Index, said: Index, step: Step = None) -> Response:
    """Return the images in a cell of a run's confusion matrix."""

    def work_out(moment: Moment) -> Answer:
        if max(true, said) >= len(moment.model.classes):
            raise HTTPException(404, f"no such cell: the classes are 0 to {len(moment.model.classes) - 1}")
        return confused(insight.evaluation(run, moment), insight.images(run, moment), true, said)

    return await insight.answer(run, step, f"confusion/{true}/{said}", work_out)


def look_at_weights(model: Model, units: NDArray[np.int64], before: Model | None = None) -> Answer:
    """Return the weights of some units of the first layer as images, of an ensemble those of its first network.

    Args:
        model: whose weights.
        units: which, by their index.
        before: an earlier model, from whose weights the differences are shown instead.

    Returns:
        ``height``, ``width``, ``units`` (an image each, in 127ths of ``full`` and no more than that), ``numbers`` (of
        the units, from 1), ``full``, and ``of`` (how many units there are).

    Raises:
        DataError: no layer has weights.
    """
    images = model.first_weights()
    W = images[units]  # (units, h, w)
    if before is not None:
        W = W - before.first_weights()[units]
    full = float(np.quantile(np.abs(W), LARGE)) or float(np.abs(W).max()) or 1.0
    shades = np.rint(np.clip(W / full, -1, 1) * FULL).astype(int).tolist()
    numbers = (units + 1).tolist()
    return {
        "height": W.shape[1],
        "width": W.shape[2],
        "units": shades,
        "numbers": numbers,
        "of": len(images),
        "full": full,
    }


def look_at_layers(model: Model, examples: Examples) -> Answer:
    """Return what goes forward and back through the layers for some images, of an ensemble through its first network.

    A layer is one with weights and what follows it up to the next, so its activations are those that the next one gets;
    those of the last are the logits. The units of a convolution are its filters, each at all of its places. The
    gradient is that of the mean cross-entropy of these images.

    Returns:
        ``images`` (how many) and ``layers``, from the input up: ``name``, ``units``, ``filters`` (whether the units
        are), ``activations`` (``mean``, ``spread`` (standard deviation), ``zeros`` (fraction of them), ``dead`` (units
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
    """Return the images of class ``true`` of which the network said ``said``, up to 60, the most striking first.

    Those are the mistakes that the network was most sure of, and the correct answers that it was least sure of. Each
    has its ``index`` among the validation images.
    """
    cell = np.flatnonzero((evaluation.labels == true) & (evaluation.predictions == said))
    sure = evaluation.probabilities[cell, said]
    order = np.argsort(sure if true == said else -sure, kind="stable")[:CELL]
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
    """Return the statistics of a layer's activations A (n, units); ``shut``: whether they come out of a ReLU."""
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
