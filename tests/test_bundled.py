"""The model that comes with glassnet is what its figures say, and is there without being named."""

import hashlib
import json
import os
import tomllib

import numpy as np
import pytest
from PIL import Image

import bundled
import glassnet
from glassnet import load_dataset, train
from glassnet.cli import main
from glassnet.data.synthetic import drawn_digits
from glassnet.errors import FileError
from glassnet.nn import Conv2D, Dense, SoftmaxCrossEntropy
from glassnet.training import BUNDLED, Config, open_model

FIGURES = json.loads(BUNDLED.with_name("figures.json").read_text())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Thirty digits of 8×8 pixels, drawn dark on light and large, and what they are."""
    folder, test = tmp_path_factory.mktemp("pictures"), load_dataset("digits").test
    paths = [folder / f"{i}.png" for i in range(30)]
    for path, image in zip(paths, test.images, strict=False):
        Image.fromarray(255 - image).resize((160, 160), Image.Resampling.BICUBIC).save(path)
    return [str(path) for path in paths], test.labels[:30]


def test_the_file_is_the_one_that_was_measured_and_small():
    content = BUNDLED.read_bytes()
    assert hashlib.sha256(content).hexdigest() == FIGURES["sha256"]
    assert len(content) == FIGURES["bytes"] <= 2_000_000


def test_its_configuration_is_beside_it():
    settings = tomllib.loads(BUNDLED.with_name("config.toml").read_text())
    model = open_model()
    units = [layer.W.shape[-1] for layer in model.network.layers if isinstance(layer, Dense | Conv2D)]
    assert units == [40, 40, 80, 80, 160, 320, 10]
    assert tuple(settings["layers"]) == Config.resolve("bundled").layers
    assert (settings["recipe"], settings["data"], settings["seed"]) == ("bundled", "mnist", FIGURES["seed"])
    assert model.classes == tuple("0123456789")


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_its_accuracy_is_the_stated_one():
    test = load_dataset("mnist").test
    assert len(test) == FIGURES["test_images"] == 10_000
    assert np.mean(open_model().predict(test.images) == test.labels) == pytest.approx(
        FIGURES["test_accuracy"], abs=1.5e-4
    )  # another processor may round one image to the other side


def test_a_digit_is_recognised_at_once(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    paths, labels = pictures
    assert main(["predict", *paths, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["input"] for answer in answers] == paths
    said = [int(answer["label"]) for answer in answers]
    assert np.mean(said == labels) > 0.7  # other people's hands than MNIST's
    assert main(["predict", str(BUNDLED), *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answers
    assert list(tmp_path.iterdir()) == []


def test_from_python_too():
    assert repr(glassnet.open_model()).startswith("Model(28×28 pixels to 10 classes")
    with pytest.raises(FileError, match="no run folder or model file there"):
        open_model("nowhere")


def test_evaluate_takes_data_alone(mnist_folder, capsys):
    assert main(["evaluate", str(mnist_folder), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["count"] == 20
    assert main(["evaluate", str(BUNDLED), str(mnist_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == alone
    assert main(["evaluate", str(mnist_folder)]) == 0
    assert "bundled with glassnet" in capsys.readouterr().out


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_explain_needs_no_run(capsys):
    assert main(["explain", "--image", "3"]) == 0
    assert capsys.readouterr().out.startswith("Test image 3 of the bundled model")


def test_a_model_that_is_calibrated_has_the_least_loss_of_all_temperatures(tmp_path):
    images = load_dataset("digits")
    run = train(images, "small", out=tmp_path / "run", epochs=3, label_smoothing=0.2)
    model, loss = run.model, SoftmaxCrossEntropy(10)
    labels, answers = model.predict(images.test.images), loss(model.logits(images.test.images), images.test.labels)
    temperature = bundled.calibrate(model, images.test)
    Z = model.logits(images.test.images)
    assert temperature < 0.9  # smoothed labels leave it less sure than it is right
    least = loss(Z, images.test.labels).value
    assert least < answers.value
    assert least < min(loss(Z * np.float32(factor), images.test.labels).value for factor in (0.95, 1.05))
    np.testing.assert_array_equal(model.predict(images.test.images), labels)


def test_a_bundle_is_a_model_its_settings_and_its_figures(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    drawn = [drawn_digits(count, rng) for count in (1500, 200, 300)]
    mnist = load_dataset((drawn[0].images, drawn[0].labels, drawn[1].images, drawn[1].labels))
    synthetic = load_dataset((drawn[2].images, drawn[2].labels))
    monkeypatch.setattr(bundled, "STRANGERS", 180)
    data = bundled.training_data(mnist, synthetic)
    assert data.classes == (*mnist.classes, "no digit")
    assert np.count_nonzero(data.train.labels == 10) >= 180
    run = train(data, "fast", out=tmp_path / "run", epochs=4)
    figures = bundled.write_bundle(run, data, mnist, tmp_path / "bundle" / "digits.safetensors")
    names = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert names == {"digits.safetensors", "config.toml", "figures.json"}
    model = open_model(tmp_path / "bundle" / "digits.safetensors")
    assert model.classes == mnist.classes
    assert model.doubts is not None
    logits, trained = model.logits(mnist.test.images), run.model.logits(mnist.test.images)[:, :10]
    temperature = trained[0, 0] / logits[0, 0]
    np.testing.assert_allclose(logits * temperature, trained, atol=1e-3)
    assert figures["test_accuracy"] == np.mean(model.predict(mnist.test.images) == mnist.test.labels) > 0.7
    assert json.loads((tmp_path / "bundle" / "figures.json").read_text()) == figures

    monkeypatch.setattr(bundled, "MAX_BYTES", figures["bytes"] - 1)
    with pytest.raises(FileError, match="use fewer units"):
        bundled.write_bundle(run, data, mnist, tmp_path / "full" / "digits.safetensors")
    assert not (tmp_path / "full").exists()
