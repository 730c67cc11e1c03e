"""What a network makes of a drawing: its answer, its input, and the evidence for that answer and against it."""

import hashlib
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from numpy.typing import NDArray

from ..answers import how_many
from ..data import Preprocessing, frame_picture, read_picture
from ..data.dataset import Images
from ..errors import DataError
from ..model import Model
from ..nn import Flatten, Network, Pass
from ..nn.types import Array
from .choice import NAME, Step
from .dependencies import Preparing, TheStore

__all__ = ["glance", "look", "router"]

MOST_FRAMED = 16  # drawings that are found again; those asked for least recently go first
FRAMED: dict[tuple[bytes, Preprocessing], Images] = {}
FRAMING = Lock()  # for those who look there or put one there

router = APIRouter()


@router.post("/api/draw")
async def draw(
    request: Request,
    store: TheStore,
    preparing: Preparing,
    run: str | None = None,
    step: Step = None,
    brief: bool = False,
) -> dict[str, Any]:
    """Answer a drawing by the site's model, or by that of the run that is named, as it is now or was at a step.

    A ``brief`` answer is that of `glance`, otherwise it is that of `look`.
    """
    picture = await request.body()
    return await run_sync(lambda: (glance if brief else look)(store.model(run, step), picture), limiter=preparing)


def glance(model: Model, picture: bytes) -> dict[str, Any]:
    """Return what a page that follows a training asks for a few times a second of the same drawing.

    That is of what `look` returns ``empty``, ``classes``, and ``why`` or ``probabilities`` and ``answer``.
    """
    try:
        prepared = _framed(picture, model.preprocessing)
    except DataError as error:
        return {"empty": True, "classes": model.classes, "why": str(error)}
    probabilities = model.predict_proba(prepared[None])[0]
    answer = model.classes[int(probabilities.argmax())]
    return {"empty": False, "classes": model.classes, "probabilities": probabilities.tolist(), "answer": answer}


def _framed(picture: bytes, form: Preprocessing) -> Images:
    """Return a drawing in the form of a model's images; to find it again takes a hundredth of the time.

    The picture itself, which may have megabytes, is not kept.
    """
    key = hashlib.blake2b(picture, digest_size=16).digest(), form
    with FRAMING:
        prepared = FRAMED.pop(key, None)
    if prepared is None:
        prepared = frame_picture(read_picture(picture, NAME), form, NAME)
    with FRAMING:
        FRAMED[key] = prepared
        while len(FRAMED) > MOST_FRAMED:
            del FRAMED[next(iter(FRAMED))]
    return prepared


def look(model: Model, picture: bytes) -> dict[str, Any]:
    """Return what a model makes of a drawing, ready for JSON.

    The drawing goes the same way as a picture that ``glassnet predict`` is given. Evidence is input times gradient
    (Shrikumar, Greenside, Shcherbina and Kundaje, Not Just a Black Box, 2016): for a class's logit z and each pixel

        e = (x − x₀) ∂z/∂x        x the pixel's input, x₀ that of a pixel without ink

    which is, to first order, by how much the ink of this pixel raised the score z (e > 0) or lowered it (e < 0). The
    background has none. In a network of ReLU z is linear as long as no unit switches on or off.

    The answers of an ensemble are its own, evidence is the mean of its members', and the activations are its first
    member's.

    Args:
        model: the network or networks that look.
        picture: the content of a picture file.

    Returns:
        ``empty``, and ``classes`` (k); where there is no digit to see only ``why`` besides, and otherwise ``prepared``
        (h, w) gray values that the network sees, ``probabilities`` (k), ``answer`` and ``runner_up``, which are
        classes, ``doubt``, ``reading`` if there seem to be several digits, ``layers`` with ``name``, ``steps``,
        ``activations`` and the same ``scaled`` to 0 … 1, of a convolution as feature maps (filters, h, w), and
        ``evidence`` and ``runner_up_evidence`` (h, w).

    Raises:
        DataError: it is not a picture, or a damaged one; or the model's answer is not finite.
    """
    gray = read_picture(picture, NAME)
    try:
        prepared = frame_picture(gray, model.preprocessing, NAME)
    except DataError as error:
        return {"empty": True, "classes": model.classes, "why": str(error)}
    all_probabilities, doubts = model.recognise(prepared[None])
    probabilities, doubt = all_probabilities[0], None if doubts is None else float(doubts[0])
    is_several = how_many(model, gray, doubt) > 1
    second, first = np.argsort(probabilities)[-2:]
    blank = np.full_like(prepared, model.preprocessing.ground)
    x, ground = model.inputs(np.stack([prepared, blank]))
    ink, targets = x - ground, np.array([first, second])
    evidence = np.mean([ink * input_gradients(network, x, targets) for network in model.networks], axis=0)
    return {
        "empty": False,
        "classes": model.classes,
        "prepared": prepared.tolist(),
        "probabilities": probabilities.tolist(),
        "answer": model.classes[first],
        "runner_up": model.classes[second],
        "doubt": doubt,
        "reading": model.read(gray).to_dict() if is_several else None,
        "layers": _activations(model.network, x),
        "evidence": _short(evidence[0].reshape(prepared.shape)),
        "runner_up_evidence": _short(evidence[1].reshape(prepared.shape)),
    }


def input_gradients(network: Network, x: Array, targets: NDArray[np.int64]) -> Array:
    """Return ∂z/∂x (t, d) at one input x (d,), for each of the outputs z whose indices are ``targets`` (t,).

    Each row of a batch has a gradient of its own, so that one backward pass serves them all: row i holds x again, and
    asks for target i.
    """
    p = Pass(network)
    Z = network.forward(np.tile(x, (len(targets), 1)), p)
    dX = np.zeros_like(Z)
    dX[np.arange(len(targets)), targets] = 1
    return network.input_gradient(dX, p)


def _activations(network: Network, x: Array) -> list[dict[str, Any]]:
    """Return what comes out of each layer with weights and the steps up to the next one, for one input (d,).

    What a convolution gives is ``scaled`` as feature maps, (filters, h, w).
    """
    outputs, Y = [], x[None]
    for layer, own in zip(network.layers, Pass(network).layers, strict=True):
        Y = layer.forward(Y, own)
        outputs.append(Y[0])
    starts = [i for i, layer in enumerate(network.layers) if layer.weights]
    found = []
    for number, (start, end) in enumerate(pairwise([*starts, len(outputs)]), 1):
        # What lays the maps of a convolution out as a row comes before the layer that needs it.
        last = end - 1 if end == len(outputs) or not isinstance(network.layers[end - 1], Flatten) else end - 2
        A = outputs[last]
        found.append(
            {
                "name": "output" if end == len(outputs) else f"hidden layer {number}",
                "steps": [type(layer).__name__ for layer in network.layers[start : last + 1]],
                "activations": _short(A.ravel()),
                "scaled": _short(_scaled(A.transpose(2, 0, 1) if A.ndim == 3 else A)),
            }
        )
    return found


def _scaled(a: Array) -> Array:
    """Return numbers as shares of the way from the least of them to the greatest."""
    least, greatest = a.min(), a.max()
    return np.asarray((a - least) / (greatest - least or 1))


def _short(values: Array) -> list[Any]:
    """Return numbers with four decimals, which is more than a page can show."""
    rounded: list[Any] = values.astype(np.float64).round(4).tolist()
    return rounded
