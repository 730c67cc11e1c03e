"""What the server makes of drawings, and how it keeps them."""

import base64
import errno
import gc
import io
import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn import HANDS, drawn, painted
from numpy.typing import NDArray
from PIL import Image

from glassnet import Model, load_dataset, open_model, train
from glassnet.data import Preprocessing, frame_picture, read_picture
from glassnet.nn import BatchNorm, Dense, Dropout, Network, Pass, ReLU, Tanh
from glassnet.web import Site, drawings
from glassnet.web.draw import glance, input_gradients, look

Json = dict[str, Any]


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def picture(digit: int = 3, number: int = 0) -> bytes:
    strokes, hand = drawn(digit, number)
    return painted(strokes, hand.width)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A file of gray values (h, w), or of gray values and opacity (h, w, 2)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def keep(client: httpx.Client, content: bytes, label: str) -> httpx.Response:
    return client.post("/api/drawings", json={"image": base64.b64encode(content).decode(), "label": label})


def test_of_a_hundred_drawn_digits_ninety_are_recognised(client: httpx.Client) -> None:
    taken: dict[str, str] = {}
    for digit in range(10):
        for number, hand in enumerate(HANDS):
            answer = client.post("/api/draw", content=picture(digit, number)).json()
            if answer.get("answer") != str(digit):
                taken[f"{digit} {hand}"] = answer.get("answer", "nothing")
    assert len(taken) <= 10, taken


def test_a_drawing_is_answered_as_the_service_answers_a_picture(client: httpx.Client) -> None:
    answer = client.post("/api/draw", content=picture()).json()
    predicted = client.post("/api/predict", content=picture()).json()[0]
    probabilities = dict(zip(answer["classes"], answer["probabilities"], strict=True))
    assert probabilities == pytest.approx(predicted["probabilities"], abs=1e-6)
    assert answer["answer"] == predicted["label"] == "3"
    assert answer["runner_up"] == sorted(probabilities, key=lambda name: probabilities[name])[-2]


def test_white_ink_on_nothing_is_the_same_drawing(client: httpx.Client) -> None:
    ink = 255 - np.asarray(Image.open(io.BytesIO(picture())))
    for pixels in (np.stack([np.full_like(ink, 255), ink], axis=-1), ink):
        answer = client.post("/api/draw", content=png(pixels)).json()
        assert answer["answer"] == "3"


@pytest.mark.parametrize("kind", ["white", "black", "nothing", "a speck"])
def test_where_there_is_no_digit_none_is_guessed(client: httpx.Client, kind: str) -> None:
    pixels = np.full((280, 280), 0 if kind == "black" else 255, np.uint8)
    if kind == "a speck":
        pixels[100:102, 100:102] = 0
    content = png(np.stack([pixels, np.zeros_like(pixels)], axis=-1)) if kind == "nothing" else png(pixels)
    answer = client.post("/api/draw", content=content).json()
    assert set(answer) == {"empty", "classes", "why"}
    assert answer["empty"]
    assert "no digit found" in answer["why"]


def small_model(*layers: Any, members: int = 1, dark_on_light: bool = False, shift: float = 0.0) -> Model:
    form = Preprocessing(28, 28, 1 / 255, shift, 20, dark_on_light)
    networks = [Network([*layer_copies(layers), Dense(3)], 784, dtype=np.float64, seed=i) for i in range(members)]
    rng = np.random.default_rng(1)
    for network in networks:
        network.parameters += rng.normal(0, 0.05, network.parameters.size)
    return Model(networks, form, ("a", "b", "c"))


def layer_copies(layers: tuple[Any, ...]) -> list[Any]:
    return [copy(layer) for layer in layers]


def test_input_gradients_are_the_slopes_of_the_scores() -> None:
    model = small_model(Dense(20), BatchNorm(), Tanh(), Dropout(0.5), Dense(9), ReLU())
    x = np.random.default_rng(0).random(784)
    G = input_gradients(model.network, x, np.array([2, 0]))
    step = 1e-6
    for pixel in (0, 17, 400, 783):
        moved = np.stack([x, x])
        moved[:, pixel] += [step, -step]
        up, down = model.network.forward(moved).copy()
        np.testing.assert_allclose(G[:, pixel], ((up - down) / (2 * step))[[2, 0]], rtol=1e-5)


@pytest.mark.parametrize(("dark", "shift"), [(False, 0.0), (False, -0.4), (True, 0.0)])
def test_the_evidence_of_a_linear_network_is_what_the_ink_adds_to_the_score(dark: bool, shift: float) -> None:
    model = small_model(dark_on_light=dark, shift=shift)
    answer = look(model, picture())
    blank = np.full((28, 28), model.preprocessing.ground, np.uint8)
    prepared = np.array(answer["prepared"], np.uint8)
    seen, nothing = model.logits(np.stack([prepared, blank]))
    for name, evidence in (("answer", "evidence"), ("runner_up", "runner_up_evidence")):
        k = model.classes.index(answer[name])
        assert np.sum(answer[evidence]) == pytest.approx(seen[k] - nothing[k], abs=0.03)  # 784 rounded numbers
        assert not np.array(answer[evidence])[prepared == model.preprocessing.ground].any()


