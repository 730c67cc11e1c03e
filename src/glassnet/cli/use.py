"""``glassnet predict`` and ``glassnet report``: what to do with a trained network."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..answers import answers
from ..data import Preprocessing, frame_images, frame_picture, read_csv, read_picture
from ..errors import DataError
from ..evaluation import examples_for
from ..nn.types import Array
from ..training import Run, open_model
from .output import percent, print_json, print_table, printable

__all__ = ["predict", "report"]

PICTURES = (".png", ".jpg", ".jpeg")


def predict(
    images: list[Path] | None = None, /, *, csv: Path | None = None, shifts: int = 0, json: bool = False
) -> None:
    """Recognise images of digits.

    Images may be dark on light or light on dark, of any size, off-centre and in colour: they are cropped, scaled and
    centred like the training images.

    Parameters
    ----------
    images
        PNG or JPEG files, optionally preceded by a run folder or a model file (.safetensors). Default model: the
        bundled one.
    csv
        CSV file with one image per row, such as Kaggle's test.csv.
    shifts
        Test-time augmentation: average over each image shifted by up to this many pixels in every direction, 0 to 3.
    json
        Print a list with label, probabilities and input of each image as JSON.
    """
    paths = images or []
    model = [path for path in paths[:1] if _is_model(path)]
    trained = open_model(*model)
    inputs, pixels, unreadable = _inputs(trained.preprocessing, paths[len(model) :], csv)
    if inputs:
        _print_predictions(trained.predict_proba(pixels, shifts), trained.classes, inputs, json)
    if unreadable:
        others = f" (and {len(unreadable) - 1} more images that cannot be used)" if len(unreadable) > 1 else ""
        raise DataError(f"{unreadable[0]}{others}")


def _is_model(path: Path) -> bool:
    """Whether a path is meant as a model: a folder, a .safetensors file, or a missing file not named like an image."""
    return path.is_dir() or path.suffix == ".safetensors" or not (path.exists() or path.suffix.lower() in PICTURES)


def _print_predictions(probabilities: Array, classes: tuple[str, ...], inputs: list[str], json: bool) -> None:
    if json:
        print_json(answers(probabilities, classes, inputs))
        return
    labels = [classes[i] for i in probabilities.argmax(axis=1)]
    rows = [
        [name, label, percent(float(p.max())), _second(p, classes)]
        for label, p, name in zip(labels, probabilities, inputs, strict=True)
    ]
    print_table(["image", "label", "probability", "second best"], rows)


def report(run: Path, /, *, json: bool = False) -> None:
    """Write a report of a run into its folder: figures and a page that shows them.

    It shows learning curves, the confusion matrix, first-layer weights, the hardest test images, calibration, sample
    predictions and, if there was any, samples of the augmentation.

    Parameters
    ----------
    run
        Run folder.
    json
        Print the path of the page as JSON.
    """
    from ..report import write_report

    opened = Run(run)
    dataset = opened.dataset()
    page = write_report(opened, examples_for(opened.model, dataset), opened.path / "report", dataset.train)
    if json:
        print_json({"page": str(page)})
    else:
        print(f"{printable(str(page))}    open it in a browser")


def _inputs(
    form: Preprocessing, pictures: list[Path], csv: Path | None
) -> tuple[list[str], NDArray[np.uint8], list[DataError]]:
    """Return where each image came from, the images in the model's form (n, h, w), and what could not be read."""
    if csv is not None and not pictures:
        images = read_csv(csv).images
        rows = [f"{csv}, row {row}" for row in range(1, len(images) + 1)]
        return rows, frame_images(images, form, rows), []
    if not pictures or csv is not None:
        raise DataError("give either images (PNG or JPEG) or --csv FILE")
    names, framed, unreadable = [], [np.empty((0, form.height, form.width), np.uint8)], []
    for path in pictures:
        try:
            framed.append(frame_picture(read_picture(path), form, str(path))[None])
            names.append(str(path))
        except DataError as error:
            unreadable.append(error)
    return names, np.concatenate(framed), unreadable


def _second(p: np.ndarray, classes: tuple[str, ...]) -> str:
    second = int(np.argsort(p)[-2])
    return f"{classes[second]} ({percent(float(p[second]))})"
