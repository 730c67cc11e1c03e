import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet import Model, nn
from glassnet.data import Preprocessing
from glassnet.errors import DataError, FileError
from glassnet.files import open_tensors, write_tensors


@pytest.fixture
def model() -> Model:
    layers = [nn.Dense(5), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.5), nn.Dense(3)]
    form = Preprocessing(height=4, width=4, scale=1 / 255, shift=0.0, box=4, dark_on_light=False)
    return Model(nn.Network(layers, 16), form, ("a", "b", "c"), "somewhere", "f00d")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1_100, 4, 4)).astype(np.uint8)


def test_predictions_are_those_of_the_network(model: Model, images: np.ndarray) -> None:
    X = images.reshape(-1, 16).astype(np.float32) / 255
    expected = nn.softmax(model.network.forward(X))
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-6)
    np.testing.assert_array_equal(model.predict(images), expected.argmax(axis=1))
    np.testing.assert_allclose(model.predict_proba(images).sum(axis=1), 1, atol=1e-6)


def test_one_image_and_rows_of_pixels(model: Model, images: np.ndarray) -> None:
    one = model.predict_proba(images[3])
    assert one.shape == (1, 3)
    np.testing.assert_allclose(one, model.predict_proba(images)[3:4], atol=1e-6)
    np.testing.assert_array_equal(model.predict(images.reshape(-1, 16)), model.predict(images))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 5, 5), np.uint8), np.full((2, 4, 4), np.nan), np.full((2, 4, 4), 256), np.full((1, 4, 4), -1)],
)
def test_images_that_do_not_fit(model: Model, wrong: np.ndarray) -> None:
    with pytest.raises(DataError):
        model.predict(wrong)


def test_a_saved_model_is_the_same_model(model: Model, images: np.ndarray, tmp_path: Path) -> None:
    model.network.statistics += 0.5
    model.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))
    assert loaded.network.specification() == model.network.specification()
    assert (loaded.classes, loaded.trained_on, loaded.fingerprint) == (("a", "b", "c"), "somewhere", "f00d")
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_a_network_that_is_not_finite_is_not_saved(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    model.network.parameters[7] = np.nan
    with pytest.raises(FileError, match=r"'0\.W' holds a number that is not finite"):
        model.save(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == before


def rewrite(path: Path, change: Any) -> None:
    """Write a model file again after ``change(tensors, metadata, header)``."""
    with open_tensors(path, "model") as file:
        tensors = {name: file._handle.get_tensor(name) for name in file.shapes}
        metadata = dict(file.metadata)
    header = json.loads(metadata["header"])
    change(tensors, metadata, header)
    write_tensors(path, tensors, {"header": json.dumps(header)} | {k: v for k, v in metadata.items() if k != "header"})


CHANGES = {
    "a wrong shape": (lambda t, m, h: t.update({"0.W": np.zeros((16, 6), np.float32)}), r"shape \(16, 6\), expected"),
    "a NaN": (lambda t, m, h: t["0.b"].__setitem__(0, np.nan), "'0.b' holds a number that is not finite"),
    "a missing tensor": (lambda t, m, h: t.pop("1.gamma"), "'1.gamma' is missing"),
    "another dtype": (lambda t, m, h: h.update(dtype="float64"), r"holds F32, expected float64"),
    "an unknown version": (lambda t, m, h: m.update(version="99"), "version '99'"),
    "an unknown layer": (lambda t, m, h: h["layers"][0].update(layer="Evil"), "unknown layer 'Evil'"),
    "an unknown setting": (lambda t, m, h: h["layers"][0].update(colour=1), "damaged metadata"),
    "a huge layer": (lambda t, m, h: h["layers"][0].update(units=10**12), "expected"),
    "units that are a text": (lambda t, m, h: h["layers"][0].update(units="5"), "damaged metadata"),
    "units that are a fraction": (lambda t, m, h: h["layers"][0].update(units=5.0), "damaged metadata"),
    "no layers": (lambda t, m, h: h.update(layers=[]), "outputs"),
    "a class too many": (lambda t, m, h: h["classes"].append("d"), "outputs"),
    "classes that are numbers": (lambda t, m, h: h.update(classes=[1, 2, 3]), "classes"),
    "no preprocessing": (lambda t, m, h: h.pop("preprocessing"), "preprocessing"),
    "a scale that is infinite": (lambda t, m, h: h["preprocessing"].update(scale=float("inf")), "damaged metadata"),
    "a negative variance": (lambda t, m, h: t["1.running_variance"].__setitem__(0, -1), "negative variance"),
    "two classes of one name": (lambda t, m, h: h.update(classes=["a", "a", "b"]), "same name"),
    "something more": (lambda t, m, h: h.update(run="rm -rf /"), "damaged metadata"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_was_tampered_with(model: Model, tmp_path: Path, name: str) -> None:
    change, complaint = CHANGES[name]
    model.save(tmp_path / "m")
    rewrite(tmp_path / "m", change)
    with pytest.raises(FileError, match=complaint) as error:
        Model.load(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_an_answer_that_is_no_number_is_not_given(model: Model, images: np.ndarray) -> None:
    model.network.parameters *= 1e30
    with pytest.raises(DataError, match="its answer is no number"):
        model.predict(images)


def test_the_rewriting_of_the_tests_is_harmless(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    rewrite(tmp_path / "m", lambda tensors, metadata, header: None)
    Model.load(tmp_path / "m")
