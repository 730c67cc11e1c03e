"""Callbacks that hand a run on to an experiment tracker, by the tracker's own library.

    glassnet.train(dataset, callbacks=[MLflow()])       glassnet train mnist --callback mlflow

Where a tracker keeps what it gets, and under which project, is for its own settings and environment variables
(``MLFLOW_TRACKING_URI``, ``WANDB_MODE=offline``, ``WANDB_DIR``, ``TRACKIO_DIR``, …).
"""

import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigError, missing_package
from .logs import log_name
from .training import Config, Run, RunCallback, RunUnderWay
from .training.history import Row

__all__ = ["MLflow", "Trackio", "WandB"]

PROJECT = "glassnet"
REASON = 200  # characters, at most, of a library's own words
# While a run begins: with MLflow's seven tries of two minutes each, a server that is not there takes minutes to notice.
BRIEF = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class _Tracker(RunCallback):
    """What the trackers have in common: a run begins with the settings, and each epoch adds its numbers.

    Of an ensemble each member is a run of its own, called after the ensemble's folder and its own.
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
                self.begin(log_name(Run(run.folder)), _settings(run.config))
        except Exception as error:  # no account, no network, …: each library has errors of its own
            reason = textwrap.shorten(str(error), REASON, placeholder=" …") or type(error).__name__
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


@contextmanager
def _unless_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while, but none that the person has set."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _first_cause(error: BaseException) -> BaseException:
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


class MLflow(_Tracker):
    """MLflow: ``pip install mlflow`` or ``mlflow-skinny``."""

    package = "mlflow"

    def begin(self, name: str, settings: dict[str, Any]) -> None:
        host = urlsplit(self.library.get_tracking_uri()).hostname
        if host:
            print(f"MLflow: connecting to {host}", file=sys.stderr, flush=True)
        try:
            with _unless_set(BRIEF):
                self.library.set_experiment(PROJECT)
                self.library.start_run(run_name=name)
                self.library.log_params(settings)
        except Exception as error:
            if not host or not isinstance(cause := _first_cause(error), OSError):
                raise
            reason = cause.strerror or cause
            raise ConnectionError(f"no answer from {host} ({reason}); is MLFLOW_TRACKING_URI right?") from error

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
