"""All that going on with a run takes, in one file."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from ..errors import FileError, TrainingError
from ..nn import Dropout, Network, Optimizer, WeightAverage
from ..nn.types import Array
from ..tensor_files import open_tensors, write_tensors

__all__ = ["State", "load_checkpoint", "read_state", "run_tensors", "save_checkpoint"]

VERSION = "3"  # it has a digest, so that a damaged one is not taken for an older file
UNDIGESTED = "2"  # of versions before 0.2, most of which have one, too
WITH_GENERATOR = "1"  # of glassnet 0.1.0, whose dropout masks came from a generator

Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass
class State:
    """How far a run has come.

    Attributes:
        step: steps taken.
        epoch: epochs completed.
        seconds: of training, without validation and saving.
        loss_sum, correct, seen: over the examples of the epoch under way; each counts as much as it weighs.
        best: the best value of what the run monitors, and None before there is one.
        best_epoch: the epoch that gave it.
        finished: whether the run has come to its end.
    """

    step: Count = 0
    epoch: Count = 0
    seconds: Finite = 0.0
    loss_sum: Finite = 0.0
    correct: Weight = 0
    seen: Weight = 0
    best: Finite | None = None
    best_epoch: Count = 0
    finished: bool = False


def save_checkpoint(
    path: Path, network: Network, optimizer: Optimizer, average: WeightAverage | None, state: State, fingerprint: str
) -> None:
    """Write parameters, statistics, moments, averages and state, atomically.

    Args:
        path: the file.
        network: of the run.
        optimizer: of the run.
        average: of the run, if it has one.
        state: of the run.
        fingerprint: of the data that it learns.

    Raises:
        FileError: it cannot be written; the checkpoint before it is still there.
    """
    metadata = {
        "kind": "checkpoint",
        "version": VERSION,
        "fingerprint": fingerprint,
        "state": json.dumps(asdict(state)),
    }
    write_tensors(path, run_tensors(network, optimizer, average), metadata)


def load_checkpoint(
    path: Path, network: Network, optimizer: Optimizer, average: WeightAverage | None, fingerprint: str
) -> State:
    """Put network, optimizer and averages back to where `save_checkpoint` found them, and return the state.

    Raises:
        FileError: the file is missing, damaged, or does not fit the network.
        TrainingError: the data is not what the run began with, or an older version began it with dropout.
    """
    with open_tensors(path, "checkpoint") as file:
        version = file.metadata.get("version")
        if version not in (VERSION, UNDIGESTED, WITH_GENERATOR):
            raise FileError(f"{path}: a checkpoint of version {version!r}, expected {VERSION!r}")
        if version == WITH_GENERATOR and any(isinstance(layer, Dropout) for layer in network.layers):
            raise TrainingError(
                f"{path}: begun with glassnet 0.1, whose dropout masks cannot be drawn here; go on with that version, "
                "or train again"
            )
        if file.metadata.get("fingerprint") != fingerprint:
            raise TrainingError(
                f"{path}: the data has changed since this run began; restore the old data, or train again"
            )
        targets = run_tensors(network, optimizer, average)
        described = {name: (target.shape, target.dtype) for name, target in targets.items()}
        tensors = file.read_all(described, undigested=version != VERSION)
        try:
            state = _state().validate_json(file.metadata.get("state", ""))
        except ValidationError as error:
            raise FileError(f"{path}: damaged metadata; the run cannot be resumed from this checkpoint") from error
    for name, target in targets.items():
        target[...] = tensors[name]
    optimizer.steps = state.step
    if average:
        average.steps = state.step
    return state


def read_state(path: Path) -> State:
    """Return how far a run had come at its checkpoint; raise FileError where there is none that can be read."""
    with open_tensors(path, "checkpoint") as file:
        try:
            return _state().validate_json(file.metadata.get("state", ""))
        except ValidationError as error:
            raise FileError(f"{path}: damaged metadata; the state of the run is unknown") from error


@cache
def _state() -> TypeAdapter[State]:
    """Return what reads a state, which takes longer to make than to use."""
    return TypeAdapter(State)


def run_tensors(network: Network, optimizer: Optimizer, average: WeightAverage | None) -> dict[str, Array]:
    """Return all the numbers of a run that a checkpoint holds, by the names that it has there."""
    tensors = {"parameters": network.parameters, "statistics": network.statistics}
    tensors |= {f"optimizer.{name}": moment for name, moment in optimizer.state.items()}
    if average:
        averaged = average.network
        tensors |= {"average.parameters": averaged.parameters, "average.statistics": averaged.statistics}
    return tensors
