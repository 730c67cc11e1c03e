"""The process that trains a run which the page began: ``python -m glassnet.web.job``.

A pipe from the server is its standard input. The first line says what to train, and each further line is a word:

    pause   pause the run after the current step
    go      continue it
    step    take one step, and pause again
    epoch   go on to the end of the epoch and its validation, and pause again
    pace N  take at most N steps a second; 0: as many as it can
    stop    save and end; the run can be resumed

The operating system closes that pipe when the server ends, however it ends, so the end of the input is a word too:
stop. What there is to say goes to standard output, a JSON object a line: ``{"begun": true}``, ``{"error": …}``, and at
the end ``{"over": true}``.
"""

import json
import os
import sys
from io import FileIO
from threading import Condition, Thread, Timer
from time import perf_counter
from typing import Any

from ..data import load_dataset
from ..errors import GlassnetError
from ..training import Live, RunCallback, RunUnderWay, TrainingInterrupted, open_model, resume, train
from ..training.history import Row
from .jobs import GRACE

__all__ = ["Control", "main"]

LOOK = 0.2  # seconds after which a paused run checks whether a signal has stopped it
SLOW = 5.0  # steps a second, up to which each is shown


class Control(RunCallback):
    """Pauses a run between two steps, slows it down, lets it go on, or ends it, as the words say.

    The seconds that a run counts are those of its steps, so they stand still while it is paused. At the end of an epoch
    it is paused after the validation.

    Args:
        paused: whether the run is to wait before its first step.
        live: shows the network as it is while the run is paused.
        pace: steps a second, at most; 0 for as many as it can.
    """

    def __init__(self, paused: bool, live: Live, pace: float = 0.0) -> None:
        self._changed, self._live, self._pace = Condition(), live, pace
        self._paused, self._steps, self._ended = paused, 0, False
        self._epoch, self._goal = False, 0  # whether an epoch was asked for, and the step that it ends with
        self._last = 0.0  # when the last step was let go

    def obey(self, word: str) -> None:
        """Take a word; an unknown one changes nothing. Called by the thread that listens."""
        with self._changed:
            if word in ("pause", "go"):
                self._paused, self._steps, self._goal = word == "pause", 0, 0
            elif word == "step":  # a run that is going is paused after its step
                self._paused, self._steps, self._goal = True, self._steps + self._paused, 0
            elif word == "epoch":
                self._paused, self._steps, self._epoch = True, 0, True
            elif word.startswith("pace "):
                self._pace = float(word.removeprefix("pace "))
            elif word == "stop":
                self._ended = True
            self._changed.notify()

    def on_start(self, run: RunUnderWay) -> None:
        _say(begun=True)
        if not run.state.step:  # else it has been continued already
            self._wait(run)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        state = run.state
        if state.step % len(run.batches) or (state.epoch + 1) % run.config.report_every:  # else `on_epoch` comes
            self._wait(run)

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        self._wait(run)

    def _wait(self, run: RunUnderWay) -> None:
        """Return when the next step may be taken, or the run is to end."""
        if self._paused or 0 < self._pace <= SLOW:
            run.tell()
            self._live.write(run)
        with self._changed:
            while not self._ended and not run.stopped and (rest := self._rest(run)) > 0:
                self._changed.wait(rest)
                self._ended |= not run.folder.exists()  # nobody can continue it any more
            self._steps = max(self._steps - 1, 0)
            self._last = perf_counter()
            if self._ended:
                run.stop("as the page asked")

    def _rest(self, run: RunUnderWay) -> float:
        """Return for how many seconds to wait before looking again whether the next step may be taken."""
        if self._epoch:
            self._goal, self._epoch = (run.state.step // len(run.batches) + 1) * len(run.batches), False
        if self._paused and not self._steps and run.state.step >= self._goal:
            return LOOK
        return min(self._last + 1 / self._pace - perf_counter(), LOOK) if self._pace else 0.0


def main() -> None:
    """Train what the first line of the input says, as the lines that follow say."""
    words = FileIO(0, closefd=False)  # without a buffer, whose lock the waiting thread would hold when Python ends
    first = words.readline()
    if not first:
        return
    order = json.loads(first)
    live = Live()
    control = Control(order["paused"], live, order["pace"] or 0.0)
    Thread(target=_listen, args=(words, control), daemon=True).start()
    try:
        _train(order, [live, control])
    except TrainingInterrupted:
        pass  # by a signal; everything is saved
    except GlassnetError as error:
        _say(error=str(error))
    except MemoryError:
        _say(error="not enough memory; use fewer units, smaller batches, or less data")
    except OSError as error:
        _say(error=f"{error.filename or 'training'}: {error.strerror or error}")
    _say(over=True)


def _train(order: dict[str, Any], callbacks: list[RunCallback]) -> None:
    if order["resume"]:
        resume(order["folder"], callbacks=callbacks)
        return
    how = {key: order[key] for key in ("as_written", "mistakes", "mistakes_from")} | order["settings"]
    start = None if order.get("start") is None else open_model(order["start"])
    dataset = load_dataset(order["data"], classes=start.classes if start else 10)
    train(dataset, order["recipe"], out=order["folder"], callbacks=callbacks, start=start, **how)


def _listen(words: FileIO, control: Control) -> None:
    for line in words:
        control.obey(line.decode().strip())
    last = Timer(GRACE, os._exit, [1])
    last.daemon = True
    last.start()
    control.obey("stop")


def _say(**said: Any) -> None:
    try:
        print(json.dumps(said), flush=True)
    except BrokenPipeError:  # the server has gone, and nobody listens
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
