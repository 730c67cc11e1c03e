"""A run's network at past steps, as the server tells of it."""

import io
import json
import shutil
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from glassnet import Dataset, Run, evaluate, load_dataset, train
from glassnet.data import frame_picture
from glassnet.locks import only_process
from glassnet.web import Site, moments

SETTINGS = {"hidden": [80, 12], "epochs": 3, "threads": 1}


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


def picture_of(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(255 - np.kron(image, np.ones((8, 8), np.uint8))).save(file, "PNG")
    return file.getvalue()


def test_each_kind_of_answer_is_that_of_the_snapshot(run: Run, digits: Dataset, client: httpx.Client) -> None:
    held = digits.split(run.config.validation, run.config.split_seed)[1]
    facts = client.get("/api/runs/one").json()
    assert facts["snapshots"] == run.snapshots
    for step in (0, 5, run.snapshots[-1]):
        model = run.model_at(step)
        weights = client.get(f"/api/runs/one/weights?step={step}").json()
        W = model.network.named_parameters["0.W"].T.reshape(-1, 8, 8)
        chosen = np.array(weights["numbers"]) - 1
        assert (weights["step"], weights["of"], len(chosen)) == (step, 80, 64)
        images = np.array(weights["units"]) * weights["full"] / 127
        shown = W[chosen].clip(-weights["full"], weights["full"])
        np.testing.assert_allclose(images, shown, atol=weights["full"] / 127)
        matrix = client.get(f"/api/runs/one/confusion?step={step}").json()["matrix"]
        assert matrix == evaluate(model, held).confusion.tolist()
        true, said = np.argwhere(matrix)[0]
        cell = client.get(f"/api/runs/one/confusion/{true}/{said}?step={step}").json()
        assert cell["of"] == matrix[true][said] == len(cell["images"])
        layers = client.get(f"/api/runs/one/layers?step={step}").json()
        assert (layers["step"], len(layers["layers"])) == (step, 3)


def test_the_units_with_the_largest_weights_are_shown_at_all_moments(run: Run, client: httpx.Client) -> None:
    norms = np.linalg.norm(run.model.first_weights(), axis=(1, 2))
    largest = sorted((np.argsort(-norms)[:64] + 1).tolist())
    for query in ("", "?step=0", "?step=9"):
        assert client.get(f"/api/runs/one/weights{query}").json()["numbers"] == largest


def test_changes_are_those_since_the_snapshot_before(run: Run, client: httpx.Client) -> None:
    steps = run.snapshots
    answer = client.get(f"/api/runs/one/changes?step={steps[7]}").json()
    assert (answer["step"], answer["since"]) == (steps[7], steps[6])
    new, old = (run.model_at(step).first_weights()[np.array(answer["numbers"]) - 1] for step in (steps[7], steps[6]))
    images = np.array(answer["units"]) * answer["full"] / 127
    np.testing.assert_allclose(images, (new - old).clip(-answer["full"], answer["full"]), atol=answer["full"] / 127)
    first = client.get("/api/runs/one/changes?step=0").json()
    assert first["since"] is None
    assert not np.any(first["units"])


def test_changes_of_a_run_that_goes_are_those_since_the_last_look(
    run: Run, digits: Dataset, client: httpx.Client
) -> None:
    earlier = max(step for step in run.snapshots if step < run.best["step"])
    assert client.get("/api/runs/one/changes").json()["since"] == earlier
    before = run.model.first_weights()
    other = train(digits, out=run.path.parent / "other", **SETTINGS, seed=7)
    last = json.loads((run.path / "steps.jsonl").read_text().splitlines()[-1])
    with only_process(run.path):
        with (run.path / "steps.jsonl").open("a") as steps:
            steps.write(json.dumps(last | {"step": last["step"] + 1}) + "\n")
        # Somebody looks after the line of a step has been written, and before the network has.
        shutil.copy(run.path / "model.safetensors", run.path / "live.safetensors")
        early = client.get("/api/runs/one/changes").json()
        assert (early["step"], early["since"]) == (last["step"] + 1, run.best["step"])
        shutil.copy(other.path / "model.safetensors", run.path / "live.safetensors")
        answer = client.get("/api/runs/one/changes").json()
    assert (answer["step"], answer["since"]) == (last["step"] + 1, run.best["step"])
    chosen = np.array(answer["numbers"]) - 1
    images = np.array(answer["units"]) * answer["full"] / 127
    moved = (other.model.first_weights() - before)[chosen].clip(-answer["full"], answer["full"])
    np.testing.assert_allclose(images, moved, atol=answer["full"] / 127)


def test_changes_of_a_run_that_is_back_at_a_checkpoint_are_those_since_its_snapshot(
    run: Run, client: httpx.Client
) -> None:
    last = json.loads((run.path / "steps.jsonl").read_text().splitlines()[-1])
    with only_process(run.path):
        for step in (last["step"] + 40, last["step"] + 5):
            with (run.path / "steps.jsonl").open("a") as steps:
                steps.write(json.dumps(last | {"step": step}) + "\n")
            (run.path / "live.safetensors").unlink(missing_ok=True)
            shutil.copy(run.path / "model.safetensors", run.path / "live.safetensors")
            answer = client.get("/api/runs/one/changes").json()
        assert (answer["step"], answer["since"]) == (step, run.snapshots[-1])


def test_a_drawing_is_answered_at_every_step(run: Run, digits: Dataset, client: httpx.Client) -> None:
    picture = picture_of(digits.test.images[0])
    answer = client.post("/api/runs/one/drawing", content=picture).json()
    assert answer["steps"] == run.snapshots
    assert answer["classes"] == list(digits.classes)
    gray = np.asarray(Image.open(io.BytesIO(picture)))
    for i in (0, 10, -1):
        model = run.model_at(answer["steps"][i])
        seen = frame_picture(gray, model.preprocessing, "it")
        np.testing.assert_allclose(answer["probabilities"][i], model.predict_proba(seen[None])[0], atol=1e-4)
        one = client.post(f"/api/draw?run=one&step={answer['steps'][i]}", content=picture).json()
        np.testing.assert_allclose(one["probabilities"], answer["probabilities"][i], atol=1e-4)


def test_paper_without_a_digit_says_so(run: Run, client: httpx.Client) -> None:
    answer = client.post("/api/runs/one/drawing", content=picture_of(np.zeros((8, 8), np.uint8))).json()
    assert "no digit" in answer["why"]
    assert client.post("/api/runs/one/drawing", content=b"not a picture").status_code == 400


def test_what_is_not_there_or_damaged_is_one_line(run: Run, digits: Dataset, client: httpx.Client) -> None:
    answer = client.get("/api/runs/one/weights?step=999999")
    assert answer.status_code == 400
    assert "no snapshot of step 999999" in answer.json()["error"]
    assert client.get("/api/runs/one/weights?step=-1").status_code == 400
    path = run.path / "snapshots" / "3.safetensors"
    path.write_bytes(path.read_bytes()[:700])
    answer = client.get("/api/runs/one/layers?step=3")
    assert answer.status_code == 400
    assert "damaged" in answer.json()["error"]
    after = client.get("/api/runs/one/changes?step=4").json()
    assert (after["step"], after["since"]) == (4, None)  # there is nothing to compare it with
    drawing = client.post("/api/runs/one/drawing", content=picture_of(digits.test.images[0])).json()
    missing = [step for step, row in zip(drawing["steps"], drawing["probabilities"], strict=True) if row is None]
    assert missing == [3]
    shutil.rmtree(run.path / "snapshots")
    answer = client.post("/api/runs/one/drawing", content=picture_of(digits.test.images[0]))
    assert "keeps no snapshots" in answer.json()["error"]


def test_a_run_that_takes_the_place_of_another_is_looked_at_anew(
    site: Site, run: Run, digits: Dataset, client: httpx.Client
) -> None:
    asked = [f"/api/runs/one/{kind}?step=1" for kind in ("weights", "changes", "layers")]
    asked += [path.removesuffix("?step=1") for path in asked]
    before = [client.get(path).content for path in asked]
    # The folder stays, and with it its inode, as of one that is deleted and made again at once.
    other = train(digits, out=site.runs / "two", **SETTINGS | {"hidden": [20, 12], "seed": 5})
    for path in list(run.path.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in list(other.path.iterdir()):
        path.rename(run.path / path.name)
    other.path.rmdir()
    for path, old in zip(asked, before, strict=True):
        answer = client.get(path)
        assert answer.is_success
        assert answer.content != old
    assert len(client.get(asked[3]).json()["units"]) == 20


def test_answers_of_past_steps_are_kept_within_limits(
    run: Run, client: httpx.Client, app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "BYTES", 100_000)
    for step in run.snapshots:
        assert client.get(f"/api/runs/one/weights?step={step}").status_code == 200
    insight = app.state.insight
    assert sum(map(len, insight._answers.values())) <= 100_000
    assert len(insight._moments) <= moments.MOMENTS


@pytest.mark.parametrize("how", [{"members": 2}, {"layers": ["conv 3 3x3", "pool 2", "dense 8"]}], ids=str)
def test_ensembles_and_convolutions_are_looked_back_at(
    site: Site, digits: Dataset, client: httpx.Client, how: dict
) -> None:
    settings = SETTINGS | {"epochs": 1} | how
    if "layers" in how:
        del settings["hidden"]
    run = train(digits, out=site.runs / "other", **settings)
    step = run.snapshots[4]
    for kind in ("weights", "changes", "layers", "confusion", "confusion/0/0"):
        assert client.get(f"/api/runs/other/{kind}?step={step}").json()["step"] == step
    picture = picture_of(digits.test.images[0])
    answer = client.post("/api/runs/other/drawing", content=picture).json()
    assert None not in answer["probabilities"]
    seen = client.post(f"/api/draw?run=other&step={step}", content=picture).json()
    np.testing.assert_allclose(seen["probabilities"], answer["probabilities"][4], atol=1e-4)
