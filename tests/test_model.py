import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from glassnet import Model, load_dataset, nn, train
from glassnet.data import Preprocessing
from glassnet.errors import ConfigError, DataError, FileError
from glassnet.tensor_files import open_tensors, write_tensors


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


def test_a_flipped_bit_in_the_weights_is_noticed(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    content = bytearray((tmp_path / "m").read_bytes())
    content[-2] ^= 0x20
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(FileError, match="has changed since it was written"):
        Model.load(tmp_path / "m")


def without_digest(path: Path, version: str) -> None:
    """Write a model file again as an older version, or as one whose digest was damaged."""
    tensors, text = load_file(path), json.loads(safe_open(path, "numpy").metadata()["glassnet"])
    del text["digest"]
    save_file(tensors, path, {"glassnet": json.dumps(text | {"version": version})})


def test_a_damaged_digest_is_not_taken_for_an_older_file(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    without_digest(tmp_path / "m", "3")
    with pytest.raises(FileError, match="has changed since it was written"):
        Model.load(tmp_path / "m")
    older = tmp_path / "older"
    model.save(older)
    without_digest(older, "1")
    np.testing.assert_array_equal(Model.load(older).network.parameters, model.network.parameters)


def test_an_answer_that_is_no_number_is_not_given(model: Model, images: np.ndarray) -> None:
    model.network.parameters *= 1e30
    with pytest.raises(DataError, match="its answer is NaN"):
        model.predict(images)


def test_the_rewriting_of_the_tests_is_harmless(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    rewrite(tmp_path / "m", lambda tensors, metadata, header: None)
    Model.load(tmp_path / "m")


@pytest.fixture
def ensemble(model: Model) -> Model:
    networks = [nn.Network.from_specification(model.network.specification(), 16, seed=seed) for seed in (0, 1, 2)]
    return Model(networks, model.preprocessing, model.classes, "somewhere", "f00d")


def test_an_ensemble_gives_the_mean_of_its_members_probabilities(ensemble: Model, images: np.ndarray) -> None:
    X = images.reshape(-1, 16).astype(np.float32) / 255
    mean = np.mean([nn.softmax(network.forward(X).astype(np.float64)) for network in ensemble.networks], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(images), mean, atol=1e-6)
    np.testing.assert_allclose(ensemble.logits(images), np.log(mean), atol=1e-5)
    np.testing.assert_array_equal(ensemble.predict(images), mean.argmax(axis=1))
    assert ensemble.logits(images).dtype == np.float32


def test_members_that_are_very_sure_still_have_finite_logits(ensemble: Model, images: np.ndarray) -> None:
    for network in ensemble.networks:
        network.layers[-1].W *= 1e4
    Z = ensemble.logits(images)
    assert np.isfinite(Z).all()
    assert Z.min() < -1_000
    np.testing.assert_allclose(ensemble.predict_proba(images).sum(axis=1), 1, atol=1e-6)


def test_a_saved_ensemble_is_one_file_and_the_same_model(ensemble: Model, images: np.ndarray, tmp_path: Path) -> None:
    ensemble.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(images), ensemble.predict_proba(images))
    assert len(loaded.networks) == 3
    assert loaded.size == 3 * loaded.network.parameters.size
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    with open_tensors(tmp_path / "m", "model") as file:
        assert file.metadata["version"] == "3"


def test_the_file_of_one_network_has_its_tensors_by_name(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    with open_tensors(tmp_path / "m", "model") as file:
        assert file.metadata["version"] == "3"
        keys = ["layers", "dtype", "classes", "preprocessing", "trained_on", "fingerprint"]
        assert list(json.loads(file.metadata["header"])) == keys
        assert sorted(file.shapes) == sorted(model.network.named_parameters | model.network.named_statistics)


ENSEMBLE_CHANGES = {
    "a member missing": (
        lambda t, m, h: [t.pop(name) for name in list(t) if name.startswith("member-3.")],
        r"'member-3\.0\.W' is missing",
    ),
    "a member that the header does not count": (lambda t, m, h: h.update(members=2), "belongs to none of the layers"),
    "a member of another shape": (
        lambda t, m, h: t.update({"member-2.0.W": np.zeros((16, 6), np.float32)}),
        r"'member-2\.0\.W' has shape \(16, 6\), expected",
    ),
    "a member with other classes": (
        lambda t, m, h: t.update({"member-2.4.b": np.zeros(4, np.float32)}),
        r"'member-2\.4\.b' has shape \(4,\), expected",
    ),
    "a NaN in the last member": (
        lambda t, m, h: t["member-3.4.b"].__setitem__(0, np.nan),
        r"'member-3\.4\.b' holds a number that is not finite",
    ),
    "a negative variance": (
        lambda t, m, h: t["member-2.1.running_variance"].__setitem__(0, -1),
        "negative variance",
    ),
    "101 members": (lambda t, m, h: h.update(members=101), "members: .* less than or equal to 100"),
    "no members": (lambda t, m, h: h.update(members=0), "damaged metadata: members"),
    "members that are a text": (lambda t, m, h: h.update(members="3"), "damaged metadata: members"),
    "the version of one network": (lambda t, m, h: m.update(version="1"), "version '1' with 3 members"),
    "a version to come": (lambda t, m, h: m.update(version="4"), "version '4'"),
}


@pytest.mark.parametrize("name", ENSEMBLE_CHANGES)
def test_an_ensemble_file_that_was_tampered_with(ensemble: Model, tmp_path: Path, name: str) -> None:
    change, complaint = ENSEMBLE_CHANGES[name]
    ensemble.save(tmp_path / "m")
    rewrite(tmp_path / "m", change)
    with pytest.raises(FileError, match=complaint) as error:
        Model.load(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_networks_and_models_that_cannot_be_joined(model: Model, ensemble: Model) -> None:
    joined = Model.join([model, ensemble])
    assert joined.networks == (*model.networks, *ensemble.networks)
    form = model.preprocessing
    other = nn.Network([nn.Dense(3)], 16)
    with pytest.raises(DataError, match="same layers"):
        Model([model.network, other], form, model.classes)
    with pytest.raises(DataError, match="a model of 0 networks"):
        Model([], form, model.classes)
    with pytest.raises(DataError, match="a model of 102 networks"):
        Model.join([ensemble] * 34)
    with pytest.raises(DataError, match="same preprocessing, classes and data"):
        Model.join([model, Model(model.network, form, ("a", "b", "z"), "somewhere", "f00d")])
    with pytest.raises(DataError, match="same preprocessing, classes and data"):
        Model.join([])


@pytest.mark.parametrize("shifts", [1, 2, 3])
@pytest.mark.parametrize("ground", [0, 255])
def test_the_mean_over_shifts_is_that_of_a_loop(ensemble: Model, images: np.ndarray, shifts: int, ground: int) -> None:
    form = Preprocessing(height=4, width=4, scale=1 / 255, shift=0.1, box=4, dark_on_light=ground == 255)
    model, images = Model(ensemble.networks, form, ensemble.classes), images[:30]
    expected, places = np.zeros((30, 3)), 0
    for down in range(-shifts, shifts + 1):
        for right in range(-shifts, shifts + 1):
            moved = np.full_like(images, ground)
            for y in range(4):
                for x in range(4):
                    if 0 <= y + down < 4 and 0 <= x + right < 4:
                        moved[:, y + down, x + right] = images[:, y, x]
            expected += model.predict_proba(moved)
            places += 1
    assert places == (2 * shifts + 1) ** 2
    np.testing.assert_allclose(model.predict_proba(images, shifts=shifts), expected / places, atol=1e-6)
    np.testing.assert_array_equal(model.predict(images, shifts=shifts), expected.argmax(axis=1))


def test_no_shift_is_the_image_itself_bit_for_bit(model: Model, images: np.ndarray) -> None:
    X = images[:512].reshape(-1, 16).astype(np.float32) * np.float32(1 / 255)
    expected = model.network.forward(X)
    np.testing.assert_array_equal(model.logits(images, shifts=0)[:512], expected)


@pytest.mark.parametrize("shifts", [-1, 4, 0.5, 1.0, "1", None, np.array([0, 1])])
def test_shifts_that_cannot_be(model: Model, images: np.ndarray, shifts: Any) -> None:
    with pytest.raises(ConfigError, match="shifts: must be a whole number from 0 to 3") as error:
        model.predict_proba(images, shifts=shifts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("members", "shifts", "sizes"), [
    (1, 0, range(1, 601)),
    (1, 1, range(1, 601, 7)),
    (3, 0, range(1, 601, 3)),
    (3, 2, range(1, 601, 40)),
])  # fmt: skip
def test_many_threads_get_what_each_would_get_alone(members: int, shifts: int, sizes: range) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (600, 20, 20), np.uint8)

    def network(seed: int) -> nn.Network:
        made = nn.Network([nn.Dense(12), nn.BatchNorm(), nn.GELU(), nn.Dense(10)], 400, seed=seed)
        made.statistics += 0.5
        return made

    form = Preprocessing(height=20, width=20, scale=1 / 255, shift=0.1, box=20, dark_on_light=False)
    model = Model([network(seed) for seed in range(members)], form, tuple("0123456789"))

    def ask(size: int) -> np.ndarray:
        return model.logits(pictures[600 - size :], shifts)

    alone = [ask(size) for size in sizes]
    with ThreadPoolExecutor(8) as threads:
        for found, expected in zip(threads.map(ask, sizes), alone, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))], ids=["copy", "pickle"]
)
def test_a_model_that_has_been_asked_can_be_copied_and_sent(
    duplicate: Callable[[Model], Model], model: Model, images: np.ndarray
) -> None:
    answer = model.predict_proba(images)
    np.testing.assert_array_equal(duplicate(model).predict_proba(images), answer)


