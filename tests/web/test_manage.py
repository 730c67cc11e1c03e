"""Runs are renamed and deleted."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glassnet import Run
from glassnet.files import only_process
from glassnet.web import Site


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


@pytest.mark.parametrize("to", ["", ".", "..", "a/b", "../x", "/tmp/x", "a\\b", "a\nb", "x" * 101, "-rf"])
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


def test_another_sites_page_deletes_nothing(run: Run, client: httpx.Client) -> None:
    answer = client.delete("/api/runs/one", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert run.finished
