"""The progress of a run: a live line in a terminal, a plain line per epoch in a pipe."""

from time import perf_counter

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..training import RunCallback, RunUnderWay
from ..training.history import Row
from .output import command, percent, say
from .summary import summary

__all__ = ["Progress"]

REFRESH = 0.1  # seconds between two updates of the live line
HEADER = f"{'epoch':>5}  {'loss':>7}  {'accuracy':>8}  {'validation loss':>15}  {'accuracy':>8}  {'seconds':>7}"


class Progress(RunCallback):
    """Report on standard error, so that standard output holds results alone."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.live: Live | None = None
        self.head = ""

    def on_start(self, run: RunUnderWay) -> None:
        if run.config.first_seed is not None:
            say(f"member {run.config.seed - run.config.first_seed + 1}")
        head = f"{summary(run)}\n\n{HEADER}"
        if run.ranks.size > 1:  # a rank that is killed takes the others with it, too late to say this
            say(f"{run.ranks.size} ranks; if one of them dies, continue with: {command('resume', run.folder)}")
        if head != self.head or run.config.first_seed is not None:  # not again for the part of a run with mistakes
            say(head)
        self.head = head
        if run.config.mistakes:
            say(f"planted mistakes: {', '.join(run.config.mistakes)}")
        self.first_step, self.began, self.shown = run.state.step, perf_counter(), 0.0
        if self.console.is_terminal:
            self.live = Live(Text(), console=self.console, auto_refresh=False, transient=True)
            self.live.start()

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        now = perf_counter()
        if self.live is None or now - self.shown < REFRESH:
            return
        self.shown, state = now, run.state
        left = (now - self.began) / (state.step - self.first_step) * (run.total_steps - state.step)
        done = state.step / run.total_steps
        share = state.correct / state.seen if state.correct else None  # not counted in every epoch
        bar = "━" * round(20 * done)
        line = Text.assemble(
            (bar, "cyan"),
            ("─" * (20 - len(bar)), "dim"),
            f" {100 * done:3.0f} %  epoch {state.epoch + 1}/{run.config.epochs}"
            f"  loss {state.loss_sum / max(state.seen, 1):.4f}  {percent(share)}",
            (f"  {_duration(left)} left", "dim"),
            no_wrap=True,
        )
        self.live.update(line, refresh=True)

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        best = " *" if run.state.best_epoch == row["epoch"] else ""
        self._print(_line(row) + best)

    def on_end(self, run: RunUnderWay) -> None:
        self.close()
        if run.broken:
            self._print(_line(run.rows[-1]))
            self._print(f"{run.broken}; training cannot continue")

    def on_member(self, number: int, row: Row) -> None:
        members = f"ensemble of {number}" if number > 1 else "1 member"
        self._print(f"{members}: validation accuracy {percent(row['validation_accuracy'])}")

    def _print(self, line: str) -> None:
        if self.live is None:
            say(line)
        else:
            self.live.console.print(line)

    def close(self) -> None:
        """Remove the live line; also called when a run ends with an error."""
        if self.live is not None:
            self.live.stop()
            self.live = None


def _line(row: Row) -> str:
    loss, validation_loss = ("–" if row[key] is None else f"{row[key]:.4f}" for key in ("loss", "validation_loss"))
    return (
        f"{row['epoch']:>5}  {loss:>7}  {percent(row['accuracy']):>8}  {validation_loss:>15}  "
        f"{percent(row['validation_accuracy']):>8}  {row['seconds']:>7.2f}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
