"""The runs that the page began: each a process of its own, which ends when the server does, however that ends."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from fastapi import HTTPException

from ..errors import TrainingError
from ..locks import is_held
from ..training import make_run_folder
from .child import start_module
from .store import Store

__all__ = ["AT_ONCE", "GRACE", "Jobs"]

AT_ONCE = 2  # runs: what the page's pair of curves needs, and a machine still has time for the page beside it
GRACE = 4.0  # seconds in which a run whose server ends may finish its step and save
BEGIN = 60.0  # seconds that a run may take to load its data before it is left to itself


class Jobs:
    """The training processes of a server.

    Args:
        store: of the site into whose runs folder their runs go.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._jobs: dict[str, _Job] = {}
        self._paces: dict[str, float | None] = {}  # of runs that are trained here, or may be resumed: steps a second
        self._lock = Lock()

    def start(self, spec: Mapping[str, Any]) -> str:
        """Begin a run and return its name, once it is there to be looked at.

        Args:
            spec: ``name`` (of the data, for the folder), ``data`` (a source for `load_dataset`), ``recipe``,
                ``as_written``, ``settings``, ``mistakes``, ``mistakes_from``, whether it begins ``paused``, its
                ``pace`` (steps a second, or None), and perhaps ``start``, the file of a model that it starts from.

        Raises:
            TrainingError: the run cannot begin; the line of its process says why.
            FileError: its folder cannot be made.
            HTTPException: enough runs are running already.
        """
        with self._lock:
            self._check_limit()
            name = f"{spec['name']}-{spec['recipe']}" + "-as-written" * spec["as_written"]
            folder = make_run_folder(None, name, self.store.site.runs)
            self._paces[folder.name] = spec["pace"]
            job = self._begin(folder, {**spec, "resume": False})
        job.begun.wait(BEGIN)
        if job.error and not job.under_way:
            with self._lock:
                self._forget(folder.name)
            shutil.rmtree(folder, ignore_errors=True)  # a run that took no step would be listed as stopped
            raise TrainingError(job.error)
        return folder.name

    def resume(self, name: str) -> None:
        """Go on with a run from its last checkpoint, at the pace that `set_pace` was told last.

        Raises:
            FileError: no such run.
            DataError: its data would have to be downloaded.
            TrainingError: it cannot go on.
            HTTPException: it is running already or finished, or enough others are running.
        """
        run = self.store.run(name)
        self.store.refuse_download(run)
        folder = run.path
        if (stopping := self._jobs.get(name)) and stopping.stopping:
            stopping.wait(BEGIN)
        with self._lock:
            if self._under_way(name):
                raise HTTPException(409, f"{name}: is already running")
            self._check_limit()
            job = self._begin(folder, {"resume": True, "paused": False, "pace": self._paces.get(name)})
        job.begun.wait(BEGIN)
        if job.error:
            raise TrainingError(job.error)
        if job.process.poll() is not None and not job.under_way:
            raise HTTPException(409, f"{name}: is finished; start a new run instead")

    def control(self, name: str, word: str) -> None:
        """Pass a word on to a run, as `job` has them; after "stop", wait until it has saved and ended.

        Of a run that this server has trained and that has just ended, "stop" asks nothing.

        Raises:
            FileError: no such run.
            HTTPException: this server does not train it.
        """
        with self._lock:
            job = self._jobs[name] if self._under_way(name) else None
            ended = name in self._jobs and job is None
        if job is None:
            self.store.run(name)
            if ended and word == "stop":
                return
            raise HTTPException(409, f"{name}: is not being trained by this page")
        job.obey(word)

    def set_pace(self, name: str, pace: float | None) -> None:
        """Set how many steps a second a run takes, at most, now or once it is resumed; None: as many as it can.

        Raises:
            FileError: no such run.
            HTTPException: it is being trained, but not by this server.
        """
        run = self.store.run(name)
        with self._lock:
            job = self._jobs[name] if self._under_way(name) else None
            if job is None and is_held(run.path):
                raise HTTPException(409, f"{name}: is not being trained by this page")
            self._paces[name] = pace
        if job:
            job.obey(f"pace {pace or 0:g}")

    @contextmanager
    def forgetting(self, name: str, to: str | None = None) -> Iterator[None]:
        """Begin no run meanwhile, and then forget what was known under a name, as it stands for another run now.

        Args:
            name: of the run that goes, or is renamed.
            to: its new name, under which its pace is kept.

        Raises:
            HTTPException: 409, this server trains the first one.
        """
        with self._lock:
            if self._under_way(name):
                raise HTTPException(409, f"{name}: is being trained; stop it first")
            yield
            pace = self._paces.get(name)
            for each in filter(None, (name, to)):
                if not self._under_way(each):
                    self._forget(each)
            if to and pace:
                self._paces[to] = pace

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what is known here and cannot be seen in a run's folder; it takes precedence over what is seen there.

        That is ``state``, "paused", of a run that is paused, ``ended``: why its process ended early, or None,
        ``steered``: whether it obeys `control`, and ``pace``: steps a second, or None.
        """
        with self._lock:
            known: dict[str, dict[str, Any]] = {name: {"pace": pace} for name, pace in self._paces.items()}
            for name, job in self._jobs.items():
                known[name] = job.known() | {"pace": self._paces.get(name)}
            return known

    def close(self) -> None:
        """End all processes: they save, those in time that can, and the others are killed."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.close_pipe()
        end = time.monotonic() + GRACE
        for job in jobs:
            job.wait_or_kill(end - time.monotonic())

    def _check_limit(self) -> None:
        if sum(job.is_running for job in self._jobs.values()) >= AT_ONCE:
            raise HTTPException(429, f"{AT_ONCE} runs are already running; stop one of them, or wait until it ends")

    def _under_way(self, name: str) -> bool:
        return name in self._jobs and self._jobs[name].is_running

    def _begin(self, folder: Path, order: Mapping[str, Any]) -> "_Job":
        job = self._jobs[folder.name] = _Job({**order, "folder": str(folder)})
        return job

    def _forget(self, name: str) -> None:
        for known in (self._jobs, self._paces):
            known.pop(name, None)  # which is gone where the folder was deleted meanwhile


