"""Runs that the page begins: processes of their own, that obey, and that never outlive their server."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from glassnet import load_dataset, train
from glassnet.engines import choice
from glassnet.errors import TrainingError
from glassnet.nn import ACTIVATIONS, OPTIMIZERS
from glassnet.tensor_files import open_tensors
from glassnet.training import Run, resume
from glassnet.training.history import parse_steps
from glassnet.web import Site, create_app
from glassnet.web.jobs import AT_ONCE, Jobs
from glassnet.web.store import Store

WAIT = 30  # seconds, on a machine that is busy with other things

Spec = Callable[..., dict[str, Any]]
SHORT = {"hidden": [8], "epochs": 2, "batch_size": 5}
LONG = SHORT | {"epochs": 50_000}  # some minutes, were it not stopped


@pytest.fixture(autouse=True)
def drawings(site: Site) -> Path:
    """Forty pictures of noise, of two classes, which take no time to load."""
    rng = np.random.default_rng(0)
    for label in ("3", "7"):
        (site.drawings / label).mkdir(parents=True)
        for number in range(20):
            image = Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8))
            image.save(site.drawings / label / f"{number}.png")
    return site.drawings


@pytest.fixture
def spec(drawings: Path) -> Spec:
    def spec(paused: bool = False, **settings: Any) -> dict[str, Any]:
        how = {"name": "drawings", "data": str(drawings), "recipe": "small", "as_written": False}
        how |= {"mistakes": None, "mistakes_from": None, "pace": None}
        return {**how, "paused": paused, "settings": settings}

    return spec


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def saved_state(run: Path) -> Any:
    with open_tensors(run / "checkpoint.safetensors", "checkpoint") as file:
        return json.loads(file.metadata["state"])


@pytest.fixture
def jobs(site: Site) -> Iterator[Jobs]:
    jobs = Jobs(Store(site))
    yield jobs
    jobs.close()


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=WAIT) as client:
        yield client


def process_of(jobs: Jobs, name: str) -> subprocess.Popen[str]:
    return jobs._jobs[name].process


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_run_of_the_page_is_the_run_of_the_shell(jobs: Jobs, tmp_path: Path, spec: Spec, drawings: Path) -> None:
    name = jobs.start(spec(**SHORT))
    assert name.endswith("-drawings-small")
    wait_for(lambda: not jobs._jobs[name].is_running)
    theirs, ours = Run(tmp_path / "runs" / name), train(load_dataset(drawings), "small", out=tmp_path / "ours", **SHORT)
    assert theirs.config == ours.config
    assert [row["loss"] for row in theirs.history] == [row["loss"] for row in ours.history]
    assert jobs.states()[name] == {"ended": None, "steered": False, "pace": None}


def test_steps_are_counted_one_by_one_and_the_pause_is_no_training_time(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    name = jobs.start(spec(paused=True, **SHORT))
    assert jobs.states()[name]["state"] == "paused"
    for _ in range(3):
        jobs.control(name, "step")
    time.sleep(1.5)
    assert jobs.states()[name]["state"] == "paused"
    jobs.control(name, "stop")
    state = saved_state(tmp_path / "runs" / name)
    assert state["step"] == 3
    assert 0 < state["seconds"] < 1.5
    assert jobs.states()[name] == {"ended": None, "steered": False, "pace": None}


def test_an_epoch_ends_with_its_validation_and_a_pause(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    name = jobs.start(spec(paused=True, **SHORT | {"epochs": 5}))
    run = Run(tmp_path / "runs" / name)
    jobs.control(name, "step")
    for epochs in (1, 2):
        jobs.control(name, "epoch")
        wait_for(lambda: len(run.history) == epochs)  # noqa: B023
        time.sleep(0.5)
        assert len(run.history) == epochs
        assert jobs.states()[name]["state"] == "paused"
    jobs.control(name, "stop")
    assert saved_state(run.path)["epoch"] == 2
    assert saved_state(run.path)["step"] == run.history[-1]["step"]


def test_a_pace_is_kept_until_another_is_given(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    name = jobs.start(spec(**SHORT | {"epochs": 100}) | {"pace": 10})
    time.sleep(1.2)
    jobs.control(name, "pause")
    assert jobs.states()[name]["pace"] == 10
    steps = [row["step"] for row in parse_steps((tmp_path / "runs" / name / "steps.jsonl").read_bytes())]
    assert 3 <= steps[-1] <= 20
    jobs.set_pace(name, None)
    jobs.control(name, "go")
    wait_for(lambda: not jobs._jobs[name].is_running)
    assert jobs.states()[name] == {"ended": None, "steered": False, "pace": None}


def test_a_pause_between_two_halves_changes_nothing_in_the_run(
    jobs: Jobs, tmp_path: Path, spec: Spec, drawings: Path
) -> None:
    name = jobs.start(spec(paused=True, **SHORT))
    jobs.control(name, "step")
    jobs.control(name, "stop")
    jobs.resume(name)
    jobs.control(name, "pause")
    assert jobs.states()[name]["state"] == "paused"
    jobs.control(name, "go")
    assert "state" not in jobs.states()[name]
    wait_for(lambda: not jobs._jobs[name].is_running)
    whole = train(load_dataset(drawings), "small", out=tmp_path / "whole", **SHORT)
    halves = Run(tmp_path / "runs" / name)
    assert np.array_equal(halves.model.network.parameters, whole.model.network.parameters)
    with pytest.raises(HTTPException, match="is finished"):
        jobs.resume(name)


def test_a_pace_outlives_a_stop(jobs: Jobs, spec: Spec) -> None:
    name = jobs.start(spec(**LONG) | {"pace": 10})
    jobs.control(name, "stop")
    jobs.resume(name)
    assert jobs.states()[name]["pace"] == 10
    time.sleep(1.2)
    jobs.control(name, "stop")
    assert saved_state(jobs.store.run(name).path)["step"] <= 30


def test_a_stopped_run_gets_a_pace_from_another_server_too(jobs: Jobs, site: Site, spec: Spec) -> None:
    name = jobs.start(spec(paused=True, **LONG))
    jobs.control(name, "stop")
    another = Jobs(Store(site))
    try:
        another.set_pace(name, 5)
        assert another.states() == {name: {"pace": 5}}
        another.resume(name)
        with pytest.raises(HTTPException, match="is not being trained by this page"):
            jobs.set_pace(name, None)
        time.sleep(1.2)
        another.control(name, "stop")
    finally:
        another.close()
    assert 1 <= saved_state(site.runs / name)["step"] <= 20


def test_a_pace_outlives_a_new_name(client: httpx.Client) -> None:
    order = {"data": "drawings", "settings": LONG, "paused": True, "pace": 30}
    name = client.post("/api/runs", json=order).json()["name"]
    client.post(f"/api/runs/{name}/stop")
    assert client.post(f"/api/runs/{name}/pace", json={"pace": 5}).json()["pace"] == 5
    assert client.post(f"/api/runs/{name}/rename", json={"to": "mine"}).status_code == 200
    assert client.post("/api/runs/mine/resume").json()["pace"] == 5
    assert client.post("/api/runs/nobody/pace", json={"pace": 5}).status_code == 400


def test_a_run_that_has_just_finished_can_be_deleted(client: httpx.Client, site: Site) -> None:
    order = {"data": "drawings", "settings": {"batch_size": "5", "epochs": "1", "hidden": "4"}}
    name = client.post("/api/runs", json=order).json()["name"]
    wait_for(lambda: client.get(f"/api/runs/{name}").json()["state"] == "finished")
    assert client.delete(f"/api/runs/{name}").status_code == 204
    assert not (site.runs / name).exists()


def test_the_shell_goes_on_with_a_run_of_the_page(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    name = jobs.start(spec(paused=True, **SHORT))
    jobs.control(name, "step")
    jobs.control(name, "stop")
    assert resume(tmp_path / "runs" / name).history[-1]["epoch"] == 2


def test_only_so_many_at_once(jobs: Jobs, spec: Spec) -> None:
    names = [jobs.start(spec(paused=True, **LONG)) for _ in range(AT_ONCE)]
    assert len(set(names)) == AT_ONCE  # two of the same second
    with pytest.raises(HTTPException, match="stop one of them") as refused:
        jobs.start(spec(**LONG))
    assert refused.value.status_code == 429
    jobs.control(names[0], "stop")
    jobs.resume(names[0])
    with pytest.raises(HTTPException, match="already running"):
        jobs.resume(names[0])


def test_closing_ends_all_processes_and_saves(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    names = [jobs.start(spec(paused=paused, **LONG)) for paused in (True, False)]
    processes = [process_of(jobs, name) for name in names]
    wait_for((tmp_path / "runs" / names[1] / "model.safetensors").exists)
    start = time.monotonic()
    jobs.close()
    assert time.monotonic() - start < 3
    assert [process.returncode for process in processes] == [0, 0]
    assert saved_state(tmp_path / "runs" / names[1])["step"] > 0


def test_a_process_that_does_not_end_is_killed(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, spec: Spec) -> None:
    name = jobs.start(spec(**LONG))
    process = process_of(jobs, name)
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr("glassnet.web.jobs.GRACE", 0.2)
    jobs.close()
    assert process.returncode == -signal.SIGKILL


def test_a_run_whose_process_is_killed_says_so_and_goes_on(jobs: Jobs, spec: Spec) -> None:
    name = jobs.start(spec(**LONG))
    process_of(jobs, name).kill()
    wait_for(lambda: jobs.states()[name]["ended"])
    assert "was killed" in jobs.states()[name]["ended"]
    jobs.resume(name)
    assert jobs.states()[name] == {"ended": None, "steered": True, "pace": None}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_a_run_with_a_line(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    name = jobs.start(spec(paused=True, **LONG))
    (tmp_path / "runs" / name / "history.jsonl").unlink(missing_ok=True)
    (tmp_path / "runs" / name / "history.jsonl").symlink_to("/dev/full")
    jobs.control(name, "go")
    wait_for(lambda: jobs.states()[name]["ended"])
    assert "No space left on device; free space, then resume the run" in jobs.states()[name]["ended"]


def test_a_run_that_cannot_begin_leaves_nothing(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    with pytest.raises(TrainingError, match="batch_size: 5000 is more than"):
        jobs.start(spec(batch_size=5_000))
    assert not list((tmp_path / "runs").iterdir())
    assert jobs.states() == {}


def test_a_run_that_cannot_save_its_beginning_leaves_nothing(jobs: Jobs, tmp_path: Path, spec: Spec) -> None:
    resource = pytest.importorskip("resource")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, usual[1]))  # bytes: enough for config.toml, not for a checkpoint
    try:
        with pytest.raises(TrainingError, match="File too large"):
            jobs.start(spec(**SHORT | {"hidden": [64]}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert not list((tmp_path / "runs").iterdir())


SERVER = """
import sys, time
from pathlib import Path
from glassnet.web import Site
from glassnet.web.jobs import Jobs
from glassnet.web.store import Store
jobs = Jobs(Store(Site(Path(sys.argv[1]), None, Path("drawings"))))
how = {"name": "drawings", "data": sys.argv[2], "recipe": "small", "as_written": False}
how |= {"mistakes": None, "mistakes_from": None}
for paused in (True, False):
    name = jobs.start({**how, "paused": paused, "pace": None, "settings": {"batch_size": 5, "epochs": 50000}})
    print(jobs._jobs[name].process.pid, name, flush=True)
