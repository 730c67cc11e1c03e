"""Kept drawings: looked at, given another label, deleted, and what a network is fine-tuned on."""

import base64
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest
from drawn import drawn, painted
from fastapi import FastAPI
from PIL import Image

from glassnet import Run, load_dataset, train
from glassnet.data import read_picture
from glassnet.data.dataset import Images
from glassnet.locks import only_process
from glassnet.web import Site
from glassnet.web.drawings import THUMBNAIL
from glassnet.web.jobs import Jobs
from glassnet.web.store import Store


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


def post(client: httpx.Client, digit: int, number: int = 0, label: str | None = None) -> httpx.Response:
    strokes, hand = drawn(digit, number)
    image = base64.b64encode(painted(strokes, hand.width)).decode()
    return client.post("/api/drawings", json={"image": image, "label": label or str(digit)})


def keep(client: httpx.Client, digit: int, number: int = 0, label: str | None = None) -> str:
    answer = post(client, digit, number, label)
    assert answer.status_code == 201
    name: str = answer.json()["name"]
    return name


def test_a_drawing_is_shown_relabelled_and_deleted(client: httpx.Client, site: Site) -> None:
    name, other = keep(client, 4, label="9"), keep(client, 7)
    picture = client.get(f"/api/drawings/9/{name}")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == (site.drawings / "9" / f"{name}.png").read_bytes()
    assert client.put(f"/api/drawings/9/{name}", json={"label": "4"}).json() == {"label": "4", "name": name}
    assert client.get("/api/drawings").json() == {"4": [name], "7": [other]}
    assert not (site.drawings / "9").exists()  # which would be a class without an image
    assert client.get(f"/api/drawings/4/{name}").content == picture.content
    assert client.delete(f"/api/drawings/7/{other}").json() == {"deleted": 1}
    assert client.get("/api/drawings").json() == {"4": [name]}


def test_own_pictures_of_every_form_are_listed_and_shown_and_left_alone(client: httpx.Client, site: Site) -> None:
    name = keep(client, 4)
    place = site.drawings / "4" / f"{name}.png"
    image = Image.open(place)
    own = ["a.jpg", "b.BMP", "c.tif", "d.jpg", "d.jpg.png", "mine.png"]
    for file in own:
        image.save(place.with_name(file))
    place.with_name("notes.txt").write_text("not a picture")
    (site.drawings / "summer").mkdir()
    image.save(site.drawings / "summer" / "holiday.png")
    assert client.get("/api/drawings").json() == {"4": [name, *own], "summer": ["holiday.png"]}
    for file in ("b.BMP", "c.tif", "d.jpg.png"):
        shown = client.get(f"/api/drawings/4/{file}")
        assert shown.headers["content-type"] == "image/png"
        small = read_picture(shown.content)
        assert THUMBNAIL / 2 < max(small.shape) <= THUMBNAIL
        expected = np.asarray(image.resize(small.shape[::-1], Image.Resampling.BOX)).astype(float)
        assert np.abs(small - expected).mean() < 4
    for file in own:
        answers = client.put(f"/api/drawings/4/{file}", json={"label": "7"}), client.delete(f"/api/drawings/4/{file}")
        for answer in answers:
            assert (answer.status_code, "was not kept by this page" in answer.json()["error"]) == (409, True)
    assert client.delete("/api/drawings").json() == {"deleted": 1}
    assert client.get("/api/drawings").json() == {"4": own, "summer": ["holiday.png"]}
    assert place.with_name("notes.txt").exists()


