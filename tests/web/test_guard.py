"""Who is answered, and how much anyone may ask for. Each request goes to a real server."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Page
from sse_starlette import EventSourceResponse

from glassnet.web import connections, guard
from glassnet.web.site import LARGEST_BODY

QUESTION = json.dumps({"pixels": [[0] * 28] * 28})


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    """An application with an event stream that goes on for ever."""

    async def ticks() -> AsyncIterator[dict[str, str]]:
        while True:
            yield {"data": "tick"}
            await asyncio.sleep(0.05)

    @app.get("/stream")
    async def stream() -> EventSourceResponse:
        return EventSourceResponse(ticks())

    return app


def exchange(address: str, *parts: bytes, pause: float = 0) -> tuple[int, str]:
    """Send bytes as they stand; return the answer's status and the line of its error."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def head(address: str, *lines: str) -> bytes:
    first = ("POST /api/predict HTTP/1.1", f"Host: {address.removeprefix('http://')}", *lines)
    return "\r\n".join([*first, "", ""]).encode()


def test_every_name_of_its_own_is_answered(address: str) -> None:
    port = address.rpartition(":")[2]
    for name in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
        assert httpx.get(f"{address}/api/health", headers={"host": f"{name}:{port}"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}"])
def test_another_name_is_refused(address: str, host: str) -> None:
    host = host.format(port=address.rpartition(":")[2])
    answer = httpx.get(f"{address}/api/health", headers={"host": host})
    assert answer.status_code == 421
    assert host in answer.json()["error"]
    assert address in answer.json()["error"]


def test_another_sites_page_may_change_nothing(address: str) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:1", address.replace("http", "https")):
        answer = httpx.post(f"{address}/api/predict", content=QUESTION, headers={"origin": origin})
        assert answer.status_code == 403
        assert origin in answer.json()["error"]
    for headers in ({}, {"origin": address}):
        assert httpx.post(f"{address}/api/predict", content=QUESTION, headers=headers).status_code == 200


def test_every_answer_carries_the_headers(address: str) -> None:
    for path in ("/", "/static/app.js", "/api/health", "/nowhere"):
        headers = httpx.get(address + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'self'" in headers["content-security-policy"]


def test_the_headers_let_the_page_draw_its_charts(page: Page) -> None:
    page.goto("/#watch")
    page.evaluate(
        """async () => {
            const { chart } = await import("/static/shared/chart.js");
            const place = document.body.appendChild(document.createElement("div"));
            await chart(place, { title: "Loss", x: "step", y: "loss" }).draw([{ name: "a", x: [1, 2], y: [3, 4] }]);
        }"""
    )
    assert page.locator(".chart .main-svg").count() > 0


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large(address: str, declared: bool) -> None:
    size = 3 * LARGEST_BODY
    content = bytes(size) if declared else (bytes(2**16) for _ in range(size // 2**16))
    answer = httpx.post(f"{address}/api/predict", content=content)
    assert answer.status_code == 413
    assert "16,777,216 bytes" in answer.json()["error"]


def test_a_body_that_is_only_said_to_be_too_large(address: str) -> None:
    start = time.monotonic()
    assert exchange(address, head(address, "Content-Length: 99999999999"))[0] == 413
    assert time.monotonic() - start < 5  # it is not waited for


def test_the_largest_body_there_may_be(address: str) -> None:
    answer = httpx.post(f"{address}/api/predict", content=QUESTION.ljust(LARGEST_BODY))
    assert answer.status_code == 200


def test_too_many_large_bodies_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_BYTES", 2**20)
    answer = httpx.post(f"{address}/api/predict", content=bytes(2**21))
    assert answer.status_code == 503
    assert "too many large requests at once" in answer.json()["error"]
    assert httpx.post(f"{address}/api/predict", content=QUESTION).status_code == 200


def test_a_body_that_trickles(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.3)
    parts = [head(address, "Content-Length: 1000"), *[b"{"] * 8]
    status, line = exchange(address, *parts, pause=0.05)
    assert status == 408
    assert "0.3 seconds" in line
    chunks = [head(address, "Transfer-Encoding: chunked"), *[b"1\r\n{\r\n"] * 8]
    assert exchange(address, *chunks, pause=0.05)[0] == 408


def test_a_body_that_breaks_off(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head(address, "Content-Length: 1000") + b"{")
    assert httpx.get(f"{address}/api/health").status_code == 200


def test_only_so_many_streams(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_STREAMS", 3)
    with contextlib.ExitStack() as watching, httpx.Client(base_url=address) as client:
        for _ in range(3):
            assert watching.enter_context(client.stream("GET", "/stream")).status_code == 200
        with client.stream("GET", "/stream") as refused:
            assert refused.status_code == 503
            assert "3 pages are watching" in json.loads(refused.read())["error"]
        assert client.get("/api/health").status_code == 200
    deadline, status = time.monotonic() + 10, 503
    while status == 503 and time.monotonic() < deadline:  # those that were closed leave room
        with httpx.stream("GET", f"{address}/stream") as stream:
            status = stream.status_code
    assert status == 200


def open_connection(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


@pytest.mark.parametrize("piece", [b"x: y\r\n" * 1000, b"y" * 6000], ids=["lines", "value"])
def test_a_head_without_end_is_refused(address: str, piece: bytes) -> None:
    with open_connection(address) as connection:
        connection.sendall(head(address, "Content-Length: 0")[:-2] + b"x: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100 * connections.LARGEST_HEAD:
                connection.sendall(piece)
                sent += len(piece)
        assert sent < 100 * connections.LARGEST_HEAD
    assert httpx.get(f"{address}/api/health").status_code == 200


def test_a_head_that_is_too_large_is_told(address: str) -> None:
    almost = head(address, "x: " + "y" * (connections.LARGEST_HEAD - 200))[:-4]
    status, line = exchange(address, almost, b"y" * 300, pause=0.3)
    assert status == 431
    assert "65536 bytes" in line


def test_trailers_without_end_are_refused(address: str) -> None:
    with open_connection(address) as connection:
        connection.sendall(head(address, "Transfer-Encoding: chunked") + b"0\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100 * connections.LARGEST_HEAD:
                connection.sendall(b"x: y\r\n" * 1000)
                sent += 6000
        assert sent < 100 * connections.LARGEST_HEAD


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET /api/health HTTP/1.1\r\nHost: {}\r\n\r\n"])
def test_a_connection_on_which_no_request_comes_is_closed(
    address: str, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_PATIENCE", 0.3)
    with open_connection(address) as connection:
        connection.sendall(begun.replace(b"{}", address.removeprefix("http://").encode()))
        connection.settimeout(4)
        if begun.endswith(b"\r\n\r\n"):
            assert b"200 OK" in connection.recv(65536)
            connection.sendall(b"GET")
        assert connection.recv(65536) == b""


def test_connections_that_wait_give_way(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    with contextlib.ExitStack() as waiting:
        for begun in (b"", b"GET / HT", b"", b"GET /charts.js HTTP/1.1\r\nHost: {}\r\n\r\n"):
            for _ in range(20):
                connection = waiting.enter_context(open_connection(address))
                connection.sendall(begun.replace(b"{}", address.removeprefix("http://").encode()))
        for _ in range(3):
            assert httpx.get(f"{address}/api/health", timeout=5).status_code == 200
