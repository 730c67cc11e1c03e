"""What a mistake costs: runs with it beside runs without, evaluated on images that neither has seen.

A mistake can also distort the metrics that are reported during training. So the training images are split in three: for
training, for validation, and for the true accuracy. The test images of the data set are never touched.
"""

import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..clinic import MISTAKES
from ..data import Dataset, Examples
from ..errors import ConfigError, DataError, nearest
from ..training import Config, RunCallback, RunUnderWay, TrainingInterrupted, notebook_names, train
from .consultation import ask_doctor
from .pairs import BASE, pair
from .results import Chain, Comparison, Course, Point, Stage

__all__ = ["study", "study_notebook"]

TRUTH = 0.25  # share of the training images that neither run may see
LEAST, MOST = 200, 4_000  # training images: with fewer there is nothing to see, and more only take longer
TABLE = 42_000  # rows of the table that the notebooks read: a number of validation rows is a share of these
FEWEST_STEPS = 6_000  # of a notebook with batches: where there are few images they are gone through several times
MEASUREMENTS = 40  # evenly over a run, besides those of its first steps


def study(name: str, dataset: Dataset, seeds: Iterable[int] = (0, 1, 2)) -> Comparison:
    """Run a mistake beside its cure, once for each seed.

    Of a large data set 4,000 images take part.

    Args:
        name: of a mistake in `glassnet.clinic.MISTAKES`.
        dataset: its training images are used, and its test images are not.
        seeds: of split, first weights and order.

    Raises:
        ConfigError: no such mistake, or a seed below 0.
        DataError: too few images, or only one class.
        KeyboardInterrupt: Ctrl-C; nothing is kept.
    """
    _, circumstances = pair(name, {})
    _require_images(dataset)
    seeds = tuple(seeds)
    if not seeds:
        raise ConfigError("seeds: give at least one")
    if len(dataset.train) > MOST:
        dataset = replace(dataset, train=dataset.split(MOST, seed=0)[1])
    planted, cured = [], []
    for seed in seeds:
        wrong, right = pair(name, {"seed": seed})
        planted.append(_run(dataset, BASE, wrong | {"mistakes": [name]}, ask_doctor=seed == seeds[0]))
        cured.append(_run(dataset, BASE, right))
    rest, truth = dataset.split(TRUTH, seeds[0])
    learned, held = replace(dataset, train=rest).split(circumstances["validation"], seeds[0])
    images = len(learned), len(held), len(truth)
    k = len(dataset.classes)
    return Comparison(name, dataset.name, k, images, seeds, circumstances, tuple(planted), tuple(cured))


def study_notebook(
    name: str, dataset: Dataset, seed: int | None = None, watch: Callable[[int, int, str], None] | None = None
) -> Chain:
    """Run a notebook as written, then cure one mistake after another, in the order in which its recipe lists them.

    With a mistake goes what it consists of, such as a learning rate that is too small. What the notebook has besides
    goes last.

    Args:
        name: of a recipe that cures a notebook.
        dataset: its training images are used, and its test images are not.
        seed: of all runs; by default the recipe's.
        watch: called before each stage with its number from 0, the number of stages, and what is cured.

    Raises:
        ConfigError: no such notebook.
        DataError: too few images, or only one class.
        KeyboardInterrupt: Ctrl-C; nothing is kept.
    """
    if name not in notebook_names():
        raise ConfigError(f"no notebook called {name!r}{nearest(name, notebook_names())}")
    _require_images(dataset)
    right, wrong = Config.resolve(name, seed=seed), Config.resolve(name, as_written=True, seed=seed)
    budget = _budget(right, dataset)
    plan, stages = list(_plan(right, wrong)), []
    for number, (cured, mistakes, settings) in enumerate(plan):
        if watch:
            watch(number, len(plan), cured)
        given = {"seed": right.seed} | budget | settings | {"mistakes": mistakes}
        course = _run(dataset, name, given, ask_doctor=number == 0)
        stages.append(Stage(cured, mistakes, settings, course))
    return Chain(name, dataset.name, len(dataset.classes), right.seed, budget, tuple(stages))


