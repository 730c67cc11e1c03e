"""`glassnet serve` and `glassnet train --watch`, as a person starts and ends them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from glassnet import open_model, web
from glassnet.cli import main
from glassnet.errors import ConfigError
from glassnet.web import Site
from glassnet.web.companion import Companion

WAIT = 30  # seconds, on a machine that is busy with other things
Start = Callable[..., subprocess.Popen[str]]

# A server that has an event stream which goes on for ever.
STREAMING = """
import asyncio, sys
from sse_starlette import EventSourceResponse
from glassnet.cli import main
from glassnet.web import service

async def ticks():
    while True:
        yield {"data": "tick"}
        await asyncio.sleep(0.05)

@service.router.get("/stream")
async def stream():
    return EventSourceResponse(ticks())

sys.exit(main(["serve", "--port", "0"]))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start glassnet in a folder of its own; whatever a test leaves is ended."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell has its background jobs ignore Ctrl-C, and what they begin would do so too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, code: str | None = None) -> subprocess.Popen[str]:
        command = ["-m", "glassnet", *arguments] if code is None else ["-c", code]
        environment = os.environ | {"PYTHONPATH": str(Path(web.__file__).parents[2])}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def address_of(process: subprocess.Popen[str]) -> str:
    """Read lines until one tells the address."""
    assert process.stdout is not None
    found = None
    while not found:
        line = process.stdout.readline()
        assert line, "the server has said no address"
        found = re.search(r"http://[\w.:\[\]]+", line)
    return found.group()


def rest_of(process: subprocess.Popen[str]) -> str:
    """Return what a process says until its end."""
    assert process.stdout is not None
    said = process.stdout.read()
    process.wait(WAIT)
    return said


def is_there(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/api/health", timeout=5).status_code == 200
    return False


def wait_until_gone(address: str, pid: int) -> None:
    end = time.monotonic() + WAIT
    while (is_there(address) or Path(f"/proc/{pid}").exists()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_there(address)
    assert not Path(f"/proc/{pid}").exists()


def child_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("no list of a process's children on this system")
    return int(children.read_text().split()[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_when_told_while_a_page_is_open(start: Start, number: signal.Signals) -> None:
    server = start(code=STREAMING)
    address = address_of(server)
    with httpx.stream("GET", f"{address}/stream", timeout=WAIT) as stream:
        assert stream.status_code == 200
        began = time.monotonic()
        server.send_signal(number)
        out = rest_of(server)
        took = time.monotonic() - began
    assert took < 5  # a second, where nothing else is computed
    assert server.returncode == {signal.SIGINT: 0, signal.SIGTERM: -signal.SIGTERM}[number]
    assert "Ctrl-C" in out
    assert "Traceback" not in out
    assert "rror" not in out


def test_a_second_ctrl_c_ends_it_without_a_traceback(start: Start) -> None:
    server = start("serve", "--port", "0")
    assert is_there(address_of(server))
    server.send_signal(signal.SIGINT)
    time.sleep(0.02)
    server.send_signal(signal.SIGINT)
    assert "Traceback" not in rest_of(server)


def test_an_answer_does_not_wait_for_an_acknowledgement(start: Start) -> None:
    address = address_of(start("serve", "--port", "0"))
    took = []
    with httpx.Client(base_url=address, timeout=WAIT) as client:
        for _ in range(40):
            began = time.perf_counter()
            assert client.get("/api/health").status_code == 200
            took.append(time.perf_counter() - began)
    assert min(took[20:]) < 0.035  # a delayed acknowledgement takes 0.04


def test_a_second_server_on_the_same_port(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for command in (["serve"], ["train", "--watch", "--out", "r"]):
            out, _ = start(*command, "--port", str(port)).communicate(timeout=WAIT)
            assert len(out.splitlines()) == 1
            assert f"--port {port}: cannot listen there" in out
            assert "another --port" in out
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "65536"], "--port 65536: must be from 0 to 65535"),
        (["--port", "-1"], "--port -1: must be"),
        (["--host", "no-such-host.invalid"], "there is no such host"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1: is not an address of this machine"),
        (["--host", ""], "--host: is empty"),
        (["nowhere"], "nowhere: no folder of runs"),
        ([__file__], "not a safetensors file"),
    ],
)
def test_what_cannot_be_served(flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *flags]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", [["serve"], ["train", "--watch"]])
def test_where_the_packages_of_the_page_are_missing(start: Start, command: list[str]) -> None:
    code = f"import sys; sys.modules['fastapi'] = None; from glassnet.cli import main; sys.exit(main({command}))"
    process = start(code=code)
    out, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 2
    assert out.startswith("glassnet: the page needs fastapi, which is missing; pip install ")
    assert {"fastapi", "uvicorn", "plotly"} <= set(out.split())
    assert out.count("\n") == 1


def test_what_is_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served: list[tuple[Any, ...]] = []

    def serve(site: Site, host: str, port: int, announce: Callable[[str], None]) -> None:
        served.append((site, host, port))
        announce("http://here")

    monkeypatch.setattr(web, "serve", serve)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "1", "--out", "all/my run"]) == 0
    open_model().save("model.safetensors")
    runs, drawings = Path("runs"), Path("drawings")
    for place, site, view in (
        ([], Site(runs, None, drawings), "http://here/\n"),
        (["all"], Site(Path("all"), None, drawings), "http://here/#watch\n"),
        (["all/my run"], Site(tmp_path / "all", Path("all/my run"), drawings), "http://here/#watch?run=my%20run\n"),
        (["model.safetensors"], Site(runs, Path("model.safetensors"), drawings), "http://here/\n"),
    ):
        assert main(["serve", *place]) == 0
        assert served[-1] == (site, "127.0.0.1", 8000)
        assert view in capsys.readouterr().out