def test_own_pictures_are_decoded_within_the_limit_and_only_where_they_are_new(
    client: httpx.Client, app: FastAPI, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.drawings / "4").mkdir(parents=True)
    places = [f"/api/drawings/4/{number}.jpg" for number in range(3)]
    files = [site.drawings / "4" / f"{number}.jpg" for number in range(3)]
    for file in files:
        Image.new("L", (300, 600), 90).save(file)
    first = client.get(places[0])
    assert read_picture(first.content).shape == (120, 60)
    decoded, goes_on = [], Event()

    def slow(path: Path, name: str) -> Images:
        decoded.append(path)
        assert goes_on.wait(20)
        return read_picture(path, name)

    monkeypatch.setattr("glassnet.web.drawings.read_picture", slow)
    app.state.preparing.total_tokens = 1
    known = {"If-None-Match": first.headers["etag"]}
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(client.get, place) for place in places[1:]]
        again = client.get(places[0], headers=known)
        time.sleep(0.5)
        assert len(decoded) == 1
        goes_on.set()
    assert all(other.result().status_code == 200 for other in others)
    assert (again.status_code, again.content, len(decoded)) == (304, b"", 2)
    Image.new("L", (300, 600), 200).save(files[0])
    os.utime(files[0], (1, 1))
    new = client.get(places[0], headers=known)
    assert new.status_code == 200
    assert new.content != first.content


def test_what_cannot_be_listed_hides_no_drawing(client: httpx.Client, site: Site) -> None:
    names = {str(digit): [keep(client, digit)] for digit in (4, 7)}
    path = site.drawings / "4" / f"{names['4'][0]}.png"
    path.with_name(b"\xff.png".decode(errors="surrogateescape")).write_bytes(path.read_bytes())
    strange = site.drawings / b"\xff".decode(errors="surrogateescape")
    strange.mkdir()
    (strange / "a.png").write_bytes(path.read_bytes())
    (site.drawings / "5").mkdir(0)  # without permission
    (site.drawings / "6").symlink_to("6")
    (site.drawings / "4" / "0.png").symlink_to("x" * 300)  # as a link to where nobody may look, it cannot even be asked
    assert client.get("/api/drawings").json() == names
    assert {"name": "drawings", "classes": ["4", "7"]}.items() <= client.get("/api/options").json()["data"][-1].items()
    assert client.delete("/api/drawings").json() == {"deleted": 2}
    assert len(list(site.drawings.rglob("*.png"))) == 3


def test_a_relabelled_drawing_takes_the_place_of_no_other(client: httpx.Client, site: Site) -> None:
    name, other = keep(client, 4), keep(client, 7)
    place = site.drawings / "7"
    (place / f"{other}.png").rename(place / f"{name}.png")
    contents = {digit: (site.drawings / digit / f"{name}.png").read_bytes() for digit in "47"}
    assert client.put(f"/api/drawings/4/{name}", json={"label": "4"}).json() == {"label": "4", "name": name}
    assert client.put(f"/api/drawings/4/{name}", json={"label": "7"}).json() == {"label": "7", "name": f"{name}-2"}
    assert client.get("/api/drawings").json() == {"7": [name, f"{name}-2"]}
    assert (place / f"{name}.png").read_bytes() == contents["7"]
    assert client.get(f"/api/drawings/7/{name}-2").content == contents["4"]
    assert client.delete(f"/api/drawings/7/{name}-2").json() == {"deleted": 1}


def test_a_move_that_fails_gets_a_line(client: httpx.Client, site: Site) -> None:
    keep(client, 4)
    name = "20260101-000000-".ljust(251, "1")
    next((site.drawings / "4").iterdir()).rename(site.drawings / "4" / f"{name}.png")
    (site.drawings / "7").mkdir()
    (site.drawings / "7" / f"{name}.png").mkdir()  # so that a longer name is needed, which no file can have
    answer = client.put(f"/api/drawings/4/{name}", json={"label": "7"})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(f"cannot be moved to {site.drawings / '7'} (File name too long)")


def test_pictures_behind_a_link_are_not_kept_drawings(client: httpx.Client, site: Site, tmp_path: Path) -> None:
    name = keep(client, 4)
    (tmp_path / "photos").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "photos" / "precious.png")
    (site.drawings / "3").symlink_to(tmp_path / "photos")
    assert client.get("/api/drawings").json() == {"4": [name]}
    assert client.get("/api/drawings/3/precious.png").status_code == 404
    for answer in (client.put(f"/api/drawings/4/{name}", json={"label": "3"}), post(client, 3)):
        assert (answer.status_code, "is a link to another folder" in answer.json()["error"]) == (400, True)
    assert client.delete("/api/drawings/3/precious.png").status_code == 404
    assert client.delete("/api/drawings").json() == {"deleted": 1}
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["precious.png"]