def _plan(right: Config, wrong: Config) -> Iterable[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Yield what each stage cures, the mistakes that it still has, and the settings that are still as written."""
    cured, written = right.model_dump(), wrong.model_dump()
    settings = {key: value for key, value in written.items() if key != "mistakes" and value != cured[key]}
    yield "", wrong.mistakes, settings
    for number, name in enumerate(wrong.mistakes, 1):
        settings = {key: value for key, value in settings.items() if key not in MISTAKES[name].settings}
        yield name, wrong.mistakes[number:], settings
    if settings:
        yield "settings", (), {}


def _budget(config: Config, dataset: Dataset) -> dict[str, float]:
    """Return the settings of a notebook that follow from the number of images there are."""
    budget: dict[str, float] = {}
    if config.validation >= 1:
        budget["validation"] = config.validation / TABLE
    if config.batch_size != "all":
        images = len(dataset.train) * (1 - TRUTH) * (1 - budget.get("validation", config.validation))
        budget["epochs"] = max(config.epochs, math.ceil(FEWEST_STEPS * int(config.batch_size) / images))
    return budget


def _require_images(dataset: Dataset) -> None:
    dataset.require_trainable()
    if len(dataset.train) < LEAST:
        raise DataError(
            f"{dataset.source or dataset.name}: {len(dataset.train)} training images are too few to show what a "
            f"mistake costs; give {LEAST} or more"
        )


def _run(dataset: Dataset, recipe: str, settings: dict[str, Any], ask_doctor: bool = False) -> Course:
    """Train without a part of the training images, and measure on that part."""
    rest, truth = dataset.split(TRUTH, Config.resolve(recipe, **settings).seed)
    probe = _Probe(truth, ask_doctor)
    with tempfile.TemporaryDirectory(prefix="glassnet-") as folder:
        try:
            train(replace(dataset, train=rest), recipe, out=Path(folder), callbacks=[probe], **settings)
        except TrainingInterrupted as interrupt:
            raise KeyboardInterrupt("stopped; nothing was saved") from interrupt
    return Course(tuple(probe.points), probe.seconds, probe.broken, probe.findings)


class _Probe(RunCallback):
    """Measures a run at its start, after 1, 2, 4, 8, … steps, at even distances from then on, and at its end."""

    def __init__(self, truth: Examples, ask_doctor: bool) -> None:
        self.truth, self.ask_doctor = truth, ask_doctor
        self.findings: tuple[tuple[str, str], ...] = ()
        self.points: list[Point] = []
        self.losses: list[float] = []  # since the last point
        self.broken: str | None = None

    def on_start(self, run: RunUnderWay) -> None:
        even = np.linspace(0, run.total_steps, MEASUREMENTS + 1).round()
        early = 2 ** np.arange(math.log2(max(even[1], 1)))
        self.moments = {int(step) for step in (*even, *early)}
        self._measure(run, 0)
        if self.ask_doctor:
            self.findings = ask_doctor(run)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        self.losses.append(loss)
        if run.state.step == 1:
            self.points[0] = replace(self.points[0], loss=loss)
        if run.state.step in self.moments:
            self._measure(run, run.state.step)

    def on_end(self, run: RunUnderWay) -> None:
        self.seconds, self.broken = run.state.seconds, run.broken
        if self.broken:
            self.losses = []
            self._measure(run, run.state.step + 1)

    def _measure(self, run: RunUnderWay, step: int) -> None:
        loss = sum(self.losses) / len(self.losses) if self.losses else None
        reported = _accuracy(run, run.validation) if len(run.validation) else None
        self.points.append(Point(step, loss, reported, _accuracy(run, self.truth)))
        self.losses = []


def _accuracy(run: RunUnderWay, examples: Examples) -> float:
    """Return the current accuracy; weights that are NaN predict class 0 for everything."""
    with np.errstate(all="ignore"):
        return float(np.mean(run.model.logits(examples.images).argmax(axis=1) == examples.labels))