def test_an_ensemble_needs_memory_for_one_of_its_networks() -> None:
    layers = [nn.Network([nn.Dense(2_000), nn.Dense(3)], 16, seed=seed) for seed in range(20)]
    form = Preprocessing(height=4, width=4, scale=1 / 255, shift=0.0, box=4, dark_on_light=False)
    ensemble, images = Model(layers, form, ("a", "b", "c")), np.zeros((512, 4, 4), np.uint8)
    tracemalloc.start()
    try:
        ensemble.predict(images)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 2 * 512 * 2_000 * 4  # bytes: twice one network's activations


@pytest.mark.parametrize("top", [1, 16])
def test_a_model_takes_the_scale_that_it_was_trained_on_and_warns_of_another(tmp_path, top):
    counts = np.random.default_rng(0).integers(0, top + 1, (200, 4, 4))
    labels = np.arange(200) % 2
    counts[labels == 1, :2] = top
    counts[labels == 0, :2] = 0
    trained = train(load_dataset((counts, labels), classes=2), epochs=20, out=tmp_path / "run").model
    right = trained.predict_proba(counts)
    model = Model.load(tmp_path / "run" / "model.safetensors")
    assert (model.predict(counts) == labels).all()
    for same in (counts.astype(np.uint8), counts.astype(float), counts / top, np.rint(counts * 255 / top)):
        assert np.allclose(model.predict_proba(same), right, atol=1e-6)
    bright = train(load_dataset((counts * (255 // top), labels), classes=2), epochs=1, out=tmp_path / "other").model
    with pytest.warns(UserWarning, match=f"no pixel is above {top}, taken as gray values from 0 to 255"):
        bright.predict(counts)
