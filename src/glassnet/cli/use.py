"""``glassnet predict``, ``read`` and ``report``: what to do with a trained network."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import numpy as np
from cyclopts import Parameter

from ..answers import answers, how_many
from ..data import frame_images, frame_picture, read_csv, read_picture
from ..data.dataset import Images
from ..data.pictures import SUFFIXES
from ..doubt import THRESHOLD
from ..errors import ConfigError, DataError
from ..evaluation import examples_for
from ..model import Model
from ..nn.types import Array
from ..training import Run, open_model
from ..training.folder import CONFIG
from .output import percent, print_json, print_table, printable, say

__all__ = ["predict", "read", "report"]

STANDARD_INPUT = Path("-")

Places: TypeAlias = Annotated[list[Path], Parameter(allow_leading_hyphen=True)]


def predict(images: Places | None = None, /, *, csv: Path | None = None, shifts: int = 0, json: bool = False) -> None:
    """Recognise images of digits.

    Images may be dark on light or light on dark, of any size, off-centre, in colour, ruled, framed or shadowed: they
    are cropped, scaled and centred like the training images. What is not like a digit gets a question mark after its
    label.

    Parameters
    ----------
    images
        PNG, JPEG, BMP, GIF, TIFF or WebP files, folders of them, or - for standard input; optionally preceded by a run
        folder or a model file (.safetensors). Default model: the bundled one.
    csv
        CSV file with one image per row, such as Kaggle's test.csv.
    shifts
        Test-time augmentation: average over each image shifted by up to this many pixels in every direction, 0 to 3.
    json
        Print a list with label, probabilities, doubt and input of each image as JSON. More doubt than 0.5: not like a
        digit, as with 1 in 100 true ones.
    """
    model, places = _model_first(images or [])
    found = _from_csv(model, csv) if csv is not None and not places else _from_pictures(model, places, csv)
    if found.names:
        probabilities, doubts = model.recognise(found.images, shifts)
        counts = [
            1 if gray is None else how_many(model, gray, None if doubts is None else float(doubts[i]))
            for i, gray in enumerate(found.pictures)
        ]
        if json:
            print_json(answers(probabilities, doubts, model.classes, found.names, counts))
        else:
            _print_predictions(model, probabilities, doubts, found.names, counts)
    _raise_first(found.unreadable)


def read(images: Places, /, *, grid: str | None = None, json: bool = False) -> None:
    """Read all digits of pictures: lines of numbers. What is not like a digit is shown as a question mark.

    Parameters
    ----------
    images
        PNG, JPEG, BMP, GIF, TIFF or WebP files, folders of them, or - for standard input; optionally preceded by a run
        folder or a model file (.safetensors). Default model: the bundled one.
    grid
        Rows and columns of a grid of cells, such as 9x9 for a sudoku. It may lie askew. Empty cells are shown as dots.
    json
        Print a list with the numbers of each picture as JSON, and of each digit its label, probability, doubt (more
        than 0.5: not like a digit) and place: left, top, right and bottom as fractions of the picture's width and
        height.
    """
    model, places = _model_first(images)
    shape = _shape(grid)
    found, unreadable = [], []
    for name, content in _pictures(places):
        try:
            found.append((name, model.read(content, shape)))
        except DataError as error:
            unreadable.append(error)
    if json:
        print_json([reading.to_dict() | {"input": name} for name, reading in found])
    else:
        for name, reading in found:
            if len(found) > 1:
                print(f"{name}:")
            print(reading)
            doubtful, count = sum(digit.is_doubtful for digit in reading.digits), len(reading.digits)
            if doubtful:
                is_most = shape is None and 2 * doubtful > count
                hint = "; if it is a sudoku or a form, read its cells: --grid 9x9" if is_most else ""
                say(f"{name}: {doubtful} of {count} digits are not like digits that the model knows{hint}")
    _raise_first(unreadable)


def _shape(grid: str | None) -> tuple[int, int] | None:
    if grid is None:
        return None
    rows, _, columns = grid.lower().replace("×", "x").partition("x")
    if not (rows.isdecimal() and columns.isdecimal()):
        raise ConfigError(f"--grid {grid}: give rows and columns, such as 9x9")
    return int(rows), int(columns)


class _Found(NamedTuple):
    """What there is to recognise: prepared images (n, h, w), the pictures that they were, and what cannot be used."""

    names: list[str]
    images: Images
    pictures: list[Images | None]
    unreadable: list[DataError]


def _from_csv(model: Model, csv: Path) -> _Found:
    images = read_csv(csv).images
    rows = [f"{csv}, row {row}" for row in range(1, len(images) + 1)]
    return _Found(rows, frame_images(images, model.preprocessing, rows), [None] * len(rows), [])


def _from_pictures(model: Model, places: list[Path], csv: Path | None) -> _Found:
    if not places or csv is not None:
        raise DataError("give either pictures, a folder of them or - for standard input, or --csv FILE")
    found = _Found([], np.empty((0, *model.image_shape), np.uint8), [], [])
    framed = []
    for name, content in _pictures(places):
        try:
            gray = read_picture(content, name)
            framed.append(frame_picture(gray, model.preprocessing, name))
            found.names.append(name)
            found.pictures.append(gray)
        except DataError as error:
            found.unreadable.append(error)
    return found._replace(images=np.stack(framed)) if framed else found


def _pictures(places: list[Path]) -> Iterator[tuple[str, Path | bytes]]:
    """Yield what each picture is called, and its path or content."""
    for place in places:
        if place == STANDARD_INPUT:
            yield "standard input", sys.stdin.buffer.read()
        elif place.is_dir():
            paths = [path for path in sorted(place.iterdir()) if path.suffix.lower() in SUFFIXES]
            if not paths:
                raise DataError(f"{place}: no pictures in this folder; give one of {', '.join(SUFFIXES)} files")
            yield from ((str(path), path) for path in paths)
        else:
            yield str(place), place


def _model_first(places: list[Path]) -> tuple[Model, list[Path]]:
    """Return the model that comes first, or else the bundled one, and the places after it."""
    for place in places:
        if str(place).startswith("-") and place != STANDARD_INPUT:
            raise ConfigError(f"unknown option {str(place)!r}; see --help for what the command takes")
    model = [place for place in places[:1] if _is_model(place)]
    return open_model(*model), places[len(model) :]


def _is_model(path: Path) -> bool:
    """Whether a path is meant as a model: a run folder, a model file, or a missing file not named like an image."""
    if path.is_dir():
        return (path / CONFIG).is_file() or not any(other.suffix.lower() in SUFFIXES for other in path.iterdir())
    is_named_so = path.suffix.lower() in SUFFIXES or path == STANDARD_INPUT
    return path.suffix == ".safetensors" or not (path.exists() or is_named_so)


def _print_predictions(
    model: Model, probabilities: Array, doubts: Array | None, names: list[str], counts: list[int]
) -> None:
    rows = []
    for i, (p, name) in enumerate(zip(probabilities, names, strict=True)):
        second, first = np.argsort(p)[-2:]
        label, other = model.classes[first], f"{model.classes[second]} ({percent(float(p[second]))})"
        if doubts is not None and doubts[i] > THRESHOLD:
            rows.append([name, f"{label}?", "–", "–"])
            several = f"there seem to be {counts[i]} digits; glassnet read reads them"
            say(f"{name}: {several if counts[i] > 1 else 'not like a digit that the model knows'}")
        else:
            rows.append([name, label, percent(float(p[first])), other])
    print_table(["image", "label", "probability", "second best"], rows)


def _raise_first(unreadable: list[DataError]) -> None:
    if unreadable:
        others = f" (and {len(unreadable) - 1} more images that cannot be used)" if len(unreadable) > 1 else ""
        raise DataError(f"{unreadable[0]}{others}")


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
