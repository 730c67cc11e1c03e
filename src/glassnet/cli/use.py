"""``glassnet evaluate``, ``glassnet predict`` and ``glassnet report``: what to do with a trained network."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, Preprocessing, frame_picture, load_dataset, read_csv, read_picture
from ..errors import DataError
from ..evaluation import Evaluation, examples_for
from ..evaluation import evaluate as evaluate_model
from ..model import Model
from ..nn.types import Array
from ..training import Run, open_model
from .output import percent, print_facts, print_json, print_table

__all__ = ["evaluate", "predict", "report"]


def evaluate(
    model: Path, data: str | None = None, /, *, shifts: int = 0, first: int | None = None, json: bool = False
) -> None:
    """Say how good a model is on images that it has not learned from.

    Parameters
    ----------
    model
        A run folder or a model file.
    data
        What to test it on, as for `glassnet train`; by default the test images of the data that it learned.
    shifts
        Average over each image shifted by up to this many pixels, in all directions: 0 to 3.
    first
        Print the first so many predictions beside the truth instead.
    json
        Print the figures as JSON: accuracy, loss, per_class, confusion, calibration_error.
    """
    trained = open_model(model)
    evaluation = evaluate_model(trained, examples_for(trained, _load(trained, data)), shifts)
    if first is not None:
        _print_first(evaluation, first, json)
        return
    figures = evaluation.to_json()
    if json:
        print_json(figures)
        return
    if model.is_dir() and (planted := Run(model).config.mistakes):
        print_facts({"planted mistakes": ", ".join(planted)})
    print_facts(
        {
            "images": f"{figures['count']:,}",
            "accuracy": percent(figures["accuracy"]),
            "loss": f"{figures['loss']:.4f} nats",
            "calibration error": percent(figures["calibration_error"]),
        }
    )
    print()
    print_table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [name, c["count"], percent(c["precision"]), percent(c["recall"]), percent(c["f1"])]
            for name, c in figures["per_class"].items()
        ],
    )
    confused = evaluation.most_confused(3)
    if confused:
        print("\nmost often misread: " + ", ".join(f"{true} as {said} ({n})" for true, said, n in confused))


def _print_first(evaluation: Evaluation, count: int, json: bool) -> None:
    """Print predictions above the truth, as many as fit on a line of 80, the wrong ones marked."""
    if count < 1:
        raise DataError(f"--first {count}: give 1 or more")
    pairs = [
        (evaluation.classes[said], evaluation.classes[true])
        for said, true in zip(evaluation.predictions[:count].tolist(), evaluation.labels[:count].tolist(), strict=True)
    ]
    if json:
        print_json([{"predicted": said, "true": true} for said, true in pairs])
        return
    width = max(len(name) for pair in pairs for name in pair) + 1
    across = max((80 - 9) // width, 1)
    for start in range(0, len(pairs), across):
        part = pairs[start : start + across]
        marks = [(said, true, "" if said == true else "^") for said, true in part]
        for name, words in zip(("predicted", "true", "wrong"), zip(*marks, strict=True), strict=True):
            print((f"{name:<9}" + "".join(f"{word:>{width}}" for word in words)).rstrip())
        print()
    print(f"{sum(said != true for said, true in pairs)} of {len(pairs):,} wrong")


def predict(
    model: Path,
    images: list[Path] | None = None,
    /,
    *,
    csv: Path | None = None,
    shifts: int = 0,
    json: bool = False,
) -> None:
    """Recognise pictures of digits.

    A picture may be dark on light or light on dark, of any size, off-centre, in colour: it is brought into the form of
    the images that the model learned.

    Parameters
    ----------
    model
        A run folder or a model file.
    images
        PNG or JPEG files.
    csv
        A CSV file of images, one a row, such as Kaggle's test.csv.
    shifts
        Average over each image shifted by up to this many pixels, in all directions: 0 to 3.
    json
        Print a list with label, probabilities and input of each image as JSON.
    """
    trained = open_model(model)
    inputs, pixels, unreadable = _inputs(trained.preprocessing, images or [], csv)
    if inputs:
        _print_predictions(trained.predict_proba(pixels, shifts), trained.classes, inputs, json)
    if unreadable:
        others = f" (and {len(unreadable) - 1} more that cannot be read)" if len(unreadable) > 1 else ""
        raise DataError(f"{unreadable[0]}{others}")


def _print_predictions(probabilities: Array, classes: tuple[str, ...], inputs: list[str], json: bool) -> None:
    labels = [classes[i] for i in probabilities.argmax(axis=1)]
    if json:
        print_json(
            [
                {"label": label, "probabilities": dict(zip(classes, map(float, p), strict=True)), "input": name}
                for label, p, name in zip(labels, probabilities, inputs, strict=True)
            ]
        )
        return
    rows = [
        [name, label, percent(float(p.max())), _second(p, classes)]
        for label, p, name in zip(labels, probabilities, inputs, strict=True)
    ]
    print_table(["picture", "is a", "sure", "or else"], rows)


def report(run: Path, /, *, json: bool = False) -> None:
    """Write figures of a run and a page that holds them into the run folder.

    Learning curves, confusion matrix, first-layer weights, the hardest test images, calibration, samples.

    Parameters
    ----------
    run
        The run folder.
    json
        Print the path of the page as JSON.
    """
    from ..report import write_report

    opened = Run(run)
    page = write_report(opened, examples_for(opened.model, opened.dataset()), opened.path / "report")
    if json:
        print_json({"page": str(page)})
    else:
        print(f"{page}    open it in a browser")


def _load(model: Model, data: str | None) -> Dataset:
    source = data or model.trained_on
    if not source:
        raise DataError("this model learned from arrays in memory; say which data to test it on")
    return load_dataset(source, classes=model.classes)


def _inputs(
    form: Preprocessing, pictures: list[Path], csv: Path | None
) -> tuple[list[str], NDArray[np.uint8], list[DataError]]:
    """Return where each image came from, the images in the model's form (n, h, w), and what could not be read."""
    if csv is not None and not pictures:
        images = read_csv(csv).images
        if images.shape[1:] != (form.height, form.width):
            images = np.stack([frame_picture(image, form, f"{csv}, row {i}") for i, image in enumerate(images, 1)])
        return [f"{csv}, row {row}" for row in range(1, len(images) + 1)], images, []
    if not pictures or csv is not None:
        raise DataError("give pictures (PNG or JPEG) or --csv FILE, one of both")
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
