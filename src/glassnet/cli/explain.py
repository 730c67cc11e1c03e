"""``glassnet explain``: one image through one training step."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data import Examples
from ..data.dataset import Images
from ..errors import ConfigError, DataError
from ..explain import (
    Explanation,
    explain_tiny,
    explain_tiny_convolution,
    images_to_explain,
    trained_images,
    training_notes,
)
from ..explain import explain as explain_step
from ..model import Model
from ..training import BUNDLED, Run, name_of, open_model
from ..training.rehearsal import learned
from .output import draw_images, print_json, printable, require_ending, say
from .units import show_unit, write_map

__all__ = ["explain"]

TINY = {
    "--tiny": ("A tiny network", explain_tiny),
    "--tiny-convolution": ("A tiny convolution", explain_tiny_convolution),
}


def explain(
    run: Path | None = None,
    /,
    *,
    image: int | None = None,
    tiny: bool = False,
    tiny_convolution: bool = False,
    learning_rate: float | None = None,
    layer: int | None = None,
    unit: int | None = None,
    map: Path | None = None,  # noqa: A002  # as the flag is called
    method: str = "pca",
    report: Path | None = None,
    json: bool = False,
) -> None:
    """Show one training step on one test image, number by number: each stage with its equation, shapes and values.

    The stages are forward pass, probabilities, loss, backward pass, an update by plain gradient descent, and the loss
    after the update. With --layer and --unit, show the exact sum of one unit for the image instead, and the training
    images that excite it most; with --map, write a map of test images by the last hidden layer.

    Parameters
    ----------
    run
        Run folder or model file. Default: the bundled model.
    image
        Index of the test image, from 0. Default: 0.
    tiny
        Use a network so small that every number can be checked with a pocket calculator, instead of a model.
    tiny_convolution
        The same with a convolution of one filter, a pool and two outputs.
    learning_rate
        Learning rate of the step. Default: 0.1, or 0.5 for a tiny network.
    layer
        Show a unit of this layer: 0 is the input, 1 the first layer or pool, and so on up to the output.
    unit
        Which one, from 1: of feature maps counted row by row, column by column, filter by filter.
    map
        Write a map of up to 1,000 test images to this PNG file: those near each other look alike to the network.
    method
        How the map is made: pca, or umap, which keeps neighbours together and needs umap-learn.
    report
        Write a page, explain.html, to this folder.
    json
        Print all stages as JSON, with complete arrays.
    """
    if tiny and tiny_convolution:
        raise ConfigError("give either --tiny or --tiny-convolution")
    flag = "--tiny" if tiny else "--tiny-convolution" if tiny_convolution else ""
    if flag and run is not None:
        raise ConfigError(f"give either a run folder or model file, or {flag}")
    if flag and image is not None:
        raise ConfigError(f"--image {image}: not used with {flag}, which has its own image; leave out one of them")
    if layer is not None or unit is not None or map is not None:
        if flag or learning_rate is not None or report is not None:
            raise ConfigError("--layer, --unit and --map: give them with a run or a model and --image alone")
        if layer is None and unit is None and image is not None:
            raise ConfigError(
                f"--image {image}: not used with --map, which shows many; leave it out, or add --layer and --unit"
            )
        _look_inside(run, image or 0, layer, unit, map, method, json)
        return
    if flag:
        title, explain_it = TINY[flag]
        explanation = explain_it() if learning_rate is None else explain_it(learning_rate)
    else:
        image = image or 0
        title = f"Test image {image} of {name_of(run)}"
        explanation = _explain_run(run, image, 0.1 if learning_rate is None else learning_rate)
    page: Path | None = None
    if report is not None:
        from ..explain.page import write_page

        page = write_page(explanation, title, report)
    if json:
        print_json(explanation.to_json() | ({"page": str(page)} if page else {}))
        return
    columns = explanation.image.shape[1]
    print(printable(f"{title}\n"))
    draw_images([explanation.image], 28 if columns > 14 else 2 * columns * max(8 // columns, 1))
    print(printable(f"\n{explanation}"))
    if page:
        print(f"\n{page}    open it in a browser")


def _look_inside(
    path: Path | None, image: int, layer: int | None, unit: int | None, file: Path | None, method: str, json: bool
) -> None:
    """Show a unit, and write a map."""
    require_ending("--map", file, ".png")
    if (layer is None) != (unit is None):
        raise ConfigError("a unit has a layer and a number; give both, such as --layer 1 --unit 17")
    model, name = open_model(path), str(path or BUNDLED)
    examples = images_to_explain(model, name)
    if layer is not None and unit is not None:
        pixels, label = _chosen(examples, image)
        about = f"Test image {image}, a {model.classes[label]}"
        show_unit(model, about, pixels, _learned(model, path, name), layer, unit, json)
    if file is not None:
        say(write_map(model, examples, file, method))


def _learned(model: Model, path: Path | None, name: str) -> Examples:
    """Return the images that a model learned from."""
    if path is None or not path.is_dir():
        return trained_images(model, name)
    run = Run(path)
    return learned(run.config, run.dataset())


def _chosen(examples: Examples, image: int) -> tuple[Images, int]:
    """Return an image and its label."""
    if not 0 <= image < len(examples):
        raise DataError(f"--image {image}: there are {len(examples):,} test images, 0 to {len(examples) - 1}")
    return examples.images_at(np.array([image]))[0], int(examples.labels[image])


def _explain_run(path: Path | None, image: int, learning_rate: float) -> Explanation:
    model = open_model(path)
    pixels, label = _chosen(images_to_explain(model, str(path or BUNDLED)), image)
    explanation = explain_step(model, pixels, label, learning_rate)
    if path is None or not path.is_dir():
        return explanation
    return replace(explanation, notes=(*explanation.notes, *training_notes(Run(path).config)))
