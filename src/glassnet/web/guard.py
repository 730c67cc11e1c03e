"""What stands in front of the application: who is answered at all, and how much anyone may ask for.

A page on another site can send requests to a server on this machine, in the name of the person who looks at it. It
cannot choose their Host and Origin, so these are checked. Everything else here keeps one client from using up what
there is for all.
"""

import socket
from typing import Final

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MOST_BYTES", "MOST_STREAMS", "PATIENCE", "FewStreams", "OwnNames", "SafeHeaders", "SmallBodies", "guards"]

MOST_BYTES = 2**28  # of all bodies that are coming in at once
PATIENCE = 30  # seconds in which a body must arrive
MOST_STREAMS = 32  # event streams that are open at once
LINGER = 1  # seconds in which a client that is refused may go on sending

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # every address of this machine
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEADERS: Final = {
    # The chart library writes styles into the page; the page's pictures are data and blobs. Scripts are files of ours.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def guards(host: str, largest_body: int) -> list[Middleware]:
    """Return the guards, outermost first, of a server that listens on ``host`` and takes bodies up to so many bytes."""
    return [
        Middleware(SafeHeaders),
        Middleware(OwnNames, host=host),
        Middleware(SmallBodies, largest=largest_body),
        Middleware(FewStreams),
    ]


class SafeHeaders:
    """Tell the browser to run and show only what this server sends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_safely)


class OwnNames:
    """Answer only who asks for this server by a name of its own, and let no other site's page change anything.

    Its names are those of the loopback, the host that it was told to listen on, and the address at which the connection
    came in; where it listens on every address, also the machine's name.

    Args:
        app: what is guarded.
        host: the name or address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = {*LOOPBACK, socket.gethostname().lower() if host in EVERYWHERE else host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers, (address, port) = Headers(scope=scope), scope["server"]
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        names = [f"[{name}]" if ":" in name else name for name in sorted({*self.names, address})]
        if host not in {f"{name}:{port}" for name in names} and not (port == 80 and host in names):
            line = f"{host[:80]!r} is not one of this server's names; open http://{names[0]}:{port} instead"
            return _error(421, line)
        if scope["method"] not in SAFE_METHODS and origin not in (None, f"{scope['scheme']}://{host}"):
            return _error(403, f"a page of {origin[:80]!r} may not use this server; open http://{host} instead")
        return None


class SmallBodies:
    """Take in a request's body before the application sees it, which must arrive within thirty seconds.

    What arrives is counted, whatever its content-length says.

    Args:
        app: what is guarded.
        largest: bytes of a body.
    """

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self.app, self.largest, self.arriving = app, largest, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            with anyio.fail_after(PATIENCE):
                body = await self._whole_body(receive, Headers(scope=scope).get("content-length", "0"))
        except TimeoutError:
            line = f"the body did not arrive within {PATIENCE} seconds; send it at once"
            await _refuse_unread(_error(408, line), receive, send)
        except _TooLargeError:
            line = f"the body is larger than {self.largest:,} bytes; send a smaller picture, or fewer at a time"
            await _refuse_unread(_error(413, line), receive, send)
        except _TooManyBytesError:
            line = "too many large requests at once; send it again in a moment"
            await _refuse_unread(_error(503, line), receive, send)
        else:
            if body is not None:
                await self.app(scope, _replay(body, receive), send)

    async def _whole_body(self, receive: Receive, declared: str) -> bytes | None:
        """Return the body of a request, or None where the client has gone away; raise where it is too large."""
        if declared.isdecimal() and int(declared) > self.largest:
            raise _TooLargeError
        body, more = bytearray(), True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                body += part
                self.arriving += len(part)
                if len(body) > self.largest:
                    raise _TooLargeError
                if self.arriving > MOST_BYTES:
                    raise _TooManyBytesError
                more = message.get("more_body", False)
        finally:
            self.arriving -= len(body)
        return bytes(body)


class FewStreams:
    """Keep at most 32 event streams open at once: each keeps a connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = more = False

        async def send_counted(message: Message) -> None:
            nonlocal counted, more
            if message["type"] == "http.response.start" and _begins_stream(message):
                if self.open >= MOST_STREAMS:
                    raise _TooManyStreamsError
                self.open += 1
                counted = True
            more = counted and message.get("more_body", True)
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
            if more:  # it was broken off, since the server ends
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except* _TooManyStreamsError:
            line = f"{MOST_STREAMS} pages are watching already, which is the maximum; close one of them"
            await _error(503, line)(scope, receive, send)
        finally:
            self.open -= counted


class _TooLargeError(Exception):
    """A body has more bytes than are taken."""


class _TooManyBytesError(Exception):
    """Bodies that are coming in have more bytes together than are taken."""


class _TooManyStreamsError(Exception):
    """Ends a response before it has begun."""


def _error(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status)


def _begins_stream(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body in one piece, and then whatever else comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


async def _refuse_unread(answer: JSONResponse, receive: Receive, send: Send) -> None:
    """Answer while the body is still coming, and then throw away some more of it.

    A connection that is closed on bytes which nobody has read is reset, and the client may never see the answer.
    """
    answer.headers["connection"] = "close"
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    with anyio.move_on_after(LINGER):
        while (await receive()).get("more_body", False):
            pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