def test_all_are_deleted_and_nothing_else(client: httpx.Client, site: Site) -> None:
    for digit in (1, 2, 3):
        keep(client, digit)
    (site.drawings / "1" / "notes.txt").write_text("mine")
    (site.drawings / "more").mkdir()
    assert client.delete("/api/drawings").json() == {"deleted": 3}
    assert client.get("/api/drawings").json() == {}
    assert sorted(path.name for path in site.drawings.rglob("*")) == ["1", "more", "notes.txt"]


@pytest.mark.parametrize(
    "place",
    [
        *("9/none", "none/none", "%2e%2e/secret", "4/..%2f..%2fsecret.png", "4/.hidden.png", "%2e/4"),
        *(f"{300 * 'x'}/a.png", f"4/{300 * 'x'}.png"),
    ],
)
def test_what_is_not_there_is_not_found(client: httpx.Client, site: Site, place: str) -> None:
    keep(client, 4)
    (site.drawings / "4" / ".hidden.png").write_bytes(b"")
    (site.drawings.parent / "secret.png").write_bytes(b"secret")
    for answer in (
        client.get(f"/api/drawings/{place}"),
        client.delete(f"/api/drawings/{place}"),
        client.put(f"/api/drawings/{place}", json={"label": "3"}),
    ):
        assert answer.status_code in (404, 405)
    assert (site.drawings.parent / "secret.png").exists()
    assert len(list(site.drawings.glob("4/*.png"))) == 2


def test_the_new_label_is_a_class(client: httpx.Client) -> None:
    name = keep(client, 4)
    answer = client.put(f"/api/drawings/4/{name}", json={"label": "../3"})
    assert answer.status_code == 400
    assert "not a class of this model" in answer.json()["error"]
    assert client.get("/api/drawings").json() == {"4": [name]}


@pytest.fixture
def trained(site: Site, tmp_path: Path) -> Run:
    """A run of 28×28 pixels that has not seen anything like the drawings: digits of 8×8, enlarged."""
    digits = load_dataset("digits")
    images = [np.asarray(Image.fromarray(image).resize((28, 28))) for image in digits.train.images]
    np.savez(tmp_path / "large.npz", x_train=np.stack(images), y_train=digits.train.labels)
    return train(load_dataset(tmp_path / "large.npz"), "small", epochs=3, threads=1, out=site.runs / "large")


def test_the_network_in_hand_is_fine_tuned_on_them(client: httpx.Client, site: Site, trained: Run) -> None:
    for number in range(10):
        for digit in (2, 4):  # two classes of ten
            keep(client, digit, number)
    before = client.get("/api/drawings/score?run=large").json()
    answer = client.post("/api/drawings/train?run=large")
    assert answer.status_code == 201, answer.json()
    run = Run(site.runs / answer.json()["name"])
    end = time.monotonic() + 60
    while not run.finished and time.monotonic() < end:
        time.sleep(0.1)
    assert run.config.recipe == "fine-tune"
    assert run.config.seen == (trained.config.data,)
    assert run.model.classes == trained.model.classes
    after = client.get(f"/api/drawings/score?run={run.path.name}").json()
    parts = [20, len(load_dataset(site.drawings).test)]
    assert (
        [after[part][1] for part in ("all", "held_out")] == [before[part][1] for part in ("all", "held_out")] == parts
    )
    assert after["all"][0] > before["all"][0] + 3
    assert after["before"] == "large.npz"
    assert after["validation"][0] > 0.9 * before["validation"][0]
    assert client.get(f"/api/runs/{run.path.name}/confusion").status_code == 200


