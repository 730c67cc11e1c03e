"""What the server says of a network's units, and of the map of its last hidden layer."""

import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn import drawn, painted

from glassnet import Model, load_dataset, train
from glassnet.data import frame_picture, read_picture
from glassnet.explain import explain, project, top_images, trace
from glassnet.explain.explanation import result
from glassnet.training import Run
from glassnet.web import Site


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def run(site: Site, digits_run: Path) -> Run:
    """A run of a 64-60-10 network, called ``mine``."""
    site.runs.mkdir()
    (site.runs / "mine").symlink_to(digits_run)
    return Run(digits_run)


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convolutions") / "run"
    layers = ["conv 4 3x3 same", "pool 2", "dense 8"]
    train(load_dataset("digits"), "small", epochs=1, hidden=[], layers=layers, batch_norm=True, out=folder)
    return folder


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(b64decode(text), "<f4")


def drawing(digit: int = 3) -> bytes:
    strokes, hand = drawn(digit, 0)
    return painted(strokes, hand.width)


def agree(answer: dict[str, Any], run: Run, pixels: np.ndarray) -> None:
    """The answer has, bit by bit, what a forward pass in Python gives."""
    seen = trace(run.model, pixels)
    assert [layer["name"] for layer in answer["layers"]] == [layer.name for layer in seen.layers]
    for layer, values in zip(answer["layers"], seen.values, strict=True):
        assert len(layer["steps"]) == len(values)
        for step, expected in zip(layer["steps"], values, strict=True):
            np.testing.assert_array_equal(decoded(step["values"]), expected)
    np.testing.assert_array_equal(decoded(answer["layers"][-1]["steps"][-1]["values"]), run.model.logits(pixels)[0])
    np.testing.assert_allclose(answer["probabilities"], run.model.predict_proba(pixels)[0], rtol=1e-6)


@pytest.mark.parametrize("of", ["test", "validation"])
def test_every_unit_of_an_image_is_told_as_from_python(client: httpx.Client, run: Run, of: str) -> None:
    answer = client.get("/api/network", params={"run": "mine", "image": 7, "of": of}).json()
    dataset = load_dataset("digits")
    examples = dataset.test if of == "test" else dataset.split(run.config.validation, run.config.split_seed)[1]
    agree(answer, run, examples.images[7])
    assert (answer["label"], answer["images"]) == (int(examples.labels[7]), len(examples))
    assert answer["image"] == examples.images[7].tolist()


def test_a_drawing_is_framed_as_predict_does(client: httpx.Client, run: Run) -> None:
    answer = client.post("/api/network", params={"run": "mine"}, content=drawing()).json()
    agree(answer, run, frame_picture(read_picture(drawing()), run.model.preprocessing))
    assert "label" not in answer


def test_connections_add_up_to_the_sums(client: httpx.Client, run: Run, site: Site, convolutions: Path) -> None:
    (site.runs / "conv").symlink_to(convolutions)
    for name in ("mine", "conv"):
        answer = client.get("/api/network", params={"run": name, "image": 3}).json()
        activations = [decoded(layer["steps"][-1]["values"]) for layer in answer["layers"]]
        for level, layer in enumerate(answer["layers"][1:], 1):
            total = decoded(layer["steps"][0]["values"])
            asked = {"run": name, "layer": level, "units": f"0,5,{total.size - 1}"}
            found = client.get("/api/network/units", params=asked).json()
            assert found["version"] == answer["version"]
            for unit, own in zip((0, 5, total.size - 1), found["units"], strict=True):
                below = activations[level - 1][own["inputs"] if own["inputs"] is not None else slice(None)]
                if own["weights"] is None:
                    assert total[unit] == below.max()
                else:
                    terms = below.astype(np.float64) * decoded(own["weights"])
                    assert total[unit] == pytest.approx(
                        terms.sum() + own["bias"], abs=1e-6 * np.abs(terms).sum() + 1e-6
                    )
                for step, norm in own["normalisation"].items():
                    before, after = (decoded(layer["steps"][i]["values"])[unit] for i in (int(step) - 1, int(step)))
                    by_hand = (before - norm["mean"]) / norm["deviation"] * norm["gamma"] + norm["beta"]
                    assert after == pytest.approx(by_hand, abs=1e-5)
    assert len({layer["kind"] for layer in answer["layers"]}) == 4