def test_the_activations_are_those_of_the_equations(site: Site, digits_run: Path) -> None:
    model = open_model(digits_run)
    answer = look(model, picture())
    x = model.inputs(frame_picture(read_picture(picture()), model.preprocessing)[None])
    assert np.shape(answer["prepared"]) == (8, 8)
    network = model.network
    p, Y, expected = Pass(network), x, []
    for i, layer in enumerate(network.layers):
        Y = layer.forward(Y, p.layers[i])
        if i + 1 == len(network.layers) or isinstance(network.layers[i + 1], Dense):
            expected.append(Y[0])
    assert [layer["name"] for layer in answer["layers"]] == ["hidden layer 1", "output"]
    assert answer["layers"][0]["steps"][0] == "Dense"
    for layer, activations in zip(answer["layers"], expected, strict=True):
        np.testing.assert_allclose(layer["activations"], activations, atol=6e-5)
        assert (min(layer["scaled"]), max(layer["scaled"])) == (0, 1)
        assert np.argmax(layer["scaled"]) == np.argmax(activations)


def test_the_evidence_of_an_ensemble_is_the_mean_of_its_members() -> None:
    ensemble = small_model(Dense(9), Tanh(), members=3)
    together = look(ensemble, picture())
    first, x = ensemble.classes.index(together["answer"]), np.array(together["prepared"]).ravel() / 255
    members = [x * input_gradients(network, x, np.array([first]))[0] for network in ensemble.networks]
    np.testing.assert_allclose(np.ravel(together["evidence"]), np.mean(members, axis=0), atol=6e-5)


def test_drawings_that_come_together_do_not_disturb_each_other() -> None:
    model = small_model(Dense(2000), Tanh(), Dense(2000), Tanh())
    contents = [picture(digit) for digit in range(10)]
    alone = [look(model, content) for content in contents]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(look, model), contents * 3)) == alone * 3


@pytest.mark.parametrize(("content", "line"), [(b"", "not a PNG"), (picture()[:300], "truncated")])
def test_what_is_no_picture_gets_a_line(client: httpx.Client, content: bytes, line: str) -> None:
    for answer in (client.post("/api/draw", content=content), keep(client, content, "3")):
        assert answer.status_code == 400
        assert line in answer.json()["error"]
    assert client.post("/api/draw", content=picture()).json()["answer"] == "3"


def test_a_run_that_is_not_there_gets_a_line(client: httpx.Client) -> None:
    answer = client.post("/api/draw?run=../bundled", content=picture())
    assert answer.status_code == 400
    assert "no such run" in answer.json()["error"]


def test_kept_drawings_are_data_to_train_on(client: httpx.Client, site: Site, tmp_path: Path) -> None:
    assert client.get("/api/drawings").json() == {}
    for digit in (1, 7):
        for number in range(5):
            answer = keep(client, picture(digit, number), str(digit))
            assert answer.status_code == 201
            assert answer.json()["count"] == number + 1
            assert (site.drawings / str(digit) / f"{answer.json()['name']}.png").is_file()
    assert {label: len(names) for label, names in client.get("/api/drawings").json().items()} == {"1": 5, "7": 5}
    names = [source["name"] for source in client.get("/api/options").json()["data"]]
    assert "drawings" in names
    dataset = load_dataset(site.drawings)
    assert dataset.classes == ("1", "7")
    assert dataset.image_shape == (28, 28)
    run = train(dataset, epochs=20, validation=0.0, out=tmp_path / "run")
    assert (run.model.predict(dataset.train.images) == dataset.train.labels).mean() > 0.8
    answer = look(run.model, picture(7))
    assert answer["classes"] == ("1", "7")


def test_nothing_of_the_file_is_kept_but_its_gray_values(client: httpx.Client, site: Site) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(picture())).convert("RGB").save(file, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0secret")
    keep(client, file.getvalue(), "3")
    (path,) = (site.drawings / "3").iterdir()
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size, image.info) == ("PNG", "L", (280, 280), {})


@pytest.mark.parametrize("label", ["", "..", "../3", "/tmp/3", "3/3", ".3", "3\x00", "ten", "3 "])
def test_a_label_is_one_of_the_classes(client: httpx.Client, site: Site, label: str) -> None:
    answer = keep(client, picture(), label)
    assert answer.status_code == 400
    assert "not a class of this model" in answer.json()["error"]
    assert not site.drawings.exists()


