"""The results of a study, as plain data."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Chain", "Comparison", "Course", "Point", "Stage", "mean_and_spread"]


@dataclass(frozen=True)
class Point:
    """A run at one moment.

    Attributes:
        step: steps taken.
        loss: mean training loss of the batches since the point before, in nats; at step 0 that of the first batch, and
            None where it is not finite.
        reported: accuracy on what the run uses as validation images, or None without any.
        true: accuracy on images used neither for training nor for validation.
    """

    step: int
    loss: float | None
    reported: float | None
    true: float


@dataclass(frozen=True)
class Course:
    """How one run went.

    Attributes:
        points: what was measured, from step 0 to the last.
        seconds: of training.
        broken: why it ended early, or None.
        findings: what the doctor says of the network as it began, name and evidence, where it was asked.
    """

    points: tuple[Point, ...]
    seconds: float
    broken: str | None
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def first_loss(self) -> float | None:
        """The loss of the first batch, before any step; None if it is not finite."""
        return self.points[0].loss

    @property
    def reported(self) -> float | None:
        """The accuracy that was reported last."""
        return self.points[-1].reported

    @property
    def true(self) -> float:
        """The accuracy on new images at the end."""
        return self.points[-1].true


@dataclass(frozen=True)
class Comparison:
    """A mistake beside its cure, under the same circumstances.

    Attributes:
        mistake: its name in `glassnet.clinic.MISTAKES`.
        data: the name of the data set.
        classes: how many it has: an untrained network has a loss of about ln ``classes``.
        images: how many there are to learn from, to hold out, and to know the truth by.
        seeds: of the runs.
        circumstances: the settings of both runs.
        planted: a run with the mistake for each seed.
        cured: a run without it for each seed.
    """

    mistake: str
    data: str
    classes: int
    images: tuple[int, int, int]
    seeds: tuple[int, ...]
    circumstances: Mapping[str, Any]
    planted: tuple[Course, ...]
    cured: tuple[Course, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything in plain Python types."""
        return asdict(self)


@dataclass(frozen=True)
class Stage:
    """A notebook after some of its mistakes were cured.

    Attributes:
        cured: what was cured last: a mistake, ``settings`` for what is not the work of one, or "" where nothing was.
        mistakes: those that are still there.
        settings: what is still as the notebook had it.
        course: how the run went.
    """

    cured: str
    mistakes: tuple[str, ...]
    settings: Mapping[str, Any]
    course: Course


@dataclass(frozen=True)
class Chain:
    """A notebook from how it was written to its cure, one mistake after another.

    Attributes:
        notebook: the name of its recipe.
        data: the name of the data set.
        classes: how many it has.
        seed: of all runs.
        budget: settings of all runs that follow from how many images there are.
        stages: the first as written, the last cured.
    """

    notebook: str
    data: str
    classes: int
    seed: int
    budget: Mapping[str, float]
    stages: tuple[Stage, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything in plain Python types."""
        return asdict(self)


def mean_and_spread(values: Iterable[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation (0 for one value)."""
    numbers = list(values)
    return statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else 0.0