def test_drawings_are_answered_while_a_fine_tuning_begins(
    client: httpx.Client, app: FastAPI, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        keep(client, 4, number)
    strokes, hand = drawn(4, 0)
    app.state.preparing.total_tokens = 1
    start, begins, go_on = Jobs.start, Event(), Event()

    def start_slowly(jobs: Jobs, spec: Mapping[str, Any]) -> str:
        begins.set()
        assert go_on.wait(20)
        return start(jobs, spec)

    monkeypatch.setattr(Jobs, "start", start_slowly)
    with ThreadPoolExecutor(1) as thread:
        begun = thread.submit(client.post, "/api/drawings/train?run=large")
        assert begins.wait(20)
        try:
            assert client.post("/api/draw", content=painted(strokes, hand.width)).is_success
            assert not begun.done()
        finally:
            go_on.set()
    assert begun.result().status_code == 201


def test_of_two_fine_tunings_at_once_the_second_is_refused(client: httpx.Client, site: Site, trained: Run) -> None:
    for number in range(5):
        keep(client, 4, number)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(client.post, "/api/drawings/train?run=large") for _ in range(2)]
        begun, refused = sorted((each.result() for each in asked), key=lambda answer: answer.status_code)
    assert (begun.status_code, refused.status_code) == (201, 409)
    name = begun.json()["name"]
    assert refused.json()["error"] == f"{name}: is being fine-tuned on the drawings; stop it, or wait until it ends"
    assert sorted(path.name for path in site.runs.iterdir()) == sorted(["large", name])


def test_the_runs_are_listed_once_to_find_a_fine_tuning(
    client: httpx.Client, site: Site, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = site.runs / "tuned"
    shutil.copytree(trained.path, tuned)
    config = trained.config.model_copy(update={"recipe": "fine-tune", "data": str(site.drawings)})
    (tuned / "config.toml").write_text(config.to_toml())
    for name in ("done", "damaged"):
        shutil.copytree(tuned, site.runs / name)
    (site.runs / "damaged" / "config.toml").write_text("?")
    listed: list[list[str]] = []
    names = Store.names

    def counted(store: Store) -> list[str]:
        listed.append(names(store))
        return listed[-1]

    monkeypatch.setattr(Store, "names", counted)
    assert client.get("/api/drawings/train").json() == {"name": None}
    with only_process(tuned), only_process(site.runs / "damaged"), only_process(trained.path):
        assert client.get("/api/drawings/train").json() == {"name": "tuned"}
    assert list(map(len, listed)) == [4, 4]


def test_a_run_under_way_is_not_fine_tuned(client: httpx.Client, site: Site, trained: Run) -> None:
    for digit in (2, 4):
        keep(client, digit)
    shutil.copy(trained.path / "model.safetensors", trained.path / "live.safetensors")
    with only_process(trained.path):
        answer = client.post("/api/drawings/train?run=large")
    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "large: is being trained; stop it, or wait until it ends",
    )
    assert [path.name for path in site.runs.iterdir()] == ["large"]


def test_what_cannot_be_fine_tuned_gets_a_line(client: httpx.Client, site: Site, digits_run: Path) -> None:
    answer = client.post("/api/drawings/train")
    assert (answer.status_code, answer.json()["error"][:27]) == (400, "no drawings are kept yet; d")
    keep(client, 4)
    broken = site.drawings / "3" / "broken.png"
    broken.parent.mkdir()
    broken.write_text("not a picture")
    for answer in (client.post("/api/drawings/train"), client.get("/api/drawings/3/broken.png")):
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("3/broken.png: not a PNG")
    broken.unlink()
    broken.parent.rmdir()
    site.runs.mkdir()
    (site.runs / "digits").symlink_to(digits_run)
    answer = client.post("/api/drawings/train?run=digits")
    assert answer.status_code == 400
    assert "drawings become images of 28×28 pixels, and this model takes 8×8" in answer.json()["error"]
    assert [path.name for path in site.runs.iterdir()] == ["digits"]
