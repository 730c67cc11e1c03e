"""A server in a process of its own beside this one, which keeps its speed; it ends with this one, however that ends."""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigError, GlassnetError
from .child import start_module
from .server import serve
from .site import Site

__all__ = ["Companion", "main"]

GRACE = 3  # seconds that a server has to end by itself
NICE = 5  # how much the process that it accompanies goes before it


class Companion:
    """A server that is there as long as the ``with`` block, and never longer than this process.

    The process holds one end of a pipe. When it is gone, by itself or killed, the other end says so.

    Args:
        site: what is served.
        host: where it listens.
        port: where it listens.

    Raises:
        ConfigError: it cannot listen there.

    Attributes:
        address: of the page.
    """

    def __init__(self, site: Site, host: str, port: int) -> None:
        self._process = start_module(__name__)
        said = self._ask({"site": asdict(site), "host": host, "port": port})
        if "error" in said:
            self.__exit__()
            raise ConfigError(said["error"])
        self.address: str = said["address"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # Its input is closed, and so it ends, which is waited for; it may have ended before, with lines unread.
        with suppress(BrokenPipeError), self._process:
            pass

    def wait(self) -> None:
        """Return when the server ends, or at Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._process.wait()

    def _ask(self, told: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended already, and said why on standard error
            print(json.dumps(told, default=str), file=self._process.stdin, flush=True)
        said: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "the server does not start"}')
        return said


def main() -> None:
    """Serve what the first line of standard input says, until standard input ends."""
    told = json.loads(sys.stdin.readline())
    values: dict[str, Any] = {
        name: Path(value) if isinstance(value, str) else value for name, value in told["site"].items()
    }
    site = Site(**values)
    if hasattr(os, "nice"):
        os.nice(NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(BrokenPipeError):  # the process that it accompanies has ended, and nobody listens
        try:
            serve(site, told["host"], told["port"], lambda address: _say(address=address))
        except GlassnetError as error:
            _say(error=str(error))


def _say(**said: str) -> None:
    os.write(sys.stdout.fileno(), f"{json.dumps(said)}\n".encode())


def _end_with_parent() -> None:
    """Wait until the other end of standard input is closed, then end this process as a termination signal does."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    signal.raise_signal(signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
