"""Runs are renamed and deleted."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from glassnet import Run, load_dataset, train
from glassnet.errors import TrainingError
from glassnet.locks import only_process
from glassnet.web import Site, create_app


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


@pytest.fixture
def run(site: Site, digits_run: Path) -> Run:
    shutil.copytree(digits_run, site.runs / "one")
    return Run(site.runs / "one")


def test_a_run_gets_another_name(run: Run, site: Site, client: httpx.Client) -> None:
    assert client.post("/api/runs/one/rename", json={"to": " my first network "}).json() == {"name": "my first network"}
    assert [facts["name"] for facts in client.get("/api/runs").json()] == ["my first network"]
    assert Run(site.runs / "my first network").finished


@pytest.mark.parametrize("to", ["", ".", "..", "a/b", "../x", "/tmp/x", "a\\b", "a\nb", "x" * 101, "日" * 90, "-rf"])
def test_what_is_no_name_is_refused(run: Run, site: Site, client: httpx.Client, to: str) -> None:
    answer = client.post("/api/runs/one/rename", json={"to": to})
    assert answer.status_code == 400
    assert "cannot be a run's name" in answer.json()["error"]
    assert [path.name for path in site.runs.iterdir()] == ["one"]


def test_no_run_takes_the_place_of_another_folder(run: Run, site: Site, client: httpx.Client) -> None:
    (site.runs / "other").mkdir()
    (site.runs / "other" / "precious").write_text("mine")
    assert client.post("/api/runs/one/rename", json={"to": "other"}).status_code == 409
    assert (site.runs / "other" / "precious").read_text() == "mine"


def test_a_run_is_deleted_with_all_that_is_in_it(run: Run, site: Site, client: httpx.Client) -> None:
    assert client.delete("/api/runs/one").status_code == 204
    assert list(site.runs.iterdir()) == []
    assert client.delete("/api/runs/one").status_code == 400


def test_while_a_large_run_is_deleted_the_page_answers(
    run: Run, site: Site, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, rmtree = Event(), Event(), shutil.rmtree

    def slow(folder: Path) -> None:
        begun.set()
        assert goes_on.wait(20)
        rmtree(folder)

    monkeypatch.setattr(shutil, "rmtree", slow)
    with ThreadPoolExecutor(1) as pool:
        deleted = pool.submit(client.delete, "/api/runs/one")
        try:
            assert begun.wait(10)
            assert client.get("/api/runs", timeout=5).json() == []
        finally:
            goes_on.set()
        assert deleted.result().status_code == 204
    assert list(site.runs.iterdir()) == []


def test_a_run_that_cannot_be_deleted_stays_as_it_was(
    run: Run, site: Site, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(folder: Path, target: Path) -> Path:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))

    monkeypatch.setattr(Path, "rename", rename)  # as of a folder that something is mounted on
    answer = client.delete("/api/runs/one")
    assert (answer.status_code, "cannot be deleted (Device or resource busy)" in answer.json()["error"]) == (400, True)
    assert [facts["name"] for facts in client.get("/api/runs").json()] == ["one"]
    assert run.finished


def test_a_deletion_that_was_interrupted_is_hidden_and_finished_by_the_next_server(
    run: Run, site: Site, client: httpx.Client
) -> None:
    left, own = site.runs / f".deleted-{8 * '0a'}", site.runs / ".deleted-mine"
    for folder in (left, own):
        shutil.copytree(run.path, folder)
    assert [facts["name"] for facts in client.get("/api/runs").json()] == ["one"]
    assert client.get(f"/api/runs/{left.name}").status_code == 404
    with TestClient(create_app(site)):
        assert sorted(path.name for path in site.runs.iterdir()) == [own.name, "one"]
    assert run.finished


def test_what_is_no_run_is_not_deleted(run: Run, site: Site, client: httpx.Client, tmp_path: Path) -> None:
    (site.runs / "notes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "config.toml").write_text("")
    for name in ("notes", "..%2Felsewhere", ".", "%2e%2e"):
        assert client.delete(f"/api/runs/{name}").status_code in (400, 404, 405)
    assert (site.runs / "notes").is_dir()
    assert (tmp_path / "elsewhere" / "config.toml").exists()


def test_of_a_link_only_the_link_is_deleted(site: Site, client: httpx.Client, digits_run: Path) -> None:
    site.runs.mkdir()
    (site.runs / "linked").symlink_to(digits_run)
    assert client.delete("/api/runs/linked").status_code == 204
    assert not (site.runs / "linked").exists()
    assert Run(digits_run).finished


def test_a_run_that_goes_is_neither_renamed_nor_deleted(run: Run, client: httpx.Client) -> None:
    with only_process(run.path):
        for answer in (client.delete("/api/runs/one"), client.post("/api/runs/one/rename", json={"to": "two"})):
            assert answer.status_code == 409
            assert "stop it first" in answer.json()["error"]
    assert run.finished


def renamed_over(client: httpx.Client, first: str, second: str) -> None:
    """Delete the first run, and give its name to the second."""
    assert client.delete(f"/api/runs/{first}").status_code == 204
    assert client.post(f"/api/runs/{second}/rename", json={"to": first}).status_code == 200


def test_a_run_with_the_name_of_another_is_shown_as_what_it_is(run: Run, site: Site, client: httpx.Client) -> None:
    train(load_dataset("digits"), "small", epochs=1, hidden=[12], threads=1, out=site.runs / "two")
    expected = {facts["name"]: facts for facts in client.get("/api/runs").json()}["two"]
    asked = ("weights", "changes", "confusion")
    seen = {what: client.get(f"/api/runs/two/{what}").json() for what in asked}
    assert all(client.get(f"/api/runs/one/{what}").json() != seen[what] for what in asked)
    renamed_over(client, "one", "two")
    assert client.get("/api/runs").json() == [expected | {"name": "one"}]
    assert {what: client.get(f"/api/runs/one/{what}").json() for what in asked} == seen


def test_how_a_run_ended_is_not_told_of_another(run: Run, site: Site, client: httpx.Client, app: FastAPI) -> None:
    order = {"data": "digits", "recipe": "small", "settings": {"hidden": [8], "epochs": 50_000}}
    name = client.post("/api/runs", json=order).json()["name"]
    process = app.state.jobs._jobs[name].process
    process.kill()
    process.wait()
    end = time.monotonic() + 20
    while not client.get(f"/api/runs/{name}").json()["ended"] and time.monotonic() < end:
        time.sleep(0.05)
    assert "was killed" in client.get(f"/api/runs/{name}").json()["ended"]
    renamed_over(client, name, "one")
    assert client.get(f"/api/runs/{name}").json().get("ended") is None
    assert [facts.get("ended") for facts in client.get("/api/runs").json()] == [None]


def test_no_run_begins_while_another_gets_its_name(run: Run, site: Site, app: FastAPI) -> None:
    jobs = app.state.jobs
    with ThreadPoolExecutor(1) as pool:
        with jobs.forgetting("one"):
            begun = pool.submit(jobs.resume, "one")
            time.sleep(0.2)
            run.path.rename(site.runs / "two")
        assert isinstance(begun.exception(), TrainingError)
    assert not (site.runs / "one").exists()


def test_another_sites_page_deletes_nothing(run: Run, client: httpx.Client) -> None:
    answer = client.delete("/api/runs/one", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert run.finished
