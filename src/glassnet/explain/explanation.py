"""What one training step on one image gives: its stages, and how they read as text of 80 columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..nn.types import Array
from ..notebook import card, pictures, table
from .sums import number

__all__ = [
    "PARTS",
    "ROUNDING",
    "WORKED",
    "Explanation",
    "Part",
    "Stage",
    "as_matrix",
    "facts",
    "heading",
    "loudest",
    "norm",
    "result",
    "short",
]

WORKED = 64  # parameters: in a network with no more, every sum is written out

Part = Literal["forward", "backward", "update", "after"]
WIDTH = 80
PARTS: dict[Part, str] = {
    "forward": "Forward: the prediction",
    "backward": "Backward: the gradients",
    "update": "Update: one step of gradient descent",
    "after": "Forward again: did it help?",
}
ROUNDING = (
    "Every sum below can be done on a pocket calculator with the numbers that stand in it. They are rounded to four "
    "decimals where they are shown, so the last digit of a result may differ. In w₁₂ the first number counts inputs "
    "and the second units."
)
LARGEST = 3  # entries of a large array that are shown


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of the calculation.

    Attributes:
        name: in ASCII and unique: ``X``, ``Z1``, ``A1``, …, ``P``, ``L``, ``dZ2``, ``dW2``, ``db2``, ``dA1``, … ; with
            `` after`` for a moved parameter, and for what the image gets from the moved network.
        part: ``forward``, ``backward``, ``update`` or ``after``.
        title: the same in a few words.
        equation: in Unicode, such as ``Z₁ = X W₁ + b₁``; `glassnet.explain.mathml` typesets it.
        shapes: of what goes in and what comes out.
        array: what comes out, float64: ``(1, d)`` where it is a row for the one image, ``()`` for the loss.
        meaning: a sentence or two in plain words.
        sums: the arithmetic of each number, where the network is small enough to follow it by hand; else empty.
        example: that of one number, of a convolution in a larger network.
        per_class: whether the array has one number for each class, as P and the logits have.
    """

    name: str
    part: Part
    title: str
    equation: str
    shapes: str
    array: Array
    meaning: str
    sums: tuple[str, ...] = ()
    example: tuple[str, ...] = ()
    per_class: bool = False