class _Job:
    """One training process, what it was told, and what it said.

    Attributes:
        paused: whether it was told to wait.
        error: why it ended early.
        under_way: whether it reached its first step.
        begun: set as soon as it is under way, or has ended.
        stopping: whether it was told to end.
        over: whether it has let go of its folder; its process needs a moment more to end.
    """

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.process = start_module("glassnet.web.job")
        self.paused: bool = order["paused"]
        self.error: str | None = None
        self.under_way, self.begun, self._closing = False, Event(), False
        self.stopping = self.over = False
        self._tell(json.dumps(order))
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None and not self.over

    def known(self) -> dict[str, Any]:
        """Return what `Jobs.states` tells of it."""
        paused = {"state": "paused"} if self.is_running and self.paused else {}
        return {"ended": self.error, "steered": self.is_running} | paused

    def obey(self, word: str) -> None:
        """Tell the process a word; "stop" waits for its end."""
        self.paused = word in ("pause", "step", "epoch") or (self.paused and word != "go")
        self._tell(word)
        if word == "stop":
            self.stopping = True
            self.wait(GRACE)

    def wait(self, seconds: float) -> None:
        """Return when the process has ended, or after so many seconds."""
        self._listener.join(seconds)

    def close_pipe(self) -> None:
        """Close the pipe, which ends the process as the server's own end would."""
        self._closing = True
        with suppress(OSError):
            assert self.process.stdin
            self.process.stdin.close()

    def wait_or_kill(self, seconds: float) -> None:
        """Return when the process has ended, which is after ``seconds`` at the latest."""
        self._listener.join(max(seconds, 0))
        self.process.kill()
        self._listener.join()

    def _tell(self, line: str) -> None:
        with suppress(OSError, ValueError):  # it has just ended by itself, or the server is ending
            assert self.process.stdin
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            self.under_way |= "begun" in said
            self.error = said.get("error", self.error)
            self.over |= "over" in said
            if self.under_way:
                self.begun.set()
        code = self.process.wait()
        if code and not self.error and not self._closing:
            why = "was killed, or ran out of memory" if code < 0 else "failed; the server's terminal says how"
            self.error = f"the process that trained this run {why}; what it had saved is there: resume it"
        self.process.stdout.close()
        self.close_pipe()
        self.begun.set()
