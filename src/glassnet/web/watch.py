"""The runs of a site and how they go, from their folders alone: a list, a run, and a stream of what is new in it."""

import asyncio
import json
import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from fastapi import APIRouter, Header
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from ..errors import FileError, GlassnetError
from ..training import Run
from ..training.folder import CONFIG, LIVE, STEPS
from ..training.history import Row, parse_steps
from .dependencies import NamedRun, from_state
from .jobs import Jobs
from .record import Facts, Lines, Record, last_step
from .store import Store, newest_model

__all__ = ["Watched", "Watching", "router"]

LOOK_EVERY = 0.5  # seconds
CHUNK = 2000  # rows in an event


class Position(NamedTuple):
    """How much of a run a client has received: up to which epoch, which step and which model file.

    It counts by what the rows say rather than by lines, so it means the same after a run was resumed and lines were
    dropped: the steps that are taken again give the same, bit for bit.
    """

    epoch: int = 0
    step: int = 0
    model: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gave; anything else is the beginning."""
        match = re.fullmatch("([0-9]{1,19})-([0-9]{1,19})-([0-9]{1,19})", text)
        return cls(*map(int, match.groups())) if match else cls()

    def __str__(self) -> str:
        return f"{self.epoch}-{self.step}-{self.model}"


class Watched:
    """A run that somebody watches: one look at its folder, twice a second, for all who do.

    Args:
        path: the run folder.
        known: what this server knows of a run that it trains itself; it takes precedence over what the folder says.
    """

    def __init__(self, path: Path, known: Callable[[], Facts]) -> None:
        self.path, self.known = path, known
        self.record, self.steps = Record(path), Lines(path / STEPS, parse_steps)
        self.facts: Facts = {}
        self.model: tuple[Path, int] | None = None  # and when it was written, in ns
        self.model_step = 0
        self.gone = False
        self.watchers = 0
        self._folder = path.stat().st_ino
        self._news = asyncio.Event()  # set, and replaced, whenever there is something new
        self._starting = asyncio.Lock()
        self._poller: asyncio.Task[None] | None = None

    async def events(self, position: Position) -> AsyncIterator[ServerSentEvent]:
        """Yield what there is beyond a position, and then what comes, until the folder is gone."""
        self.watchers += 1
        try:
            async with self._starting:
                if self._poller is None or self._poller.done():
                    await run_in_threadpool(self.look)
                    self._poller = asyncio.create_task(self._poll())
            told: Facts = {}
            first = True
            while not self.gone:
                news = self._news
                if self.facts != told:
                    told = self.facts
                    yield _event("run", told, position)
                for kind, content, reached in self._beyond(position):
                    position = reached
                    yield _event(kind, content, position)
                if first:
                    first = False
                    yield _event("now", {}, position)
                await news.wait()
            yield _event("gone", {}, position)
        finally:
            self.watchers -= 1

    def _beyond(self, position: Position) -> list[tuple[str, Any, Position]]:
        """Return the events that lie beyond a position, each with the position that it leads to."""
        found: list[tuple[str, Any, Position]] = []
        for rows in _chunks(_after(self.record.history.rows, "epoch", position.epoch)):
            position = position._replace(epoch=rows[-1]["epoch"])
            found.append(("rows", rows, position))
        for rows in _chunks(_after(self.steps.rows, "step", position.step)):
            position = position._replace(step=rows[-1]["step"])
            found.append(("steps", rows, position))
        if self.model and self.model[1] != position.model:
            position = position._replace(model=self.model[1])
            found.append(("model", {"step": self.model_step}, position))
        return found

    async def _poll(self) -> None:
        while self.watchers and not self.gone:
            await asyncio.sleep(LOOK_EVERY)
            try:
                is_new = await run_in_threadpool(self.look)
            except (GlassnetError, OSError, ValueError, TypeError, LookupError) as error:  # of a damaged folder
                is_new = self.facts.get("error") != str(error)
                self.facts = self.facts | {"state": "unreadable", "error": str(error)}
            if is_new:
                self._news.set()
                self._news = asyncio.Event()

    def look(self) -> bool:
        """Look at the folder; return whether anything is new."""
        before = self._stand()
        try:
            self.gone = self.path.stat().st_ino != self._folder or not (self.path / CONFIG).exists()
        except OSError:
            self.gone = True
        if not self.gone:
            # First how it stands, then the rest: of a run that has ended nothing is missing.
            facts = self.record.details() | self.known()
            self.steps.read()
            model = newest_model(self.path)
            if model and model != self.model:
                self.model_step = step_of(model[0], self.record)
            self.model = model
            # The seconds of this moment are told by the steps.
            rows = self.record.history.rows
            self.facts = facts | {"seconds": float(rows[-1]["seconds"]) if rows else 0.0}
        return self._stand() != before

    def _stand(self) -> tuple[object, ...]:
        steps, rows = self.steps.rows, self.record.history.rows
        return self.gone, self.facts, self.model, steps[-1:], rows[-1:]


class Watching:
    """All runs of a site that somebody looks at.

    Args:
        store: whose runs these are.
        jobs: the runs that this server trains itself; what they know takes precedence over what their folders say.
    """

    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store, self._jobs = store, jobs
        self._records: dict[str, Record] = {}
        self._watched: dict[str, Watched] = {}

    def list_runs(self) -> list[Facts]:
        """Return the facts of every run, the youngest first."""
        states, names = self._jobs.states(), self._store.names()
        for name in set(self._records) - set(names):
            self._records.pop(name, None)  # another thread may list the runs too
        found = []
        for name in names:
            try:
                record = self._records.get(name)
                if record is None or record.outdated:
                    record = self._records[name] = Record(self._store.site.runs / name)
            except FileError:  # deleted this very moment
                continue
            found.append(record.facts() | states.get(name, {}))
        return sorted(found, key=itemgetter("started"), reverse=True)

    def details(self, run: Run) -> Facts:
        """Return all that is known of a run."""
        return Record(run.path).details() | self._known(run)

    def events(self, run: Run, position: Position) -> AsyncIterator[ServerSentEvent]:
        """Return what there is of a run beyond a position, and then what comes."""
        for left in [name for name, one in self._watched.items() if one.gone or not one.watchers]:
            del self._watched[left]
        one = self._watched.get(run.path.name)
        if one is None or one.record.outdated:
            one = self._watched[run.path.name] = Watched(run.path, lambda: self._known(run))
        return one.events(position)

    def _known(self, run: Run) -> Facts:
        return self._jobs.states().get(run.path.name, {})


TheWatching = Annotated[Watching, from_state("watching")]
router = APIRouter()


@router.get("/api/runs")
def runs(watching: TheWatching) -> list[Facts]:
    """List the runs, the youngest first."""
    return watching.list_runs()


@router.get("/api/runs/{name}")
def run(run: NamedRun, watching: TheWatching) -> Facts:
    """Return all that is known of a run."""
    return watching.details(run)


@router.get("/api/runs/{name}/events")
async def events(
    run: NamedRun, watching: TheWatching, last_event_id: Annotated[str, Header()] = "", after: str = ""
) -> EventSourceResponse:
    """Stream what is new in a run, beyond the event that the client had last."""
    return EventSourceResponse(watching.events(run, Position.parse(last_event_id or after)))


def step_of(model: Path, record: Record) -> int:
    """Return the step at which a run's model file was written, as far as the lines beside it, in ``record``, tell."""
    row = last_step(model.parent) if model.name == LIVE else record.best
    return int(row.get("step", 0))


def _after(rows: Sequence[Row], key: str, value: int) -> Sequence[Row]:
    return rows[bisect_right(rows, value, key=itemgetter(key)) :]


def _chunks(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]


def _event(kind: str, content: object, position: Position) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(content, allow_nan=False), event=kind, id=str(position))
