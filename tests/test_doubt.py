"""A model that knows what it does not know: letters, scribbles and several digits get doubt, digits don't."""

import json
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glassnet import Model, load_dataset, open_model
from glassnet.cli import main
from glassnet.data import frame_picture
from glassnet.data.dataset import Images
from glassnet.data.scans import coarse_scans
from glassnet.doubt import THRESHOLD, Doubt
from glassnet.errors import ConfigError, DataError, FileError
from glassnet.nn import Dense, Network, ReLU
from glassnet.tensor_files import open_tensors, write_tensors
from glassnet.training import BUNDLED
from strangers import STRANGERS, fonts

MNIST = pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")


@MNIST
def test_one_in_a_hundred_digits_is_doubted() -> None:
    doubts = open_model().doubt(load_dataset("mnist").test.images)
    assert doubts is not None
    assert 0.002 < np.mean(doubts > THRESHOLD) <= 0.012


@MNIST
@pytest.mark.parametrize("dark_on_light", [False, True])
def test_coarse_scans_in_black_and_white_are_seldom_doubted(dark_on_light: bool) -> None:
    model, test = open_model(), load_dataset("mnist").test
    form = replace(model.preprocessing, dark_on_light=dark_on_light)
    digits = 255 - test.images[:1000] if dark_on_light else test.images[:1000]
    scans = coarse_scans(digits, form, np.random.default_rng(2))
    if dark_on_light:
        scans = 255 - scans
    assert np.mean(scans == 255) > 0.1
    assert np.mean(model.predict(scans) == test.labels[:1000]) > 0.95
    doubts = model.doubt(scans)
    assert doubts is not None
    assert np.mean(doubts > THRESHOLD) < 0.04


def accepted(kind: str, digits: Images, count: int = 30) -> int:
    model, rng, found = open_model(), np.random.default_rng(5), 0
    for _ in range(count):
        picture = 255 - np.clip(STRANGERS[kind](rng, digits, fonts()), 0, 255)
        try:
            doubts = model.doubt(frame_picture(picture.astype(np.uint8), model.preprocessing))
        except DataError:
            continue
        assert doubts is not None
        found += int(doubts[0] <= THRESHOLD)
    return found


@MNIST
@pytest.mark.parametrize("kind", ["word", "scribble", "lines", "blots", "several digits"])
def test_strangers_are_doubted(kind: str) -> None:
    assert accepted(kind, load_dataset("mnist").test.images) <= 8


def test_doubt_is_kept_in_a_model_file_and_fits_the_network(tmp_path: os.PathLike[str]) -> None:
    model = open_model()
    path = f"{os.fspath(tmp_path)}/model.safetensors"
    images = np.random.default_rng(0).integers(0, 256, (600, 28, 28), np.uint8)
    model.save(path)
    again = Model.load(path)
    np.testing.assert_allclose(again.doubt(images), model.doubt(images), atol=1e-4)
    for few in (images, images[:3]):
        probabilities, doubts = model.recognise(few)
        np.testing.assert_allclose(probabilities, model.predict_proba(few), atol=1e-6)
        np.testing.assert_allclose(doubts, model.doubt(few), atol=1e-4)
    assert Model(model.networks, model.preprocessing, model.classes).doubt(images) is None


@pytest.mark.parametrize("shifts", [0.0, None, "", []])
def test_shifts_that_cannot_be_are_refused_with_doubt_too(shifts: Any) -> None:
    with pytest.raises(ConfigError, match="shifts: must be a whole number from 0 to 3"):
        open_model().recognise(np.zeros((2, 28, 28), np.uint8), shifts)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "7",
        "{}",
        '{"weights": [1.0], "bias": 0.5}',
        '{"weights": "x", "bias": 0.5}',
        '{"weights": [], "bias": null}',
    ],
)
def test_damaged_doubt_is_refused(text: str, tmp_path: os.PathLike[str]) -> None:
    with open_tensors(BUNDLED, "model") as file:
        tensors = {name: file.read(name, shape, "float32") for name, shape in file.shapes.items()}
        metadata = file.metadata | {"doubt": text}
    path = BUNDLED.__class__(tmp_path) / "model.safetensors"
    write_tensors(path, tensors, metadata)
    with pytest.raises(FileError, match="damaged metadata"):
        Model.load(path)


def test_the_equation() -> None:
    network = Network([Dense(4), ReLU(), Dense(3)], 5, seed=0)
    doubt = Doubt(np.arange(6, dtype=np.float32), -1.0)
    from glassnet.nn import Pass

    p = Pass(network)
    X = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    Z = network.forward(X, p)
    hidden = np.maximum(X @ network.layers[0].W + network.layers[0].b, 0)  # type: ignore[attr-defined]
    phi = np.column_stack([hidden, np.log(np.exp(Z).sum(axis=1)), Z.max(axis=1)])
    np.testing.assert_allclose(doubt(network, p, Z), 1 / (1 + np.exp(phi @ np.arange(6) - 1)), rtol=1e-4)


def test_the_shell_says_what_is_not_like_a_digit(
    tmp_path: os.PathLike[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image, ImageDraw

    page = Image.new("L", (500, 160), 255)
    draw = ImageDraw.Draw(page)
    for left in (20, 180, 340):
        draw.line([(left, 20), (left + 70, 20), (left + 20, 130)], 0, 14)
    three = f"{os.fspath(tmp_path)}/three.png"
    page.save(three)
    assert main(["predict", three]) == 0
    out, err = capsys.readouterr()
    assert "?  " in out
    assert err == f"{three}: there seem to be 3 digits; glassnet read reads them\n"
    assert main(["predict", three, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)[0]
    assert answer["digits"] == 3
    assert answer["doubt"] > THRESHOLD