def test_the_images_that_excite_a_unit_are_training_images(
    client: httpx.Client, run: Run, site: Site, convolutions: Path
) -> None:
    (site.runs / "conv").symlink_to(convolutions)
    answer = client.get("/api/network/top", params={"run": "mine", "layer": 1, "unit": 4}).json()
    training, _ = load_dataset("digits").split(run.config.validation, run.config.split_seed)
    expected = top_images(run.model, training)[1]
    assert answer["of"] == len(training)
    assert answer["images"] == training.images[expected.indices[4]].tolist()
    assert answer["labels"] == training.labels[expected.indices[4]].tolist()
    np.testing.assert_allclose(answer["activations"], expected.activations[4], rtol=1e-6)
    pixel = client.get("/api/network/top", params={"run": "mine", "layer": 0, "unit": 43}).json()
    values = training.images[:, 5, 3]
    assert [image[5][3] for image in pixel["images"]] == np.sort(values)[::-1][:9].tolist()
    # A filter looks for the same at every place.
    one, other = (client.get("/api/network/top", params={"run": "conv", "layer": 1, "unit": i}).json() for i in (2, 42))
    assert one == other


def test_a_map_has_each_test_image_and_a_drawing(client: httpx.Client, run: Run) -> None:
    answer = client.get("/api/map", params={"run": "mine"}).json()
    test = load_dataset("digits").test
    found = project(run.model, test)
    places = decoded(answer["coordinates"]).reshape(-1, 2)
    np.testing.assert_allclose(places, found.coordinates, rtol=1e-5, atol=1e-5)
    assert answer["labels"] == test.labels.tolist()
    assert answer["predictions"] == run.model.predict(test.images).tolist()
    pixels = np.frombuffer(b64decode(answer["pixels"]), np.uint8).reshape(-1, answer["height"], answer["width"])
    np.testing.assert_array_equal(pixels, test.images)
    own = client.post("/api/map", params={"run": "mine"}, content=drawing()).json()
    framed = frame_picture(read_picture(drawing()), run.model.preprocessing)
    np.testing.assert_allclose(own["place"], found.place(framed)[0], rtol=1e-6)
    assert own["prediction"] == int(run.model.predict(framed)[0])


def test_every_question_can_be_asked_of_a_past_step(client: httpx.Client, run: Run) -> None:
    step = run.snapshots[3]
    model, asked = run.model_at(step), {"run": "mine", "step": step}
    dataset = load_dataset("digits")
    image = dataset.test.images[7]
    framed = frame_picture(read_picture(drawing()), model.preprocessing)
    for pixels, answer in (
        (image, client.get("/api/network", params=asked | {"image": 7}).json()),
        (framed, client.post("/api/network", params=asked, content=drawing()).json()),
    ):
        np.testing.assert_allclose(answer["probabilities"], model.predict_proba(pixels)[0], rtol=1e-6)
    units = client.get("/api/network/units", params=asked | {"layer": 1, "units": "4"}).json()
    assert units["version"] == answer["version"]
    np.testing.assert_array_equal(decoded(units["units"][0]["weights"]), model.network.layers[0].W[:, 4])
    top = client.get("/api/network/top", params=asked | {"layer": 1, "unit": 4}).json()
    assert top["version"] == answer["version"]
    step_on = client.get("/api/explain", params=asked | {"image": 7}).json()
    own = client.post("/api/explain", params=asked | {"label": 2}, content=drawing()).json()
    for pixels, label, found in ((image, dataset.test.labels[7], step_on), (framed, 2, own)):
        assert found["result"] == result(explain(model, pixels, int(label)))
    places = client.get("/api/map", params=asked | {"pixels": False}).json()
    projection = project(model, dataset.test)
    np.testing.assert_allclose(decoded(places["coordinates"]), projection.coordinates.ravel(), rtol=1e-4, atol=1e-5)
    assert "pixels" not in places
    placed = client.post("/api/map", params=asked, content=drawing()).json()
    np.testing.assert_allclose(placed["place"], projection.place(framed)[0], rtol=1e-6)