time.sleep(60)
"""


def test_a_server_that_is_killed_leaves_no_process(tmp_path: Path, drawings: Path) -> None:
    command = [sys.executable, "-c", SERVER, str(tmp_path / "runs"), str(drawings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        begun = [server.stdout.readline().split() for _ in range(2)]
        assert all(is_alive(int(pid)) for pid, _ in begun)
        server.kill()
    wait_for(lambda: not any(is_alive(int(pid)) for pid, _ in begun))
    for _, name in begun:
        assert not saved_state(tmp_path / "runs" / name)["finished"]


def test_an_interrupted_server_leaves_no_process(tmp_path: Path, drawings: Path) -> None:
    program = (
        "import sys, uvicorn; from pathlib import Path; from glassnet.web import Site, create_app\n"
        "site = Site(Path(sys.argv[1]), None, Path(sys.argv[2]))\n"
        "uvicorn.run(create_app(site), port=int(sys.argv[3]), log_level='warning')\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "runs"), str(drawings), str(port)], start_new_session=True
    )
    try:
        address = f"http://127.0.0.1:{port}/api/runs"

        def begun() -> bool:
            try:
                return httpx.post(address, json={"data": "drawings", "settings": LONG}, timeout=WAIT).status_code == 201
            except httpx.ConnectError:
                return False

        wait_for(begun)
        (child,) = children(server.pid)
        os.killpg(server.pid, signal.SIGINT)
        server.wait(WAIT)
        assert not is_alive(int(child))
    finally:
        server.kill()
        server.wait()


def children(pid: int) -> list[str]:
    """The processes that any thread of a process has begun."""
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_options_are_those_of_the_package(client: httpx.Client) -> None:
    options = client.get("/api/options").json()
    assert options["settings"]["activation"]["choices"] == list(ACTIVATIONS)
    assert options["settings"]["optimizer"]["choices"] == list(OPTIMIZERS)
    assert options["settings"]["batch_size"] == {
        "description": "Images per step; all: the whole training set in every step.",
        "default": 128,
        "type": "integer or string",
        "section": "Optimization",
    }
    assert options["settings"]["scaling"]["choices"] == ["unit", "standard", "none"]
    assert options["settings"]["rotation"]["section"] == "Augmentation"
    small = next(recipe for recipe in options["recipes"] if recipe["name"] == "small")
    assert small["settings"]["dropout"] == 0.3
    assert {mistake["name"] for mistake in options["mistakes"]} >= {"one-bias-gradient", "no-shuffling"}


def test_data_are_offered_where_they_are_at_hand(
    client: httpx.Client, site: Site, tmp_path: Path, write_mnist: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GLASSNET_DATA", raising=False)

    def offered() -> list[str]:
        return [source["name"] for source in client.get("/api/options").json()["data"]]

    assert offered() == ["digits", "drawings"]
    shutil.rmtree(site.drawings / "3")
    assert offered() == ["digits"]
    write_mnist(tmp_path / "data" / "mnist")
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "data"))
    assert offered() == ["digits", "mnist"]


def test_kept_drawings_are_learned(client: httpx.Client, site: Site) -> None:
    order = {"data": "drawings", "settings": {"batch_size": "5", "epochs": "1", "hidden": "4"}}
    name = client.post("/api/runs", json=order).json()["name"]
    assert name.endswith("-drawings-small")
    wait_for((site.runs / name / "model.safetensors").exists)
    assert Run(site.runs / name).config.classes == ("3", "7")


def test_where_the_data_are_on_the_server_is_not_told(client: httpx.Client, site: Site, drawings: Path) -> None:
    start = site.runs / "first"
    train(load_dataset(drawings), "small", out=start, **SHORT)
    tuning = {"epochs": 1, "batch_size": 5, "rehearsal": 0}
    train(load_dataset(drawings), "fine-tune", out=site.runs / "second", start=Run(start).model, **tuning)
    assert Run(site.runs / "second").config.seen == (str(drawings),)
    runs = client.get("/api/runs")
    assert [facts["data"] for facts in runs.json()] == ["drawings", "drawings"]
    details = client.get("/api/runs/second")
    assert (details.json()["config"]["data"], details.json()["config"]["seen"]) == ("drawings", ["drawings"])
    app = create_app(Site(runs=site.runs, model=start, drawings=drawings))
    model = TestClient(app, base_url="http://127.0.0.1").get("/api/model")
    assert model.json()["trained_on"] == "drawings"
    for answer in (runs, details, model):
        assert str(drawings.parent) not in answer.text


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ({"data": "/etc/passwd"}, "data: '/etc/passwd' is not among the data here"),
        ({"recipe": "/tmp/own.toml"}, "recipe: '/tmp/own.toml' is unknown"),
        ({"recipe": "smal"}, "recipe: 'smal' is unknown (did you mean 'small'?)"),
        ({"settings": {"data": "/etc/passwd"}}, "no setting called 'data'"),
        ({"settings": {"learning_rte": 1}}, "no setting called 'learning_rte' (did you mean 'learning_rate'?)"),
        ({"settings": {"learning_rate": "-1"}}, "learning_rate: must be more than 0, not '-1'"),
        ({"settings": {"activation": ["rellu"]}}, "activation: 'rellu' is unknown (did you mean 'relu'?)"),
        ({"settings": [1]}, "settings: "),
        ({"mistakes": ["no-such"]}, "mistakes: 'no-such' is unknown"),
        ({"recipe": "small", "as_written": True}, "cures no notebook"),
        ({"folder": "/tmp"}, "no setting called 'folder'"),
        ([], "not a JSON object"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(client: httpx.Client, site: Site, order: Any, line: str) -> None:
    answer = client.post("/api/runs", json=order)
    assert answer.status_code == 400
    assert line in answer.json()["error"]
    checked = client.post("/api/settings", json=order)
    assert (checked.status_code, checked.json()) == (200, answer.json())
    assert not site.runs.exists()


def test_a_body_that_is_no_json_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/runs", content=b'{"data": ')
    assert answer.status_code == 400
    assert "not a JSON object" in answer.json()["error"]


def test_settings_are_shown_as_they_come_out(client: httpx.Client) -> None:
    order = {"data": "digits", "settings": {"optimizer": "sgd", "hidden": ["32", "16"]}}
    settings = client.post("/api/settings", json=order).json()["settings"]
    assert settings["learning_rate"] == 0.1  # which another optimizer brings
    assert settings["hidden"] == [32, 16]
    assert settings["epochs"] == 30


def test_a_run_is_steered_by_its_name(client: httpx.Client, site: Site) -> None:
    order = {"data": "drawings", "settings": LONG, "mistakes": ["no-shuffling"], "paused": True}
    answer = client.post("/api/runs", json=order)
    assert answer.status_code == 201
    name = answer.json()["name"]
    assert Run(site.runs / name).config.mistakes == ("no-shuffling",)
    for word, state in (
        ("step", "paused"),
        ("epoch", "paused"),
        ("go", "running"),
        ("pause", "paused"),
        ("stop", "stopped"),
        ("resume", "running"),
    ):
        run = client.post(f"/api/runs/{name}/{word}").json()
        assert (run["name"], run["state"], run["ended"]) == (name, state, None)
    assert client.post(f"/api/runs/{name}/burn").status_code == 404
    assert client.post(f"/api/runs/{name}/pace", json={"pace": 5}).json()["pace"] == 5
    assert client.post(f"/api/runs/{name}/pace", json={"pace": -1}).status_code == 400
    assert client.post(f"/api/runs/{name}/rename", json={"to": "mine"}).status_code == 409
    assert client.delete(f"/api/runs/{name}").status_code == 409
    assert "no such run" in client.post("/api/runs/nobody/stop").json()["error"]
    client.post(f"/api/runs/{name}/stop")
    assert client.post(f"/api/runs/{name}/pause").status_code == 409


def test_a_notebook_as_written_is_one_run(client: httpx.Client, site: Site) -> None:
    order = {"data": "drawings", "recipe": "notebook-004", "as_written": True, "paused": True}
    name = client.post("/api/runs", json=order).json()["name"]
    assert name.endswith("-drawings-notebook-004-as-written")
    assert "times-p-one-minus-p" in Run(site.runs / name).config.mistakes


def test_the_check_of_settings_refuses_what_a_run_would(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_not_compiled", lambda: "it needs numba, which is missing")
    order = {"settings": {"engine": "compiled"}}
    refused = client.post("/api/runs", json=order)
    assert refused.status_code == 400
    assert client.post("/api/settings", json=order).json() == refused.json()
    assert "it needs numba" in refused.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"mistake": "unscaled-pixels", "mistakes_from": Infinity}',
        b'{"mistake": "unscaled-pixels", "mistakes_from": 1' + b"0" * 5000 + b"}",
        b'{"mistake": "\\ud800"}',
        b'{"mistake": "unscaled-pixels", "settings": {"\\ud800": NaN}}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:60].decode(),
)
def test_whatever_is_sent_gets_a_line(client: httpx.Client, body: bytes) -> None:
    for path in ("/api/clinic/pair", "/api/runs", "/api/settings", "/api/drawings"):
        answer = client.post(path, content=body)
        assert answer.status_code in (200, 400)
        assert set(answer.json()) == {"error"}


def test_a_name_that_is_not_there_is_told_without_those_that_are(client: httpx.Client, site: Site) -> None:
    train(load_dataset("digits"), "fast", epochs=1, hidden=[4], out=site.runs / "private")
    answer = client.get("/api/runs/other")
    assert answer.status_code == 404
    assert "private" not in answer.text
    assert "did you mean 'private'" in client.get("/api/runs/privat").text