def test_a_training_is_watched_and_its_page_stays(start: Start, tmp_path: Path) -> None:
    training = start("train", "--epochs", "2", "--watch", "--port", "0", "--out", "my/run", "--json")
    address = address_of(training)
    child = child_of(training)
    assert is_there(address)
    assert training.stdout is not None
    said = ""
    while "until Ctrl-C" not in said:
        said += training.stdout.readline()
        assert training.poll() is None
    assert json.loads(next(line for line in said.splitlines() if line.startswith("{")))["run"] == "my/run"
    assert f"The page stays at {address} until Ctrl-C." in said
    assert is_there(address)
    training.send_signal(signal.SIGINT)
    out = rest_of(training)
    assert (training.returncode, out) == (0, "")
    wait_until_gone(address, child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_that_is_ended_leaves_no_process(start: Start, number: signal.Signals) -> None:
    training = start("train", "--epochs", "100000", "--watch", "--port", "0", "--out", "r")
    address = address_of(training)
    child = child_of(training)
    assert training.stdout is not None
    while "epoch" not in training.stdout.readline():
        assert training.poll() is None
    assert is_there(address)
    training.send_signal(number)
    training.wait(WAIT)
    wait_until_gone(address, child)


def test_a_wrong_setting_leaves_no_process(start: Start) -> None:
    out, _ = start("train", "--epochs", "0", "--watch", "--port", "0").communicate(timeout=WAIT)
    assert "--epochs: " in out
    out, _ = start("train", "nothing-there", "--watch", "--port", "0").communicate(timeout=WAIT)
    address = re.search(r"http://[\w.:]+", out)
    assert address
    assert not is_there(address.group())


def test_a_port_without_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--port", "8000"]) == 2
    assert "give --watch too" in capsys.readouterr().err


def test_a_page_beside_that_does_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process ends before it has read what to serve, so that the pipe to it breaks."""
    (tmp_path / "python").write_text("#!/bin/sh\nexec 0<&-\nsleep 0.1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    site = Site(tmp_path / ("x" * 100_000), None, tmp_path)  # more than a pipe holds
    with pytest.raises(ConfigError, match="the server does not start"):
        Companion(site, "127.0.0.1", 0)


def test_a_page_beside_whose_run_is_gone_ends_without_a_word(tmp_path: Path) -> None:
    order = json.dumps({"site": {"runs": str(tmp_path), "model": None, "drawings": str(tmp_path)}})
    reader, writer = os.pipe()
    os.close(reader)
    told = order[:-1] + ', "host": "no such host", "port": 0}\n'
    command = [sys.executable, "-m", "glassnet.web.companion"]
    ended = subprocess.run(command, check=False, input=told.encode(), stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert ended.stderr == b""
