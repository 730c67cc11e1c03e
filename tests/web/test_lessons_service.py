"""What the server says of lessons."""

import os
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from glassnet.lessons import lesson_files
from glassnet.web import Site, create_app

OWN = """title = "Own"
about = "a"
[[step]]
title = "One"
words = "**b**"
view = "#draw"
"""


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.toml").write_text(OWN)
    site = Site(runs=tmp_path / "runs", model=None, drawings=tmp_path / "drawings", lessons=tmp_path / "own")
    return create_app(site)


@pytest.fixture
def client(app: FastAPI) -> httpx.Client:
    return TestClient(app, base_url="http://127.0.0.1:80")


def test_lessons_are_listed_and_told(client: httpx.Client) -> None:
    listed = client.get("/api/lessons").json()
    assert [each["name"] for each in listed] == [*lesson_files(), "own"]
    assert [each["name"] for each in listed if each["own"]] == ["own"]
    assert listed[-1] == {"name": "own", "own": True, "title": "Own", "about": "a", "steps": 1, "questions": 0}
    told = client.get("/api/lessons/own").json()
    assert told["steps"] == [
        {"title": "One", "words": "<p><strong>b</strong></p>\n", "view": "#draw", "question": None}
    ]
    question = client.get("/api/lessons/01-one-neuron").json()["steps"][0]["question"]
    assert question["answer"] in [choice["value"] for choice in question["choices"]]
    assert client.get("/api/lessons/07-steps").json()["steps"][0]["question"]["choices"] is None


def test_a_file_that_changes_is_read_again(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "own" / "own.toml"
    path.write_text(OWN.replace("**b**", "changed"))
    assert "changed" in client.get("/api/lessons/own").json()["steps"][0]["words"]
    path.write_text(OWN.replace("#draw", "#drew"))
    answer = client.get("/api/lessons/own")
    assert answer.status_code == 400
    assert "own.toml:6: step 1: view: no view called 'drew' (did you mean 'draw'?)" in answer.json()["error"]
    path.unlink()
    answer = client.get("/api/lessons/own")
    assert (answer.status_code, answer.json()["error"]) == (404, "no lesson called 'own'")


def test_one_badly_named_file_is_an_entry_with_an_error(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "own" / "a b.toml").write_text(OWN)
    (tmp_path / "own" / os.fsdecode(b"b\xff.toml")).write_text(OWN)
    (tmp_path / "own" / "._own.toml").write_bytes(b"\0")
    listed = client.get("/api/lessons").json()[-3:]
    assert [each["title"] for each in listed] == ["a b", "b\ufffd", "Own"]
    assert ["name a lesson with" in each.get("error", "") for each in listed] == [True, True, False]
    assert client.get("/api/lessons/a%20b").status_code == 400
    assert not any(str(tmp_path) in each.get("error", "") for each in listed)


def test_a_lesson_is_checked_once_until_its_file_changes(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "own" / "own.toml"
    assert client.get("/api/lessons").json()[-1]["title"] == "Own"
    before = path.stat()
    path.write_text(OWN.replace('"Own"', '"New"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # so that it cannot be seen to have changed
    assert client.get("/api/lessons").json()[-1]["title"] == "Own"
    path.touch()
    assert client.get("/api/lessons").json()[-1]["title"] == "New"


def test_an_error_does_not_say_where_the_file_lies(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "own" / "own.toml").write_text(OWN.replace("#draw", "#drew"))
    listed = client.get("/api/lessons").json()[-1]
    told = client.get("/api/lessons/own").json()["error"]
    assert listed["error"] == told
    assert told == "own.toml:6: step 1: view: no view called 'drew' (did you mean 'draw'?)"


@pytest.mark.parametrize("name", ["..%2Fsecret", "%00", "a" * 5000, "../own"])
def test_a_name_is_never_a_path(client: httpx.Client, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text(OWN)
    assert client.get(f"/api/lessons/{name}").status_code == 404
