"""``glassnet explain`` with ``--unit`` or ``--map``: one unit's exact sum, and a map of the last hidden layer."""

from pathlib import Path
from textwrap import fill
from typing import Any

from ..data import Examples
from ..data.dataset import Images
from ..errors import ConfigError
from ..explain import UnitSum, project, top_images, trace
from ..explain.top_images import MOST_SEARCHED
from ..model import Model
from .output import draw_images, print_json, printable, write_figure

__all__ = ["show_unit", "write_map"]

MOST_POINTS = 1_000  # images on a map
WIDTH = 80
SHOWN = 5  # images that excite the unit, in a terminal


def show_unit(model: Model, about: str, pixels: Images, training: Examples, layer: int, unit: int, json: bool) -> None:
    """Print the sum of a unit, counted from 1, for an image, and the training images that excite it most.

    Args:
        model: whose unit it is.
        about: what to say of the image.
        pixels: (h, w).
        training: the images that the model learned from.
        layer: 0 is the input.
        unit: from 1.
        json: whether to print JSON.

    Raises:
        ConfigError: no such layer or unit.
    """
    seen = trace(model, pixels)
    if not 0 <= layer < len(seen.layers):
        raise ConfigError(f"--layer {layer}: there are 0 (the input) to {len(seen.layers) - 1} (the output)")
    if not 1 <= unit <= seen.layers[layer].size:
        raise ConfigError(f"--unit {unit}: {seen.layers[layer].name} has units 1 to {seen.layers[layer].size:,}")
    own = seen.unit(layer, unit - 1)
    few = training.spread(MOST_SEARCHED)
    found = top_images(model, few, 9)[layer]
    row = own.layer.feature(own.unit)
    labels = [model.classes[label] for label in few.labels[found.indices[row]]]
    activations = found.activations[row]
    if json:
        print_json(_as_json(own) | {"top": {"labels": labels, "activations": activations.tolist(), "of": len(few)}})
        return
    print(printable(f"{about}\n\n{own}"))
    words = ", ".join(f"{label} ({value:.2f})" for label, value in zip(labels, activations.tolist(), strict=True))
    print(printable("\n" + fill(f"Of {len(few):,} training images it is excited most by: {words}", WIDTH) + "\n"))
    draw_images(list(few.images_at(found.indices[row][:SHOWN])))


def _as_json(own: UnitSum) -> dict[str, Any]:
    weights = own.connections.weights
    return {
        "layer": own.level,
        "name": own.layer.name,
        "kind": own.layer.kind,
        "unit": own.unit + 1,
        "activation": own.activation,
        "values": list(own.values),
        "bias": own.connections.bias,
        "inputs": own.inputs.tolist(),
        "weights": None if weights is None else weights.tolist(),
    }


def write_map(model: Model, examples: Examples, file: Path, method: str) -> str:
    """Write a map of up to 1,000 images to a PNG file, and return what it shows."""
    from ..plots import projection

    few = examples.spread(MOST_POINTS)
    found = project(model, few, method)
    write_figure(projection(found.coordinates, few.labels, model.classes, method), file)
    shares = "" if found.explained is None else ", axes with {:.0%} and {:.0%} of the variance".format(*found.explained)
    return f"{file}    {len(few):,} test images by the last hidden layer, {method.upper()}{shares}"
