"""The progress of a run: a live line in a terminal, and elsewhere a plain line per epoch and per minute."""

import sys
from textwrap import fill
from time import perf_counter

from rich.console import Console
from rich.live import Live
from rich.text import Text

from .callbacks import Callback, LoopUnderWay, RunCallback, RunUnderWay
from .history import Row, percent
from .interruption import resume_command
from .summary import summary
from .verdict import chance_note

__all__ = ["HEADER", "Lines", "Progress"]

REFRESH = 0.1  # seconds between two updates of the live line
REPORT = 60.0  # seconds without a line in a pipe
WIDTH, BAR = 80, 20  # characters of a line, and of its bar at most
HEADER = f"{'epoch':>5}  {'loss':>7}  {'accuracy':>8}  {'validation loss':>15}  {'accuracy':>8}  {'seconds':>7}"
LEGEND = "*: the best model so far, which is kept. Seconds: of training, since its start."


class Progress(RunCallback):
    """Report on standard error, so that standard output holds results alone."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.live: Live | None = None
        self.head = ""

    def on_start(self, run: RunUnderWay) -> None:
        if run.config.first_seed is not None:
            self._print(f"member {run.config.seed - run.config.first_seed + 1}")
        head = f"{summary(run)}\n\n{LEGEND}\n{HEADER}"
        if run.ranks.size > 1:  # a rank that is killed takes the others with it, too late to say this
            self._print(f"{run.ranks.size} ranks; if one of them dies, continue with: {resume_command(run.folder)}")
        if head != self.head or run.config.first_seed is not None:  # not again for the part of a run with mistakes
            self._print(head)
        self.head = head
        if run.config.mistakes:
            self._print(f"planted mistakes: {', '.join(run.config.mistakes)}")
        self.first_step, self.began, self.shown = run.state.step, perf_counter(), perf_counter()
        if self.console.is_terminal:
            self.live = Live(Text(), console=self.console, auto_refresh=False, transient=True)
            self.live.start()

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        now = perf_counter()
        if now - self.shown < (REPORT if self.live is None else REFRESH):
            return
        done, words, left = self._state(run, now)
        if self.live is None:
            self._print(f"{100 * done:3.0f} %{words}{left}")
            return
        self.shown = now
        width = min(BAR, WIDTH - len(f"  100 %{words}{left}"))
        bar = "━" * round(width * done)
        self.live.update(
            Text.assemble(
                (bar, "cyan"),
                ("─" * (width - len(bar)), "dim"),
                f" {100 * done:3.0f} %{words}",
                (left, "dim"),
                no_wrap=True,
            ),
            refresh=True,
        )

    def _state(self, run: RunUnderWay, now: float) -> tuple[float, str, str]:
        """Return the share of the steps that are done, how it stands, and how long it will take."""
        state = run.state
        left = (now - self.began) / (state.step - self.first_step) * (run.total_steps - state.step)
        share = state.correct / state.seen if state.correct else None  # not counted in every epoch
        words = f"  epoch {state.epoch + 1}/{run.config.epochs}  loss {state.loss_sum / max(state.seen, 1):.4f}"
        return state.step / run.total_steps, f"{words}  {percent(share)}", f"  {_duration(left)} left"

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        best = " *" if run.state.best_epoch == row["epoch"] else ""
        self._print(_line(row) + best)

    def on_end(self, run: RunUnderWay) -> None:
        self.close()
        if run.broken:
            self._print(_line(run.rows[-1]))
            self._print(f"{run.broken}; training cannot continue")
        elif note := chance_note(run):
            self._print(fill(note, WIDTH))

    def on_member(self, number: int, row: Row) -> None:
        members = f"ensemble of {number}" if number > 1 else "1 member"
        self._print(f"{members}: validation accuracy {percent(row['validation_accuracy'])}")

    def _print(self, line: str) -> None:
        self.shown = perf_counter()
        if self.live is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self.live.console.print(line)

    def close(self) -> None:
        """Remove the live line; also called when a run ends with an error."""
        if self.live is not None:
            self.live.stop()
            self.live = None


class Lines(Callback):
    """A line per epoch on standard error, for a loop without a run folder."""

    def on_start(self, run: LoopUnderWay) -> None:
        print(HEADER, file=sys.stderr, flush=True)

    def on_epoch(self, run: LoopUnderWay, row: Row) -> None:
        print(_line(row), file=sys.stderr, flush=True)


def _line(row: Row) -> str:
    """Return a row of a history under the columns of `HEADER`."""
    loss, validation_loss = ("–" if row[key] is None else f"{row[key]:.4f}" for key in ("loss", "validation_loss"))
    return (
        f"{row['epoch']:>5}  {loss:>7}  {percent(row['accuracy']):>8}  {validation_loss:>15}  "
        f"{percent(row['validation_accuracy']):>8}  {row['seconds']:>7.2f}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
