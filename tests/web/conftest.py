"""A server on a free port, and Debian's chromium that looks at it."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from glassnet import load_dataset, train
from glassnet.web import Site, create_app
from glassnet.web.server import make_server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 20  # seconds
expect.set_options(timeout=1000 * WAIT)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a 64-60-10 network on digits. It is for all tests: put it elsewhere by a link."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    model = train(load_dataset("digits"), "small", epochs=2, hidden=[60], out=folder).model
    model.doubts = None  # so that what a test draws is answered, however unlike the 8×8 scans it is
    model.save(folder / "model.safetensors")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(runs=tmp_path / "runs", model=None, drawings=tmp_path / "drawings")


@pytest.fixture
def app(site: Site) -> FastAPI:
    return create_app(site)


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The address of a server that serves ``site``."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = make_server(app)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    end = time.monotonic() + WAIT
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("GLASSNET_BROWSER") == "required":
            pytest.fail("no chromium, and GLASSNET_BROWSER says that the browser tests are required")
        pytest.skip("no chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A tab of 1280×900 pixels. At its end: no error in the console, and no request to another host."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, base_url=address)
    page.set_default_timeout(1000 * WAIT)
    expect.set_options(timeout=1000 * WAIT)
    wrong: list[str] = []

    def look_at_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    def look_at_request(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            wrong.append(f"a request to {request.url}")

    page.on("console", look_at_message)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", look_at_request)
    yield page
    page.close()
    assert not wrong
