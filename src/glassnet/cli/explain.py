"""``glassnet explain``: one image through one training step."""

from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError, DataError
from ..explain import Explanation, explain_tiny, images_to_explain, training_notes
from ..explain import explain as explain_step
from ..training import BOX, Run, open_model
from .output import draw_images, print_json

__all__ = ["explain"]


def explain(
    run: Path | None = None,
    /,
    *,
    image: int | None = None,
    tiny: bool = False,
    learning_rate: float | None = None,
    report: Path | None = None,
    json: bool = False,
) -> None:
    """Take one test image through one training step and show every stage: equation, shapes, numbers.

    Forward, probabilities, loss, backward, the update by plain gradient descent, and the loss after it.

    Parameters
    ----------
    run
        A run folder or a model file; by default the model that comes with glassnet.
    image
        Which test image, counted from 0; by default the first.
    tiny
        Instead of a model, a network so small that each number can be followed with a pocket calculator.
    learning_rate
        Of the step; by default 0.1, and 0.5 with --tiny.
    report
        Write a page, explain.html, into this folder.
    json
        Print every stage as JSON, arrays in full.
    """
    if tiny and run is not None:
        raise ConfigError("give a run folder or model file, or --tiny, one of both")
    if tiny:
        if image is not None:
            raise ConfigError(f"--image {image}: --tiny has an image of its own; leave one of the two out")
        title = "A tiny network"
        explanation = explain_tiny() if learning_rate is None else explain_tiny(learning_rate)
    else:
        image = image or 0
        title = f"Test image {image} of {'the model in the box' if run is None else run.resolve().name}"
        explanation = _explain_run(run, image, 0.1 if learning_rate is None else learning_rate)
    page = _write_page(explanation, title, report)
    if json:
        print_json(explanation.to_json() | ({"page": str(page)} if page else {}))
        return
    columns = explanation.image.shape[1]
    print(f"{title}\n")
    draw_images([explanation.image], 28 if columns > 14 else 2 * columns * max(8 // columns, 1))
    print(f"\n{explanation}")
    if page:
        print(f"\n{page}    open it in a browser")


def _explain_run(path: Path | None, image: int, learning_rate: float) -> Explanation:
    model = open_model(path)
    examples = images_to_explain(model, str(path or BOX))
    if not 0 <= image < len(examples):
        raise DataError(f"--image {image}: there are {len(examples):,} test images, 0 to {len(examples) - 1}")
    explanation = explain_step(model, examples.images[image], int(examples.labels[image]), learning_rate)
    if path is None or not path.is_dir():
        return explanation
    return replace(explanation, notes=(*explanation.notes, *training_notes(Run(path).config)))


def _write_page(explanation: Explanation, title: str, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    from ..explain.page import write_page

    return write_page(explanation, title, folder)
