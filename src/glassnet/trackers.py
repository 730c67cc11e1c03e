"""Callbacks that hand a run on to an experiment tracker, by the tracker's own library.

    glassnet.train(dataset, callbacks=[MLflow()])       glassnet train mnist --callback mlflow

Where a tracker keeps what it gets, and under which project, is for its own settings and environment variables
(``MLFLOW_TRACKING_URI``, ``WANDB_MODE=offline``, ``WANDB_DIR``, ``TRACKIO_DIR``, …).
"""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from .errors import ConfigError, missing_package
from .training import Config, RunCallback, RunUnderWay
from .training.history import Row

__all__ = ["MLflow", "Trackio", "WandB"]

PROJECT = "glassnet"


class _Tracker(RunCallback):
    """What the trackers have in common: a run begins with the settings, and each epoch adds its numbers.

    Of an ensemble each member is a run of its own.
    """

    package: str

    def __init__(self) -> None:
        try:
            self.library: Any = import_module(self.package)
        except ModuleNotFoundError as error:
            raise missing_package(type(self).__name__, error, self.package) from error

    def on_start(self, run: RunUnderWay) -> None:
        self.on_end(run)  # a run in parts begins more than once
        try:
            with redirect_stdout(sys.stderr):  # standard output is for results alone
                self.begin(run.folder.resolve().name, _settings(run.config))
        except Exception as error:  # no account, no network, …: each library has errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"{type(self).__name__}: cannot begin a run: {reason}") from error

    def on_epoch(self, run: RunUnderWay, row: Row) -> None:
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
        numbers["steps"] = numbers.pop("step")  # in a tracker a step is what the numbers stand at
        self.log(numbers, int(row["epoch"]))

    def on_end(self, run: RunUnderWay) -> None:
        with redirect_stdout(sys.stderr):
            self.end()

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        """Begin a run of the tracker's."""
        raise NotImplementedError

    def log(self, numbers: dict[str, float], epoch: int) -> None:
        """Add the numbers of an epoch."""
        raise NotImplementedError

    def end(self) -> None:
        """End the tracker's run, where one has begun."""
        raise NotImplementedError


def _settings(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude_none=True)


class MLflow(_Tracker):
    """MLflow: ``pip install mlflow`` or ``mlflow-skinny``."""

    package = "mlflow"

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        self.library.set_experiment(PROJECT)
        self.library.start_run(run_name=name)
        self.library.log_params(settings)

    def log(self, numbers: dict[str, float], epoch: int) -> None:
        self.library.log_metrics(numbers, step=epoch)

    def end(self) -> None:
        self.library.end_run()


class WandB(_Tracker):
    """Weights & Biases: ``pip install wandb``. With ``WANDB_MODE=offline`` nothing leaves the machine."""

    package = "wandb"

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        self.library.init(project=PROJECT, name=name, config=settings)

    def log(self, numbers: dict[str, float], epoch: int) -> None:
        self.library.log(numbers, step=epoch)

    def end(self) -> None:
        if self.library.run is not None:
            self.library.finish()


class Trackio(_Tracker):
    """Trackio: ``pip install trackio``."""

    package = "trackio"
    begun = False

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        self.library.init(project=PROJECT, name=name, config=settings)
        self.begun = True

    def log(self, numbers: dict[str, float], epoch: int) -> None:
        self.library.log(numbers, step=epoch)

    def end(self) -> None:
        if self.begun:
            self.library.finish()
            self.begun = False
