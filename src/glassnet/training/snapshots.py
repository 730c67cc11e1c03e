"""Snapshots: the weights of a run at some of its steps, by default forty, evenly spaced in the logarithm of the step.

Most of what a network learns it learns in its first steps, so half of the snapshots lie in the first tenth of the run
or less. Each is a model file, ``snapshots/<step>.safetensors``, with weights rounded to float16: it can be named
wherever a model can. They take no part in the training: where one cannot be written it is missing, and the run goes on.
"""

import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError
from ..tensor_files import write_tensors
from .callbacks import RunCallback, RunUnderWay
from .folder import SNAPSHOTS, is_run_folder

__all__ = ["MOST_BYTES", "Snapshots", "find_snapshots", "snapshot_steps"]

MOST_BYTES = 32_000_000  # of a run's snapshots together, an ensemble's too; of a large network there are fewer
HEADER = 5_000  # bytes of a model file beside its tensors
WAITING = 4  # copies of the weights in memory at once
INFINITE = 0x7C00  # the bits of an infinite number in float16; those of NaN are larger


def snapshot_steps(total: int, most: int) -> list[int]:
    """Return at most so many of the steps 0 … ``total``, evenly spaced in their logarithm, with both ends."""
    steps: list[int] = []
    for left in range(most, 0, -1):
        last = steps[-1] if steps else -1
        if last == total:
            break
        if left == 1:
            steps.append(total)
        elif last < 1:
            steps.append(last + 1)
        else:
            steps.append(max(last + 1, round(last * (total / last) ** (1 / left))))
    return steps


def find_snapshots(folder: Path) -> dict[int, Path]:
    """Return the snapshots in a run folder by their step, in order."""
    found = {
        int(path.stem): path
        for path in (folder / SNAPSHOTS).glob("*.safetensors")
        if re.fullmatch("[0-9]{1,18}", path.stem)
    }
    return dict(sorted(found.items()))


class Snapshots(RunCallback):
    """Keeps snapshots of what validation judges: the network, or where ``ema`` is set the averaged one.

    The training waits only for a copy in float16. A thread writes it, for which the run waits before it saves a
    checkpoint: all snapshots up to its step are there, and later ones will be taken again. They are not forced to the
    disk, since a power cut costs no more than a snapshot, whose digest tells. A step at which a weight is too large for
    float16, or not finite, has none.
    """

    def __init__(self) -> None:
        self._steps: frozenset[int] = frozenset()
        self._last = -1  # the last step of which there is one
        self._writer: ThreadPoolExecutor | None = None
        self._written: list[Future[None]] = []

    def on_start(self, run: RunUnderWay) -> None:
        network = run.model.network
        size = 2 * network.parameters.size + network.statistics.nbytes + HEADER
        most = MOST_BYTES // (run.config.ensemble_size or 1) // size
        steps = snapshot_steps(run.total_steps, min(run.config.snapshots, most))
        self._steps = frozenset(steps)
        with suppress(OSError):
            _thin_out(run.folder, [step for step in steps if step <= run.state.step], run.state.step)
        self._last = max(find_snapshots(run.folder), default=-1)
        self._metadata = run.model.metadata("float16")
        if run.state.step in self._steps:
            self._take(run)

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if run.state.step in self._steps:
            self._take(run)

    def on_end(self, run: RunUnderWay) -> None:
        if self._steps:
            self._take(run)

    def _take(self, run: RunUnderWay) -> None:
        """Copy the weights of this step, if they are not kept already, and leave the rest to the writer."""
        step, network = run.state.step, run.model.network
        if step == self._last:
            return
        self._last = step
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, "snapshots")
        self._written = [write for write in self._written if not write.done()]
        if len(self._written) == WAITING:
            self._written[0].result()
        with suppress(MemoryError):
            weights = network.engine.half(network.parameters, np.empty(network.parameters.size, np.float16))
            statistics = {name: view.copy() for name, view in network.named_statistics.items()}
            tensors = network.views(weights) | statistics
            self._written.append(self._writer.submit(_write, run.folder, step, tensors, self._metadata))

    def settle(self) -> None:
        """Return when all that was taken is written."""
        for write in self._written:
            write.result()

    def close(self) -> None:
        """Write what was taken, and end the thread."""
        if self._writer is not None:
            self._writer.shutdown()
            self._writer = None


def _write(folder: Path, step: int, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    with suppress(FileError, OSError, MemoryError):
        if all(map(_is_finite, tensors.values())) and is_run_folder(folder):  # else it was deleted, and stays so
            (folder / SNAPSHOTS).mkdir(exist_ok=True)
            write_tensors(folder / SNAPSHOTS / f"{step}.safetensors", tensors, metadata, durable=False)


def _is_finite(tensor: NDArray[Any]) -> bool:
    """Whether all numbers are finite; those in float16 by their bits, which NumPy is far quicker with."""
    if tensor.dtype == np.float16:
        return bool((tensor.view(np.uint16) & 0x7FFF).max(initial=0) < INFINITE)
    return bool(np.isfinite(tensor).all())


def _thin_out(folder: Path, wanted: list[int], reached: int) -> None:
    """Keep of a run's snapshots those that are nearest to the steps ``wanted``, and none beyond the step ``reached``.

    A run that goes on has other steps if it was given more epochs, and one that was stopped has one more.
    """
    for leftover in (folder / SNAPSHOTS).glob(".*"):  # of a process that was killed
        leftover.unlink(missing_ok=True)
    found = find_snapshots(folder)
    past = [step for step in found if step <= reached]
    kept = {min(past, key=lambda step: abs(step - target)) for target in wanted} if past else set()
    for step, path in found.items():
        if step not in kept:
            path.unlink(missing_ok=True)
