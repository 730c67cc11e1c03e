"""The server: one port, and an end that comes at once."""

import errno
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from ..errors import ConfigError
from .app import create_app
from .connections import MOST_CONNECTIONS, Connection
from .guard import EVERYWHERE
from .site import Site

__all__ = ["make_server", "serve"]


def serve(site: Site, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve a site until Ctrl-C or a termination signal.

    Args:
        site: what is served.
        host: the name or address to listen on; 127.0.0.1 is reached from this machine alone.
        port: 0 to 65535; 0 is any that is free.
        announce: called with the page's address as soon as it can be opened.

    Raises:
        ConfigError: the port is in use or may not be used, or there is no such host.
    """
    listening = _listen(host, port)
    server = make_server(create_app(site, host))
    # A second Ctrl-C cancels what the first one has begun to end, which is no error to tell of.
    logging.getLogger("uvicorn.error").addFilter(lambda _: not server.force_exit)
    announce(_address(host, listening))
    # Its questions are many and small, and the other processors are for a training beside it.
    with threadpool_limits(1, "blas"), suppress(KeyboardInterrupt):  # which is how it is meant to end
        server.run(sockets=[listening])


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return what serves an application, within the limits that are set for connections and requests."""
    config = uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a client does not say where it comes from
        ws="none",
        timeout_graceful_shutdown=1,
        limit_concurrency=MOST_CONNECTIONS + 1,  # so many only where none gives way
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, before anything else is done, so that what is wrong is said at once."""
    if not host:
        raise ConfigError("--host: is empty; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses")
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: must be from 0 to 65535")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host}: there is no such host; 127.0.0.1 is this machine") from error
    try:
        both = host == "::" and socket.has_dualstack_ipv6()  # else it would have the new addresses alone
        listening = socket.create_server(place[:2], family=family, dualstack_ipv6=both)
    except PermissionError as error:
        raise ConfigError(f"--port {port}: may not be used ({_reason(error)}); give one above 1023") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(f"--host {host}: is not an address of this machine; 127.0.0.1 always is") from error
        raise ConfigError(
            f"--port {port}: cannot listen there on {host} ({_reason(error)}); "
            "is another server running? Give another --port, or 0 for any that is free"
        ) from error
    # An answer goes out as head and body. Without this, which its connections inherit, the body would wait some 40 ms
    # until the client has acknowledged the head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)  # the error's own text names the address once more


def _address(host: str, listening: socket.socket) -> str:
    name = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"
