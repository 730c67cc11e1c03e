"""Connecting to a Dask cluster, with one clear line for whatever may be missing."""

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from logging import CRITICAL, getLogger
from socket import create_connection
from typing import Any

from ..errors import ConfigError, missing_package

__all__ = ["connect", "require_search"]

PATIENCE = 5  # seconds for a scheduler to answer and for a worker to be there


def require_search(what: str, package: str) -> None:
    """Raise ConfigError where a package of the extra ``search`` is missing; ``what`` needs it."""
    try:
        with warnings.catch_warnings():  # Optuna brings tqdm, which misses ipywidgets aloud in a notebook
            warnings.filterwarnings("ignore", "IProgress not found")
            import_module(package)
    except ModuleNotFoundError as error:
        raise missing_package(what, error, "search") from error


def connect(address: str, closing: ExitStack) -> Any:
    """Return a client of the scheduler at an address, until ``closing`` is closed.

    Raises:
        ConfigError: Dask is missing, no scheduler answers, it has no workers, or glassnet there is missing or another
            version.
    """
    require_search("--dask", "distributed")
    distributed = import_module("distributed")
    for log in map(getLogger, ("distributed", "distributed.client")):  # what is wrong is told in one line
        closing.callback(log.setLevel, log.level)
        log.setLevel(CRITICAL)
    try:
        # A handshake first: where there is no scheduler, a client would go on trying in the background.
        create_connection(distributed.comm.get_address_host_port(address), PATIENCE).close()
        with ThreadPoolExecutor(1) as thread:  # this one may have an event loop already, as in a notebook
            thread.submit(asyncio.run, _shake_hands(address)).result()
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # whatever may listen there and not be a scheduler
        raise ConfigError(
            f"dask: no scheduler answers at {address!r}; is the address right? One is started with: dask scheduler"
        ) from error
    closing.callback(client.close)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise ConfigError(
            f"dask: the scheduler at {address} has no workers; start one with: dask worker {address}"
        ) from error
    _require_glassnet(client)
    return client


async def _shake_hands(address: str) -> None:
    comm = await asyncio.wait_for(import_module("distributed.comm").connect(address, timeout=PATIENCE), PATIENCE)
    await comm.close()


def _require_glassnet(client: Any) -> None:
    """Refuse a cluster where glassnet is missing, or another version of it."""
    versions = client.get_versions(packages=["glassnet"])
    here = versions["client"]["packages"]["glassnet"]
    for place, known in {"the scheduler": versions["scheduler"], **versions["workers"]}.items():
        there = known["packages"]["glassnet"]
        if there != here:
            has = f"glassnet {there}" if there else "no glassnet"
            raise ConfigError(f"dask: {place} has {has}; install glassnet {here} there, with its extra search")
