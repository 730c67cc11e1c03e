"""A run's network at a moment, now or at a past step, and what has been worked out of it.

Each answer is worked out once for a moment, in a thread, however many watch.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from fastapi import Response
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from ..data import Examples
from ..errors import FileError
from ..evaluation import Evaluation, evaluate
from ..model import Model
from ..training import Run
from ..training.folder import CONFIG
from .record import Record, Version, file_version
from .store import Store, newest_model
from .watch import step_of

__all__ = ["Answer", "Insight", "Moment"]

Answer: TypeAlias = dict[str, Any]

MOMENTS = 8  # whose networks are kept
BYTES = 2**25  # of all answers that are kept
SAMPLE = 2_000  # validation images, at most, that judge a past step: they are played


@dataclass
class Moment:
    """A run's network at one moment.

    Attributes:
        model: the network.
        written: what tells it from another of a run of the same name and of the same step.
        step: at which it was.
        past: whether it is a snapshot, and not the newest.
        before: the snapshot before it, or what was the newest until now, and its step.
        evaluation: on validation images, once somebody asked.
    """

    model: Model
    written: tuple[int, ...]
    step: int
    past: bool
    before: tuple[Model, int] | None = None
    evaluation: Evaluation | None = None


class Insight:
    """The networks that are looked at.

    Args:
        store: where the models and the images come from.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._moments: dict[tuple[Path, Version, int | None], Moment] = {}
        self._answers: dict[tuple[object, ...], bytes] = {}
        self._units: dict[tuple[Path, Version], tuple[int, NDArray[np.int64]]] = {}
        self._one_at_a_time = asyncio.Lock()  # a training beside it needs the processor too

    async def answer(self, run: Run, step: int | None, kind: str, work_out: Callable[[Moment], Answer]) -> Response:
        """Return the JSON of what is asked of a run's network, worked out anew only where the network is a new one.

        Args:
            run: whose network.
            step: of a snapshot; None for the newest network.
            kind: what is asked.
            work_out: what answers it.

        Raises:
            DataError, TrainingError, FileError: no model or no images, and why.
        """
        async with self._one_at_a_time:
            content = await run_in_threadpool(self._answer, run, step, kind, work_out)
        return Response(content, media_type="application/json")

    def _answer(self, run: Run, step: int | None, kind: str, work_out: Callable[[Moment], Answer]) -> bytes:
        moment = self.moment(run, step)
        key = run.path, step, moment.written, kind
        content = self._answers.pop(key, None)
        if content is None:
            answer = {"step": moment.step} | work_out(moment)
            content = json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
        self._answers[key] = content
        while sum(map(len, self._answers.values())) > BYTES and len(self._answers) > 1:
            del self._answers[next(iter(self._answers))]
        return content

    def moment(self, run: Run, step: int | None) -> Moment:
        """Return a run's network at a step of which there is a snapshot, or the newest."""
        folder = _folder(run)
        known = self._moments.pop((run.path, folder, step), None)
        moment = self._newest(run, folder, known) if step is None else known or self._past(run, folder, step)
        self._moments[run.path, folder, step] = moment
        while len(self._moments) > MOMENTS:
            del self._moments[next(iter(self._moments))]
        return moment

    def _newest(self, run: Run, folder: Version, known: Moment | None) -> Moment:
        newest = newest_model(run.path)
        if known is not None and newest is not None and known.written == (*folder, newest[1]):
            return known
        model = self.store.model(run.path.name)  # which says so where there is none
        file, written = newest or (run.path, 0)
        record = Record(run.path)
        record.read()
        step = step_of(file, record)
        if known is None or known.step > step:  # not looked at before, back at a checkpoint, or ended: its best model
            before = _snapshot_before(run, step)
        elif known.step == step:  # the line of a step comes before its network: what was shown was that of before
            before = known.before
        else:
            before = known.model, known.step
        return Moment(model, (*folder, written), step, past=False, before=before)

    def _past(self, run: Run, folder: Version, step: int) -> Moment:
        # Of a step there is only one, unless the folder is another.
        return Moment(run.model_at(step), folder, step, past=True, before=_snapshot_before(run, step))

    def evaluation(self, run: Run, moment: Moment) -> Evaluation:
        """Return what the network says of the images of `images`; raises as `Store.validation_images`."""
        if moment.evaluation is None:
            moment.evaluation = evaluate(moment.model, self.images(run, moment))
        return moment.evaluation

    def evaluation_before(self, run: Run, moment: Moment) -> tuple[Evaluation, int] | None:
        """Return what the network before a moment says of the same images, and its step; None where there is none."""
        if moment.before is None:
            return None
        model, step = moment.before
        if moment.past:  # then that is a snapshot too, which may have been judged when it was shown
            return self.evaluation(run, self.moment(run, step)), step
        return evaluate(model, self.images(run, moment)), step

    def images(self, run: Run, moment: Moment, most: int = SAMPLE) -> Examples:
        """Return a run's validation images, of which at most 2,000 judge a past step; raises as the store does."""
        examples = self.store.validation_images(run, moment.model)
        return examples.spread(most) if moment.past else examples

    def units(self, run: Run, moment: Moment, most: int) -> NDArray[np.int64]:
        """Return which first-layer units are shown: those with the largest weights, in their order.

        They stay the same at all moments, and until the run has come twice as far: they are to be seen changing.
        """
        key = run.path, _folder(run)
        step, chosen = self._units.get(key, (0, None))
        newest = moment if newest_model(run.path) is None else self.moment(run, None)
        if chosen is None or not step <= newest.step <= 2 * step:
            norms = np.linalg.norm(newest.model.first_weights(), axis=(1, 2))
            chosen = np.sort(np.argsort(-norms, kind="stable")[:most])
            self._units[key] = newest.step, chosen
        return chosen


def _folder(run: Run) -> Version:
    """Return what tells a run's folder from that of another that gets its name, perhaps with its inode."""
    return file_version(run.path / CONFIG)


def _snapshot_before(run: Run, step: int) -> tuple[Model, int] | None:
    """Return the last snapshot before a step, and its own; None where there is none that can be read."""
    earlier = [other for other in run.snapshots if other < step]
    with suppress(FileError):  # a damaged one is told where it is looked at itself
        return (run.model_at(earlier[-1]), earlier[-1]) if earlier else None
    return None