@pytest.mark.parametrize("path", ["/api/network", "/api/map", "/api/explain", "/api/network/units?layer=1&units=0"])
def test_a_step_that_is_not_kept_gets_a_line(client: httpx.Client, run: Run, path: str) -> None:
    for query, line in (
        ({"run": "mine", "step": "77777"}, "no snapshot of step 77777; the nearest are"),
        ({"step": "3"}, "step 3: only a run has snapshots"),
        ({"run": "mine", "step": "-1"}, "step: must be"),
    ):
        answer = client.get(path, params=dict(httpx.QueryParams(path.partition("?")[2])) | query)
        assert answer.status_code == 400
        assert line in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "query", "line"),
    [
        ("", {"run": "yours"}, "no such run"),
        ("", {"image": "359"}, "there are 359 test images, 0 to 358"),
        ("", {"image": "x"}, "image: must be a whole number, not 'x'"),
        ("", {"of": "training"}, "of: "),
        ("/units", {"layer": 1, "units": "1,x"}, "is not a list of 1 to 64 whole numbers"),
        ("/units", {"layer": 1, "units": ",".join("1" * 65)}, "is not a list of 1 to 64 whole numbers"),
        ("/units", {"layer": 1, "units": "60"}, "hidden layer 1 has units 0 to 59"),
        ("/units", {"layer": 3, "units": "0"}, "layers 0 (the input) to 2 (the output)"),
        ("/top", {"layer": 2, "unit": 10}, "output has units 0 to 9"),
    ],
)
def test_a_question_that_has_no_answer(
    client: httpx.Client, run: Run, path: str, query: dict[str, Any], line: str
) -> None:
    answer = client.get(f"/api/network{path}", params={"run": "mine", **query})
    assert answer.status_code == 400
    assert line in answer.json()["error"]


def test_a_blank_drawing_and_a_missing_package_get_one_line(client: httpx.Client, run: Run) -> None:
    blank = painted([])
    for path in ("/api/network", "/api/map", "/api/explain"):
        answer = client.post(path, params={"run": "mine"}, content=blank)
        assert answer.status_code == 400
        assert "the drawing" in answer.json()["error"]
    assert client.get("/api/map", params={"run": "mine", "method": "tsne"}).status_code == 400


def test_a_step_on_a_drawing_and_on_a_validation_image(client: httpx.Client, run: Run) -> None:
    answer = client.post("/api/explain", params={"run": "mine", "label": 5}, content=drawing()).json()
    assert answer["label"] == 5
    assert answer["image"] == frame_picture(read_picture(drawing()), run.model.preprocessing).tolist()
    taken_for = client.post("/api/explain", params={"run": "mine"}, content=drawing()).json()["label"]
    assert taken_for == int(run.model.predict(np.array(answer["image"], np.uint8))[0])
    held = load_dataset("digits").split(run.config.validation, run.config.split_seed)[1]
    answer = client.get("/api/explain", params={"run": "mine", "image": 4, "of": "validation"}).json()
    assert (answer["image"], answer["label"]) == (held.images[4].tolist(), int(held.labels[4]))
    answer = client.post("/api/explain", params={"run": "mine", "label": 10}, content=drawing())
    assert "the label 10" in answer.json()["error"]


def test_an_image_behind_a_cell_has_its_index(client: httpx.Client, run: Run) -> None:
    found = client.get("/api/runs/mine/confusion/3/3").json()["images"]
    held = load_dataset("digits").split(run.config.validation, run.config.split_seed)[1]
    for image in found:
        assert image["pixels"] == held.images[image["index"]].tolist()


def test_the_map_of_an_ensemble_is_made_anew_for_more_members(client: httpx.Client, site: Site, run: Run) -> None:
    folder = site.runs / "several"
    folder.mkdir()
    shutil.copy(run.path / "config.toml", folder)
    other = train(load_dataset("digits"), "small", epochs=1, hidden=[60], seed=9, out=site.runs / "other").model
    answers = []
    for members in ([run.model], [run.model, *[other] * 5]):
        Model.join(members).save(folder / "model.safetensors")
        answers.append(client.get("/api/map", params={"run": "several"}).json())
    assert answers[0]["version"] != answers[1]["version"]
    assert answers[1]["predictions"] == Model.join(members).predict(load_dataset("digits").test.images).tolist()
    assert answers[1]["predictions"] != answers[0]["predictions"]
