"""Hostile requests to a server on this machine: by its own description, damaged, endless, half, and many at once."""

import base64
import io
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from counts import Counts
from glassnet.web.connections import MOST_CONNECTIONS
from mutations import TOKENS, damaged

# A picture without a digit is refused, as is much else that no schema can tell.
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
PATIENCE = 30  # seconds for an answer
MEMORY = 2**30  # bytes more than at its start that the server may take

PIXELS = json.dumps({"pixels": [[0, 0, 255, 0, 0]] * 5}).encode()
SETTINGS = b'{"data": "digits", "recipe": "none", "settings": {"epochs": 3, "hidden": "8"}, "mistakes": []}'
POSTS = {
    "/api/predict": PIXELS,
    "/api/settings": SETTINGS,
    "/api/runs": SETTINGS,  # of which none begins, since there is no such recipe
    "/api/clinic/pair": b'{"mistake": "unscaled-pixels", "settings": {"epochs": 3}, "mistakes_from": 2}',
    "/api/runs/one/pause": b"",
}
GETS = (
    "/api/runs",
    "/api/runs/one",
    "/api/runs/one/weights",
    "/api/runs/one/confusion/0/1",
    "/api/clinic/truth?run=one",
)


def attack(counts: Counts, seed: int, requests: int) -> None:
    """Send so many requests in all, and see that each is answered and the server is well in the end."""
    with _server(counts) as (address, process):
        before = _memory(process)
        asked = _by_description(counts, address, seed, requests // 2)
        _raw(counts, address, Random(seed), requests // 4)
        _damaged(counts, address, Random(seed), requests - requests // 4 - asked)
        _endless(counts, address)
        _crowd(counts, address)
        taken = _memory(process) - before
        if taken > MEMORY:
            counts.wrong("requests: all", "too much memory", "in the end", f"{taken:,} bytes")


@contextmanager
def _server(counts: Counts) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as complaints:
        command = [sys.executable, "-m", "glassnet", "serve", "--port", "0"]
        train = [sys.executable, "-m", "glassnet", "train", "digits", "--out", "runs/one", "--epochs", "1"]
        subprocess.run(train, cwd=place, check=True, capture_output=True)
        process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=complaints, text=True)
        try:
            assert process.stdout
            yield process.stdout.readline().split()[1].rstrip("/"), process
        finally:
            process.terminate()
            process.wait(PATIENCE)
            complaints.seek(0)
            said = complaints.read()
            if "Traceback" in said:
                counts.wrong("requests: all", "tracebacks", "the server's terminal", said)


def _memory(process: "subprocess.Popen[str]") -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096


def _by_description(counts: Counts, address: str, seed: int, requests: int) -> int:
    """Send what schemathesis makes of the served description, and compare the answers with it.

    Returns:
        How many requests those were: of a path without parameters there is only one.
    """
    what, asked = "requests: by the description", 0
    operations = [found.ok() for found in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations()]
    for operation in operations:

        @seeded(seed)
        @settings(
            max_examples=max(requests // len(operations), 1),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(timeout=PATIENCE, checks=CHECKS)

        try:
            ask()
        except BaseExceptionGroup as error:  # of failed checks
            counts.wrong(what, "tracebacks", f"{operation.method} {operation.path}", str(error))
    counts.tried(what, asked)
    return asked


def _damaged(counts: Counts, address: str, random: Random, requests: int) -> None:
    """Send damaged bodies, pictures and paths; each gets an answer, and each error is the client's and one line."""
    what = "requests: damaged"
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)).save(file, "PNG")
    picture = file.getvalue()
    kept = json.dumps({"image": base64.b64encode(picture).decode(), "label": "3"}).encode()
    posts = [*POSTS.items(), ("/api/drawings", kept), ("/api/predict", picture), ("/api/draw", picture)]
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for number in range(requests):
            path, content = random.choice(posts) if random.random() < 0.8 else (random.choice(GETS), b"")
            if not content and random.random() < 0.9:
                path = "/" + "".join(f"%{byte:02x}" for byte in damaged(path[1:].encode(), random)[:2000])
            method = "GET" if path in GETS else "POST"
            counts.tried(what)
            try:
                answer = client.request(method, path, content=damaged(content, random))
                text = answer.text
                is_line = answer.status_code < 400 or "\n" not in answer.json()["error"]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                counts.wrong(what, "hangs" if isinstance(error, httpx.TimeoutException) else "lost", path, repr(error))
                continue
            if answer.status_code >= 500 or not is_line:
                counts.wrong(what, "tracebacks", f"request {number}: {method} {path}", text)


def _connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def _raw(counts: Counts, address: str, random: Random, requests: int) -> None:
    """Send bytes that are no request, or hardly one, and wait for the end of the connection."""
    what = "requests: raw bytes"
    host = address.removeprefix("http://").encode()
    sound = b"POST /api/predict HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: %d\r\n\r\n" % len(PIXELS) + PIXELS
    for number in range(requests):
        counts.tried(what)
        with _connect(address) as connection:
            try:
                connection.sendall(damaged(sound, random))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except TimeoutError:
                counts.wrong(what, "hangs", f"bytes {number}", "")
            except ConnectionError:
                pass  # it has been broken off, which is an answer too


def _endless(counts: Counts, address: str) -> None:
    """Send heads, values, trailers and bodies without end; each is broken off before it takes memory."""
    what = "requests: without end"
    host = address.removeprefix("http://").encode()
    begun = b"POST /api/predict HTTP/1.1\r\nHost: " + host + b"\r\n"
    chunked = begun + b"Transfer-Encoding: chunked\r\n\r\n"
    for start, piece in (
        (begun, b"x: y\r\n" * 1000),
        (begun + b"x: ", b"y" * 6000),
        (b"GET /", b"y" * 6000),
        (chunked + b"0\r\n", b"x: y\r\n" * 1000),
        (chunked + b"1;", b"y" * 6000),
        (chunked, b"1000\r\n" + b"y" * 4096 + b"\r\n"),
    ):
        counts.tried(what)
        end = time.monotonic() + PATIENCE
        with _connect(address) as connection, suppress(ConnectionError):
            connection.sendall(start)
            while time.monotonic() < end:
                connection.sendall(piece)
            counts.wrong(what, "hangs", repr(start[-40:]), f"it is still taken after {PATIENCE} seconds")


def _crowd(counts: Counts, address: str) -> None:
    """Open many connections on which nothing, or half a head, is said; somebody who asks is answered all the same."""
    what = "requests: beside silent connections"
    for begun in (b"", b"GET / HT", TOKENS[0]):
        with ExitStack() as silent:
            for _ in range(MOST_CONNECTIONS + 20):
                silent.enter_context(_connect(address)).sendall(begun)
            counts.tried(what)
            try:
                httpx.get(f"{address}/api/health", timeout=5).raise_for_status()
            except httpx.HTTPError as error:
                counts.wrong(what, "hangs", repr(begun), repr(error))
