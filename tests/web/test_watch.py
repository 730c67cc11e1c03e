"""Runs and how they go, as the server tells them from their folders."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from glassnet import Dataset, Run, evaluate, load_dataset, resume, train
from glassnet.locks import only_process
from glassnet.nn import Pass, SoftmaxCrossEntropy
from glassnet.training import Callback, RunUnderWay, prepare
from glassnet.training.history import parse_steps
from glassnet.web import Site, record, watch
from glassnet.web.insight import look_at_layers, look_at_weights
from glassnet.web.store import Store, newest_model

SETTINGS = {"hidden": [16, 12], "epochs": 3, "threads": 1}
BREAKING = ["unscaled-pixels", "uniform-weights", "softmax-without-maximum"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def run(site: Site, digits: Dataset) -> Run:
    return train(digits, out=site.runs / "one", **SETTINGS)


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


@contextmanager
def stream(client: httpx.Client, name: str, after: str = "") -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Open a run's events; yields what reads them up to one of a kind."""
    headers = {"Last-Event-ID": after} if after else {}
    with client.stream("GET", f"/api/runs/{name}/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        lines = response.iter_lines()

        def until(kind: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            fields: dict[str, str] = {}
            for line in lines:
                if line.startswith(":"):
                    continue
                if line:
                    key, _, value = line.partition(": ")
                    fields[key] = value
                elif fields:
                    found.append({"id": fields["id"], "kind": fields["event"], "data": json.loads(fields["data"])})
                    if fields["event"] == kind:
                        return found
                    fields = {}
            raise AssertionError(f"the stream ended before {kind!r}: {found}")

        yield until


def told(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """All rows of some events."""
    return [row for event in events if event["kind"] == kind for row in event["data"]]


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if run.state.step == self.step:
            run.stop("for a test")


def test_runs_are_listed_with_their_state_and_result(site: Site, digits: Dataset, client: httpx.Client) -> None:
    assert client.get("/api/runs").json() == []
    done = train(digits, out=site.runs / "done", **SETTINGS)
    train(digits, out=site.runs / "halted", callbacks=[StopAt(60)], **SETTINGS)
    train(digits, out=site.runs / "broken", **SETTINGS, mistakes=BREAKING)
    several = train(digits, out=site.runs / "several", **SETTINGS | {"epochs": 1}, members=2)
    listed = client.get("/api/runs").json()
    assert [facts["name"] for facts in listed] == ["several", "broken", "halted", "done"]
    facts = {entry["name"]: entry for entry in listed}
    assert facts["done"]["state"] == "finished"
    assert facts["done"]["validation_accuracy"] == done.best["validation_accuracy"]
    assert (facts["done"]["epoch"], facts["done"]["epochs"], facts["done"]["data"]) == (3, 3, "digits")
    assert (facts["halted"]["state"], facts["halted"]["epoch"]) == ("stopped", 1)
    assert (facts["several"]["state"], facts["several"]["epoch"], facts["several"]["epochs"]) == ("finished", 2, 2)
    assert facts["several"]["validation_accuracy"] == several.best["validation_accuracy"]
    with only_process(site.runs / "halted"):
        assert client.get("/api/runs/halted").json()["state"] == "running"
    details = client.get("/api/runs/done").json()
    assert details == facts["done"] | {
        "config": done.config.model_dump(mode="json"),
        "members": 1,
        "total_steps": done.history[-1]["step"],
        "snapshots": done.snapshots,
    }


def test_a_folder_that_cannot_be_read_hides_no_other(site: Site, run: Run, client: httpx.Client) -> None:
    bad = site.runs / "bad"
    bad.mkdir()
    (bad / "config.toml").write_text("epochs = many")
    by_name = {facts["name"]: facts for facts in client.get("/api/runs").json()}
    assert by_name["bad"]["state"] == "unreadable"
    assert "config.toml" in by_name["bad"]["error"]
    assert by_name["one"]["state"] == "finished"
    for path in ("/api/runs/two", "/api/runs/two/events", "/api/runs/two/weights", "/api/runs/..%2Fone/weights"):
        answer = client.get(path)
        assert answer.status_code == 404
    assert "did you mean 'one'" in client.get("/api/runs/onne").json()["error"]
    assert client.get("/api/runs/bad/weights").status_code == 400


def test_a_stream_tells_all_and_a_reconnection_nothing_twice(run: Run, client: httpx.Client) -> None:
    steps = [json.loads(line) for line in (run.path / "steps.jsonl").read_text().splitlines()]
    with stream(client, "one") as until:
        events = until("now")
    assert [event["kind"] for event in events] == ["run", "rows", "steps", "model", "now"]
    assert told(events, "rows") == run.history
    assert told(events, "steps") == steps
    assert events[3]["data"] == {"step": run.best["step"]}
    after_rows = next(event["id"] for event in events if event["kind"] == "rows")
    with stream(client, "one", after_rows) as until:
        again = until("now")
    assert [event["kind"] for event in again] == ["run", "steps", "model", "now"]
    with stream(client, "one", events[-1]["id"]) as until:
        assert [event["kind"] for event in until("now")] == ["run", "now"]
    with stream(client, "one", "no-such-id") as until:
        assert told(until("now"), "rows") == run.history


def test_a_stream_follows_a_run_through_a_stop_and_a_resumption(
    site: Site, digits: Dataset, client: httpx.Client
) -> None:
    whole = train(digits, out=site.runs / "whole", **SETTINGS)
    half = train(digits, out=site.runs / "half", callbacks=[StopAt(60)], **SETTINGS)
    with stream(client, "half") as until:
        events = until("now")
        resume(half.path, digits)
        while told(events, "steps")[-1]["step"] < whole.history[-1]["step"]:
            events += until("steps")
        while [event for event in events if event["kind"] == "run"][-1]["data"]["state"] != "finished":
            events += until("run")
    epochs = [row["epoch"] for row in told(events, "rows")]
    steps = [row["step"] for row in told(events, "steps")]
    assert epochs == [row["epoch"] for row in whole.history]
    assert steps == sorted(set(steps))
    assert 60 in steps
    assert events[0]["data"]["state"] == "stopped"


def test_a_half_written_line_waits_until_it_is_whole(run: Run) -> None:
    path = run.path / "steps.jsonl"
    lines = record.Lines(path, parse_steps)
    lines.read()
    before = list(lines.rows)
    with path.open("a") as file:
        file.write('{"step": 1000, "sec')
        file.flush()
        lines.read()
        assert lines.rows == before
        file.write('onds": 1.5}\n"no row"\n{"step": "x"}\n')
        file.write('{"step": 1001, "seconds": NaN}\n{"step": 1002, "seconds": 2}\n')
    lines.read()
    assert [row["step"] for row in lines.rows[len(before) :]] == [1000, 1002]
    assert record.last_step(run.path)["step"] == 1002


def test_all_watchers_share_one_look(run: Run, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = watch.Watched.look

    def counted(self: watch.Watched) -> bool:
        looks.append(time.monotonic())
        return look(self)

    monkeypatch.setattr(watch.Watched, "look", counted)
    with stream(client, "one") as a, stream(client, "one") as b, stream(client, "one") as c:
        for until in (a, b, c):
            until("now")
        looks.clear()
        start = time.monotonic()
        while len(looks) < 2 or time.monotonic() < start + 1:
            assert time.monotonic() < start + 20, "nobody looks"
            time.sleep(0.02)
        # Three that look for themselves would look three times as often. A busy machine looks late, never early.
        assert len(looks) <= 1 + (time.monotonic() - start) / watch.LOOK_EVERY
        with (run.path / "steps.jsonl").open("a") as file:
            file.write('{"step": 1000, "seconds": 9}\n')
        for until in (a, b, c):
            assert told(until("steps"), "steps") == [{"step": 1000, "seconds": 9}]
    time.sleep(0.6)
    looks.clear()
    time.sleep(0.6)
    assert not looks


def test_a_folder_deleted_while_it_is_watched_ends_the_stream_and_nothing_else(run: Run, client: httpx.Client) -> None:
    with stream(client, "one") as until:
        until("now")
        shutil.rmtree(run.path)
        assert until("gone")[-1]["data"] == {}
    assert client.get("/api/runs").json() == []
    assert client.get("/api/runs/one/events").status_code == 404


def test_first_weights_are_those_of_the_model(run: Run, client: httpx.Client) -> None:
    answer = client.get("/api/runs/one/weights").json()
    W = run.model.network.named_parameters["0.W"]
    assert (answer["step"], answer["height"], answer["width"], answer["of"]) == (run.best["step"], 8, 8, 16)
    images = np.array(answer["units"]) * answer["full"] / 127
    assert np.mean(np.abs(W) > answer["full"]) < 0.01
    np.testing.assert_allclose(
        images.reshape(16, 64).T, W.clip(-answer["full"], answer["full"]), atol=answer["full"] / 127
    )


def test_layers_tell_what_goes_forward_and_back(run: Run, digits: Dataset) -> None:
    model = run.model
    examples = digits.test.take(np.arange(100))
    W = model.network.named_parameters["0.W"]
    W[:, 3] = 0
    model.network.named_parameters["0.b"][3] = -1  # nothing makes this unit speak
    answer = look_at_layers(model, examples)
    assert [(layer["name"], layer["units"]) for layer in answer["layers"]] == [
        ("hidden 1", 16),
        ("hidden 2", 12),
        ("output", 10),
    ]
    X = model.inputs(examples.images)
    A = np.maximum(X @ W + model.network.named_parameters["0.b"], 0)
    first = answer["layers"][0]["activations"]
    assert first["mean"] == pytest.approx(A.mean(), rel=1e-4)
    assert first["spread"] == pytest.approx(A.std(), rel=1e-4)
    assert first["zeros"] == pytest.approx(np.mean(A == 0))
    assert first["dead"] == np.count_nonzero((A <= 0).all(axis=0)) >= 1
    assert sum(first["histogram"]["counts"]) == A.size
    assert answer["layers"][2]["activations"]["dead"] is None

    def loss() -> float:
        return SoftmaxCrossEntropy(10)(model.logits(examples.images).astype(np.float64), examples.labels).value

    V = [W for W, _ in model.network.weights()][-1]
    gradient, h = np.zeros(V.shape), 1e-2
    for index in np.ndindex(V.shape):
        kept = V[index]
        V[index] = kept + h
        up = loss()
        V[index] = kept - h
        gradient[index] = (up - loss()) / (2 * h)
        V[index] = kept
    norm = np.linalg.norm(gradient)
    assert answer["layers"][2]["gradients"]["norm"] == pytest.approx(norm, rel=1e-2)
    assert answer["layers"][2]["gradients"]["relative"] == pytest.approx(norm / np.linalg.norm(V), rel=1e-2)


def test_the_units_of_a_convolution_are_its_filters_and_one_that_is_zero_everywhere_is_dead(
    site: Site, digits: Dataset
) -> None:
    layers = ["conv 6 3x3", "pool 2", "conv 5 2x2", "dense 8"]
    model = train(digits, "small", layers=layers, epochs=1, threads=1, out=site.runs / "conv").model
    model.network.named_parameters["1.b"][2] = -100
    examples = digits.test.take(np.arange(30))
    weights, answer = look_at_weights(model, np.arange(6)), look_at_layers(model, examples)
    assert (weights["height"], weights["width"], len(weights["units"]), weights["of"]) == (3, 3, 6, 6)
    found = [(layer["name"], layer["units"], layer["filters"]) for layer in answer["layers"]]
    assert found == [("hidden 1", 6, True), ("hidden 2", 5, True), ("hidden 3", 8, False), ("output", 10, False)]
    p = Pass(model.network)
    X = model.inputs(examples.images)
    for layer, own in list(zip(model.network.layers, p.layers, strict=True))[:4]:  # up to the first activation
        X = layer.forward(X, own)
    first = answer["layers"][0]["activations"]
    assert X.shape == (30, 3, 3, 6)
    assert first["dead"] == np.count_nonzero((X <= 0).all(axis=(0, 1, 2))) >= 1
    assert first["mean"] == pytest.approx(X.mean(), rel=1e-4)
    assert sum(first["histogram"]["counts"]) == X.size
    assert all(layer["gradients"]["norm"] > 0 for layer in answer["layers"])


def test_the_confusion_matrix_and_the_images_in_its_cells(run: Run, digits: Dataset, client: httpx.Client) -> None:
    held = digits.split(run.config.validation, run.config.split_seed)[1]
    evaluation = evaluate(run.model, held)
    answer = client.get("/api/runs/one/confusion").json()
    assert answer["matrix"] == evaluation.confusion.tolist()
    assert (answer["classes"], answer["images"]) == (list(digits.classes), len(held))
    for true, said in ((3, 3), (8, 1)):
        cell = client.get(f"/api/runs/one/confusion/{true}/{said}").json()
        assert len(cell["images"]) == cell["of"] == answer["matrix"][true][said]
        chances = [image["probability"] for image in cell["images"]]
        assert chances == sorted(chances, reverse=true != said)  # the least sure of the correct answers first
        for image in cell["images"]:
            alike = (held.images == np.array(image["pixels"])).all(axis=(1, 2))
            assert (held.labels[alike] == true).all()
            assert alike.any()
    assert client.get("/api/runs/one/confusion/3/10").status_code == 404


def test_answers_are_worked_out_once_until_there_is_another_model(
    run: Run, digits: Dataset, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "glassnet.web.insight.look_at_weights", lambda *given: asked.append(1) or look_at_weights(*given)
    )
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.get(f"{client.base_url}/api/runs/one/weights").json()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert len(answers) == 4
    other = train(digits, out=run.path.parent / "other", **SETTINGS, seed=7)
    shutil.copy(other.path / "model.safetensors", run.path / "live.safetensors")
    with only_process(run.path):
        assert client.get("/api/runs/one/weights").json()["units"] != answers[0]["units"]
    assert len(asked) == 2
    (run.path / "live.safetensors").unlink()
    assert client.get("/api/runs/one/weights").json() == answers[0]


@pytest.mark.parametrize("kind", ["layers", "confusion", "confusion/0/0"])
def test_what_cannot_be_shown_says_why(site: Site, digits: Dataset, client: httpx.Client, kind: str) -> None:
    arrays = Dataset("mine", "", digits.train, digits.test, digits.classes, True, digits.unlabelled)
    train(arrays, out=site.runs / "arrays", **SETTINGS | {"epochs": 1})
    train(digits, out=site.runs / "none", **SETTINGS | {"epochs": 1}, validation=0)
    for name, line in (("arrays", "arrays in memory"), ("none", "no validation images")):
        answer = client.get(f"/api/runs/{name}/{kind}")
        assert answer.status_code == 400
        assert line in answer.json()["error"]
        assert client.get(f"/api/runs/{name}/weights").status_code == 200


def test_a_run_without_a_model_says_so(site: Site, run: Run, client: httpx.Client) -> None:
    (run.path / "model.safetensors").unlink()
    answer = client.get("/api/runs/one/weights")
    assert answer.status_code == 400
    assert "no model yet" in answer.json()["error"]


def test_an_ensemble_is_looked_into(site: Site, digits: Dataset, client: httpx.Client) -> None:
    several = train(digits, out=site.runs / "several", **SETTINGS | {"epochs": 1}, members=2)
    with stream(client, "several") as until:
        events = until("now")
    assert told(events, "rows") == several.history
    assert events[0]["data"]["members"] == 2
    held = digits.split(several.config.validation, several.config.split_seed)[1]
    matrix = client.get("/api/runs/several/confusion").json()["matrix"]
    assert matrix == evaluate(several.model, held).confusion.tolist()
    assert len(client.get("/api/runs/several/weights").json()["units"]) == 16


def test_a_name_is_never_a_path(run: Run, client: httpx.Client, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "outside")
    for name in ("../outside", "%2e%2e%2foutside", str(tmp_path / "outside")):
        assert client.get(f"/api/runs/{name}/weights").status_code == 404


def test_odd_folders_and_lines_hide_no_other(site: Site, run: Run, client: httpx.Client) -> None:
    for name, line in {
        "null": '{"epoch": 1, "step": 9, "seconds": null}',
        "huge": '{"epoch": 1, "seconds": 1e999}',
    }.items():
        folder = site.runs / name
        folder.mkdir()
        shutil.copy(run.path / "config.toml", folder)
        (folder / "history.jsonl").write_text(line + "\n")
        (folder / "steps.jsonl").write_text(line.replace("epoch", "step") + "\n")
    nameless = site.runs / os.fsdecode(b"\xff")
    nameless.mkdir()
    shutil.copy(run.path / "config.toml", nameless)
    listed = {one["name"]: one for one in client.get("/api/runs").json()}
    assert set(listed) == {"one", "null", "huge"}
    assert listed["one"]["state"] == "finished"
    assert client.get("/api/runs/one").status_code == 200


def test_a_line_that_is_damaged_while_it_is_watched_ends_no_stream(run: Run, client: httpx.Client) -> None:
    with stream(client, "one") as until:
        until("now")
        with (run.path / "history.jsonl").open("a") as file:
            file.write('{"epoch": 4, "step": 99, "seconds": null}\n')
        (run.path / "config.toml").rename(run.path / "moved.toml")
        assert until("gone")


def test_the_network_of_the_moment_counts_while_the_run_goes(run: Run, client: httpx.Client, site: Site) -> None:
    shutil.copy(run.path / "model.safetensors", run.path / "live.safetensors")  # as a killed process leaves it
    assert newest_model(run.path)[0].name == "model.safetensors"
    with only_process(run.path):
        assert newest_model(run.path)[0].name == "live.safetensors"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('data = "digits"', 'data = "mnist"'),
        ('data = "digits"', 'data = "openml"'),
        ("rehearsal = 0.0", 'rehearsal = 0.5\nseen = ["mnist"]'),
    ],
)
def test_images_that_are_not_here_are_not_downloaded(
    old: str, new: str, run: Run, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    config = (run.path / "config.toml").read_text().replace("seen = []\n", "")
    assert old in config
    (run.path / "config.toml").write_text(config.replace(old, new))
    asked = [client.get(path) for path in ("/api/runs/one/confusion", "/api/clinic/truth?run=one")]
    for answer in (*asked, client.post("/api/runs/one/resume")):
        assert answer.status_code == 400
        assert "the server downloads nothing" in answer.json()["error"]
    assert not (tmp_path / "cache").exists()


def test_images_are_those_of_the_run_and_of_what_it_rehearses(site: Site, digits: Dataset, tmp_path: Path) -> None:
    def data(name: str, images: np.ndarray) -> Dataset:
        np.savez(tmp_path / name, x_train=images, y_train=digits.train.labels[: len(images)])
        return load_dataset(tmp_path / f"{name}.npz")

    new, other = data("new", digits.train.images[:60, ::-1]), data("other", digits.train.images[:, :, ::-1])
    how = {"epochs": 1, "threads": 1}
    store = Store(site)
    for first in (digits, other):
        start = train(first, out=site.runs / f"start-{first.name}", hidden=[8], **how)
        run = train(new, out=site.runs / f"then-{first.name}", start=start.path, **how)
        task = prepare(run.config, new)
        assert np.array_equal(store.validation_images(run, run.model).images, task.validation.images)
        shown = store.training_images(run.model, run.path.name, run, 10_000)
        assert len(shown) == len({image.tobytes() for image in shown.images})
        assert {image.tobytes() for image in shown.images} == {image.tobytes() for image in task.training.images}


@pytest.mark.parametrize("looks_between", [True, False])
def test_a_file_that_is_written_anew_in_place_is_read_anew(tmp_path: Path, looks_between: bool) -> None:
    path = tmp_path / "history.jsonl"
    lines = record.Lines(path, parse_steps)
    path.write_text("".join(f'{{"step": {epoch}, "seconds": 1.0}}\n' for epoch in range(1, 4)))
    lines.read()
    number = path.stat().st_ino
    with path.open("r+") as file:  # the same file, from its beginning
        file.truncate()
        if looks_between:
            lines.read()
            assert lines.rows == []
        file.writelines(f'{{"step": {epoch}, "seconds": 2.0}}\n' for epoch in range(1, 6))
    assert path.stat().st_ino == number
    lines.read()
    assert lines.rows == [{"step": epoch, "seconds": 2.0} for epoch in range(1, 6)]


def test_of_very_many_lines_the_older_ones_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MOST", 100)
    path = tmp_path / "steps.jsonl"
    lines = record.Lines(path, parse_steps)
    for start in range(0, 1000, 50):
        with path.open("a") as file:
            file.writelines(f'{{"step": {step}, "seconds": 1.0}}\n' for step in range(start + 1, start + 51))
        lines.read()
    steps = [row["step"] for row in lines.rows]
    assert len(steps) <= 100
    assert steps[0] == 1
    assert steps[-50:] == list(range(951, 1001))


@pytest.mark.parametrize("line", [b"null", b'{"epoch": 1e999}', b'{"epoch": 1' + b"0" * 400 + b"}", b"\0\xff"])
def test_a_damaged_line_of_one_run_leaves_the_list_of_all_as_it_is(
    run: Run, client: httpx.Client, digits: Dataset, line: bytes
) -> None:
    shutil.copytree(run.path, run.path.parent / "two")
    before = client.get("/api/runs").json()
    for name in ("history.jsonl", "steps.jsonl"):
        with (run.path / name).open("ab") as file:
            file.write(line + b"\n")
    listed = client.get("/api/runs").json()
    told = [run.pop("damaged") for run in listed if "damaged" in run]
    assert told == ["line 4 of history.jsonl is damaged and left out"]
    assert listed == before
    (run.path / "steps.jsonl").unlink()
    os.mkfifo(run.path / "steps.jsonl")
    assert [one["epoch"] for one in client.get("/api/runs").json()] == [3, 3]


def test_the_damaged_lines_of_a_history_are_told_by_their_numbers(run: Run) -> None:
    kept, path = record.Record(run.path), run.path / "history.jsonl"
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, b"null\n", *others, b"{}\n"]))
    assert kept.facts()["damaged"] == "2 lines of history.jsonl are damaged and left out: 2, 5"
    with path.open("ab") as file:
        file.writelines([b"[]\n"] * 5)
    assert kept.facts()["damaged"] == "7 lines of history.jsonl are damaged and left out: 2, 5, 6, 7, 8, …"
    path.write_bytes(b"".join([first, *others]))
    assert "damaged" not in kept.facts()


def test_a_row_more_in_a_long_history_costs_milliseconds(run: Run) -> None:
    row = json.dumps(run.history[-1])
    lines = "".join(row.replace('"epoch": 3', f'"epoch": {epoch}') + "\n" for epoch in range(4, 50_000))
    kept = record.Record(run.path)
    for text in (lines, row + "\n", row + "\n"):
        with (run.path / "history.jsonl").open("a") as file:
            file.write(text)
        start = time.perf_counter()
        kept.facts()
        seconds = time.perf_counter() - start
    assert seconds < 0.1  # all of it took 0.5 s
    assert kept.best == min(run.history, key=lambda row: row["validation_loss"])
