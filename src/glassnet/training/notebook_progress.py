"""How a run fares, live in a notebook: one output that is updated, and at the end a picture that is saved with it."""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from ..notebook import card, curves
from .callbacks import AnyCallback, RunCallback, RunUnderWay
from .history import Row

__all__ = ["NotebookProgress", "notebook_callbacks"]

REFRESH = 0.5  # seconds between two updates


def notebook_callbacks() -> list[AnyCallback[RunUnderWay]]:
    """Return what shows a run in a notebook's cell, or nothing where Python is not the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return [NotebookProgress()] if hasattr(shell, "kernel") else []


class NotebookProgress(RunCallback):
    """Show the losses and the time that is left, in one output of the cell."""

    def __init__(self) -> None:
        self.handle: Any = None
        self.shown = 0.0
        self.folder: Path | None = None  # of the run or member that this process trains
        self.rows: list[Row] = []

    def on_start(self, run: RunUnderWay) -> None:
        self.first_step, self.began = run.state.step, perf_counter()
        self._show(run)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if perf_counter() - self.shown >= REFRESH:
            self._show(run)

    def on_end(self, run: RunUnderWay) -> None:
        self._show(run, ended=True)

    def on_member(self, number: int, row: Row) -> None:
        facts: dict[str, object] = {"folder": self.folder.parent} if self.folder else {}
        if row["validation_accuracy"] is not None:
            facts["validation accuracy"] = f"{row['validation_accuracy']:.2%}"
        facts["seconds"] = f"{row['seconds']:.1f}"
        if self.rows:
            facts["losses below"] = f"of member {number}"
        self._put(card(f"Ensemble of {number}", facts, curves(self.rows)), f"ensemble of {number}")

    def _show(self, run: RunUnderWay, *, ended: bool = False) -> None:
        self.shown = perf_counter()
        self.folder, self.rows = run.folder, run.rows
        done = run.state.step / run.total_steps
        facts: dict[str, object] = {"folder": run.folder}
        if run.rows and run.rows[-1]["validation_accuracy"] is not None:
            facts["validation accuracy"] = f"{run.rows[-1]['validation_accuracy']:.2%}"
        if ended:
            facts["seconds"] = f"{run.state.seconds:.1f}"
            title = f"{run.broken or run.stopped or 'Trained'}: {run.state.epoch} of {run.config.epochs} epochs"
        else:
            title = f"Training: epoch {min(run.state.epoch + 1, run.config.epochs)} of {run.config.epochs}, {done:.0%}"
            if steps := run.state.step - self.first_step:
                left = (self.shown - self.began) / steps * (run.total_steps - run.state.step)
                facts["seconds left"] = f"{left:.0f}"
        self._put(card(title, facts, curves(run.rows)), title)

    def _put(self, html: str, plain: str) -> None:
        """Show HTML in the place of what was shown before."""
        import IPython.display

        display: Any = IPython.display.display

        content = {"text/html": html, "text/plain": plain}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)