@dataclass(frozen=True, eq=False)
class Explanation:
    """One image's way through one training step. Printed, it is a page of text; ``explanation["dW1"]`` is a stage.

    Attributes:
        image: the pixels (h, w), uint8.
        label: the true class, an index into ``classes``.
        classes: the names of the classes.
        learning_rate: η.
        parameters: W₁, b₁, … before the step, by name.
        stages: in the order in which they are calculated.
        notes: what differs from a step of real training.
    """

    image: NDArray[np.uint8]
    label: int
    classes: tuple[str, ...]
    learning_rate: float
    parameters: dict[str, Array]
    stages: tuple[Stage, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Stage:
        return {stage.name: stage for stage in self.stages}[name]

    def __str__(self) -> str:
        return _as_text(self)

    def __repr__(self) -> str:
        return f"Explanation({self.classes[self.label]!r}, {len(self.stages)} stages: {result(self)})"

    def _repr_html_(self) -> str:
        rows = [(stage.title, stage.equation, stage.shapes) for stage in self.stages if self.shows(stage)]
        image = pictures([self.image], [self.classes[self.label]])
        return card(heading(self), {"result": result(self)}, image, table(["stage", "equation", "shapes"], rows))

    @property
    def worked(self) -> bool:
        """Whether the network is so small that every number can be shown."""
        return sum(array.size for array in self.parameters.values()) <= WORKED

    def shows(self, stage: Stage) -> bool:
        """Whether a stage is worth a reader's time: of a large network's second way up, only what comes out."""
        return self.worked or stage.part != "after" or stage.name in ("P after", "L after")

    def to_json(self) -> dict[str, Any]:
        """Return everything in plain Python types, each array in full as nested lists."""
        return {
            "image": self.image.tolist(),
            "label": self.classes[self.label],
            "classes": list(self.classes),
            "learning_rate": self.learning_rate,
            "parameters": {name: array.tolist() for name, array in self.parameters.items()},
            "stages": [
                {**vars(stage), "array": stage.array.tolist(), "array_shape": list(stage.array.shape)}
                for stage in self.stages
            ],
            "notes": list(self.notes),
        }


def _as_text(explanation: Explanation) -> str:
    """Return everything as lines of at most 80 columns."""
    lines = [*_wrap(heading(explanation)), ""]
    for note in explanation.notes:
        lines += _wrap(note)
    if explanation.worked:
        lines += _wrap(ROUNDING)
        lines += ["", "Given", *_given(explanation)]
    part, meanings = "", set[str]()
    for stage in explanation.stages:
        if stage.part != part:
            part = stage.part
            lines += ["", "", PARTS[stage.part]]
        if explanation.shows(stage):
            lines += ["", *_stage(explanation, stage, stage.meaning not in meanings)]
            meanings.add(stage.meaning)
    return "\n".join([*lines, "", *_wrap(result(explanation))])


def heading(explanation: Explanation) -> str:
    """Say what is shown."""
    weights = [array.shape for name, array in explanation.parameters.items() if name.startswith("W")]
    if any(len(shape) == 4 for shape in weights):
        sizes = [_filters(shape) if len(shape) == 4 else f"{shape[1]} units" for shape in weights]
        net = f"of {', '.join(sizes)}"
    else:
        net = "-".join(str(size) for size in (weights[0][0], *(shape[1] for shape in weights))) if weights else ""
    return (
        f"One image of “{explanation.classes[explanation.label]}” through one step of plain gradient descent, "
        f"η = {explanation.learning_rate:g}, in a network {net}, in float64."
    )


def _filters(shape: tuple[int, ...]) -> str:
    kh, kw, _, filters = shape
    return f"{filters} filter" + "s" * (filters != 1) + f" of {kh}×{kw}"


def result(explanation: Explanation) -> str:
    """Say what the step did."""
    before, after = (explanation[name].array for name in ("P", "P after"))
    loss, loss_after = (float(explanation[name].array) for name in ("L", "L after"))
    label = explanation.label
    moved = "fell" if loss_after < loss else "rose" if loss_after > loss else "stayed"
    return (
        f"The loss {moved} from {short(loss)} to {short(loss_after)}, and the probability of "
        f"“{explanation.classes[label]}” went from {100 * before[0, label]:.2f} % to {100 * after[0, label]:.2f} %."
    )


def facts(explanation: Explanation, stage: Stage) -> list[str]:
    """Say of a stage's numbers what is worth knowing: all of them where there is one for each of a few classes."""
    array = stage.array
    if not array.ndim:
        return [short(float(array))]
    if stage.per_class and array.size <= 10:
        names = [name[:6] for name in explanation.classes]
        decimals = 3 if np.abs(array).max() < 10 else 1
        return [_columns(names), _columns([f"{value:.{decimals}f}".replace("-", "−") for value in array.ravel()])]
    said = []
    zeros = int(np.sum(array == 0))
    if zeros:
        word = "inactive" if stage.name.startswith("A") else "0"
        said.append(f"{zeros:,} of {array.size:,} are {word}")
    if stage.part == "update":
        before = explanation.parameters[stage.name.removesuffix(" after")]
        said.append(f"norm {short(norm(array))}, of the step {short(norm(array - before))}")
        return [" · ".join(said)]
    said.append(f"norm {short(norm(array))}")
    flat = array.ravel()
    order = np.argsort(-np.abs(flat), kind="stable")[:LARGEST]
    places = [_place(int(i), array) for i in order if flat[i]]
    return [" · ".join(said), *(["largest: " + ", ".join(places)] if places else [])]


def norm(array: Array) -> float:
    """The Euclidean length of an array, all its numbers taken as one vector."""
    return float(np.linalg.norm(array))


def loudest(explanation: Explanation, count: int) -> NDArray[np.intp]:
    """Return the units of the first layer that fire most, at most ``count`` of them, the loudest first."""
    fired = next(stage.array[0] for stage in explanation.stages[::-1] if stage.name in ("A1", "Z1"))
    if fired.ndim > 1:  # a filter is as loud as at the place where it finds most
        fired = fired.max(axis=(0, 1))
    return np.argsort(-fired, kind="stable")[:count]


def _stage(explanation: Explanation, stage: Stage, anew: bool) -> Iterator[str]:
    gap = WIDTH - len(stage.equation) - len(stage.shapes)
    if gap >= 2:
        yield stage.equation + " " * gap + stage.shapes
    else:
        yield stage.equation
        yield stage.shapes.rjust(WIDTH)
    if stage.part in ("forward", "backward"):
        words = f"{stage.title[0].upper()}{stage.title[1:]}."
        yield from _wrap(f"{words} {stage.meaning}" if anew else words, "  ")
    for line in stage.sums or [*facts(explanation, stage), *stage.example]:
        yield from _wrap(line, "    ") if len(line) > WIDTH - 4 else [f"    {line}"]


def _given(explanation: Explanation) -> Iterator[str]:
    for name, array in explanation.parameters.items():
        rows = [[number(value) for value in row] for row in as_matrix(array)]
        for i, row in enumerate(rows):
            yield f"    {f'{name} =' if i == 0 else '':5}" + "".join(f"{cell:>7}" for cell in row)


def as_matrix(array: Array) -> Array:
    """Return parameters as rows and columns: of filters (kh, kw, c, filters) the window's rows, filter by filter."""
    if array.ndim < 4:
        return np.atleast_2d(array)
    _, kw, c, _ = array.shape
    return np.moveaxis(array, -1, 0).reshape(-1, kw * c)


def _columns(cells: list[str]) -> str:
    return "".join(f"{cell:>7}" for cell in cells).removeprefix(" ")


def _place(index: int, array: Array) -> str:
    """Say a number and where it stands, counted from 1 as in the sums."""
    place = [i + 1 for i in np.unravel_index(index, array.shape)]
    where = place[1:] if array.ndim in (2, 4) and len(array) == 1 else place
    named = f"row {where[0]}, column {where[1]}" if len(where) == 2 else f"position {', '.join(map(str, where))}"
    return f"{short(float(array.ravel()[index]))} at {named}"


def short(value: float) -> str:
    """A number to three digits."""
    return f"{value:.3g}".replace("-", "−")


def _wrap(text: str, indent: str = "") -> list[str]:
    """Break a text into lines, though not between a number and its %."""
    lines = wrap(
        text.replace(" %", "\0%"), WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]