@pytest.mark.parametrize("label", ["..", "a/b", ".a", "", "a\nb"])
def test_a_class_that_is_no_folder_s_name_gets_none(tmp_path: Path, label: str) -> None:
    with pytest.raises(drawings.DataError, match="cannot be a folder's name"):
        drawings.keep_drawing(picture(), label, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "the body is not a JSON object"),
        (b"[]", "the body is not a JSON object"),
        (b'{"image": "', "the body is not a JSON object"),
        (b'{"image": "\xff", "label": "3"}', "error parsing the body"),
        (b"{}", "image: is missing"),
        (b'{"image": "A", "label": "3"}', "image: must be in base64, not 'A'"),
        (b'{"image": "", "label": 3}', "label: must be a string, not 3"),
        (b'{"image": "", "lable": "3"}', "no setting called 'lable' (did you mean 'label'?)"),
    ],
)
def test_what_is_no_drawing_with_a_label_gets_a_line(client: httpx.Client, body: bytes, line: str) -> None:
    answer = client.post("/api/drawings", content=body)
    assert answer.status_code == 400
    assert line in answer.json()["error"]


def test_an_empty_drawing_is_not_kept(client: httpx.Client, site: Site) -> None:
    answer = keep(client, png(np.full((280, 280), 255, np.uint8)), "3")
    assert answer.status_code == 400
    assert "no digit found" in answer.json()["error"]
    assert not site.drawings.exists()


def test_there_is_an_end_to_what_is_kept(client: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.zeros((1000, 1000), np.uint8)
    large[200:-200, 300:-300] = np.random.default_rng(0).integers(150, 256, (600, 400), np.uint8)
    answer = keep(client, png(large), "1")
    assert answer.status_code == 413
    assert "at most 100,000 are kept" in answer.json()["error"]
    monkeypatch.setattr(drawings, "MAX_DRAWINGS", 2)
    assert [keep(client, picture(), "3").status_code for _ in range(3)] == [201, 201, 409]
    assert len(client.get("/api/drawings").json()["3"]) == 2


def test_a_full_disk_gets_a_line_and_leaves_nothing_half_there(
    client: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = keep(client, picture(), "3")
    assert answer.status_code == 507
    assert "No space left on device; free space" in answer.json()["error"]
    assert not [path for path in site.drawings.rglob("*") if path.is_file()]
    assert keep(client, picture(), "3").status_code == 201


def test_drawings_kept_at_the_same_time_are_all_there(client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: keep(client, picture(), "3").json(), range(16)))
    assert len({answer["name"] for answer in answers}) == 16
    assert sorted(answer["count"] for answer in answers) == list(range(1, 17))


def test_what_filters_find_in_a_drawing_is_shown_as_maps_and_evidence_is_that_of_the_ink(tmp_path: Path) -> None:
    layers = ["conv 4 3x3", "pool 2", "dense 16"]
    model = train(load_dataset("digits"), layers=layers, epochs=2, threads=1, out=tmp_path / "run").model
    answer = look(model, picture())
    maps, dense, output = answer["layers"]
    assert np.shape(maps["scaled"]) == (4, 3, 3)
    assert maps["steps"] == ["Conv2D", "MaxPool2D", "ReLU"]
    assert len(maps["activations"]) == 36
    assert (len(dense["activations"]), len(output["activations"])) == (16, 10)
    prepared = np.array(answer["prepared"])
    evidence = np.array(answer["evidence"])
    assert evidence.shape == prepared.shape
    assert not evidence[prepared == model.preprocessing.ground].any()
    # To first order, the ink raises the answer's score by its evidence.
    x, ground = model.inputs(np.stack([prepared, np.full_like(prepared, model.preprocessing.ground)]).astype(np.uint8))
    first = [list(model.classes).index(answer["answer"])]
    h = 1e-3
    rise = model.network.forward((x + h * (x - ground))[None]) - model.network.forward((x - h * (x - ground))[None])
    assert evidence.sum() == pytest.approx(rise[0, first].item() / (2 * h), abs=0.02)


def test_a_drawing_takes_the_place_of_no_other_of_its_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings.time, "strftime", lambda _form: "20260101-000000")
    first, _ = drawings.keep_drawing(picture(), "3", tmp_path)
    second, _ = drawings.keep_drawing(picture(4), "4", tmp_path)
    (tmp_path / "3" / f"{first}.png").unlink()
    third, _ = drawings.keep_drawing(picture(), "3", tmp_path)
    assert len({first, second, third}) == 3


def test_of_large_pictures_only_the_small_image_is_kept_in_memory() -> None:
    model = open_model()
    noise = np.random.default_rng(0).integers(200, 256, (1000, 1000), np.uint8)
    noise[300:700, 480:520] = 0
    gc.collect()
    tracemalloc.start()
    for i in range(20):
        noise[0, 0] = i
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "BMP")
        assert not glance(model, file.getvalue())["empty"]
    del file
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000  # bytes, of twenty million
