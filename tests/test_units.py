"""Units, their exact sums, the images that excite them, and maps of the last hidden layer."""

import builtins
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from glassnet import load_dataset
from glassnet.data import Examples, Preprocessing
from glassnet.errors import ConfigError, DataError
from glassnet.explain import project, top_images, trace
from glassnet.explain.units import connections, unit_layers
from glassnet.model import Model
from glassnet.nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    LeakyReLU,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
)

SHAPE = (8, 8)
NETWORKS = {
    "dense": lambda: [Dense(12), BatchNorm(), ReLU(), Dropout(0.3), Dense(7), GELU(), Dense(4)],
    "no hidden layer": lambda: [Dense(4)],
    "normalised input": lambda: [BatchNorm(), Dense(5), Sigmoid(), Dense(4)],
    "convolutions": lambda: [
        Reshape((8, 8, 1)), Conv2D(3, 3, 1, "same"), MaxPool2D(2), BatchNorm(), ReLU(),
        Conv2D(5, (2, 3), 2, 1), LeakyReLU(), AveragePool2D(2, 1), Flatten(), Dense(6), ReLU(), Dense(4),
    ],
    "a global pool": lambda: [Reshape((8, 8, 1)), Conv2D(6, 3, 2), ReLU(), GlobalAveragePool2D(), Dense(4)],
    "overlapping pools": lambda: [Reshape((8, 8, 1)), MaxPool2D(3, 2), Conv2D(4, 3), GlobalAveragePool2D()],
}  # fmt: skip


def model_of(layers, dtype=np.float32):
    network = Network(layers, 64, dtype=dtype, seed=3)
    rng = np.random.default_rng(4)
    network.parameters += rng.normal(0, 0.1, network.parameters.shape).astype(dtype)
    network.statistics += rng.uniform(0.1, 0.5, network.statistics.shape).astype(dtype)
    form = Preprocessing(height=8, width=8, scale=1 / 255, shift=0.0, box=8, dark_on_light=False)
    return Model(network, form, ("ant", "bee", "cat", "dog"))


@pytest.fixture(params=NETWORKS)
def model(request):
    return model_of(NETWORKS[request.param]())


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def examples():
    rng = np.random.default_rng(1)
    return Examples(rng.integers(0, 256, (700, *SHAPE), dtype=np.uint8), rng.integers(0, 4, 700))


def test_the_terms_of_every_unit_add_up_to_what_forward_gives(model, image):
    seen = trace(model, image)
    logits = model.logits(image)[0]
    np.testing.assert_array_equal(seen.activations(-1), logits)
    np.testing.assert_allclose(seen.probabilities, model.predict_proba(image)[0], rtol=1e-6)
    for level, layer in enumerate(seen.layers[1:], 1):
        for unit in range(layer.size):
            own = seen.unit(level, unit)
            assert own.activation == seen.activations(level)[unit]
            terms = own.terms.astype(np.float64)
            if layer.kind == "max pool":
                assert own.values[0] == terms.max()
            else:
                size = np.abs(terms).sum() + abs(own.connections.bias)
                assert own.values[0] == pytest.approx(terms.sum() + own.connections.bias, abs=4e-7 * size)


def test_a_normalisation_is_the_one_that_the_numbers_say(image):
    own = trace(model_of(NETWORKS["dense"]()), image).unit(1, 5)
    (norm,) = own.connections.normalisation.values()
    total, normalised, activation = own.values
    by_hand = (total - norm["mean"]) / norm["deviation"] * norm["gamma"] + norm["beta"]
    assert normalised == pytest.approx(by_hand, rel=1e-5)
    assert activation == max(normalised, 0)


def test_each_pixel_has_the_normalisation_of_its_own_column(image):
    own = trace(model_of(NETWORKS["normalised input"]()), image).unit(0, 37)
    (norm,) = own.connections.normalisation.values()
    scaled = image.ravel()[37] / 255
    by_hand = (scaled - norm["mean"]) / norm["deviation"] * norm["gamma"] + norm["beta"]
    assert own.values == pytest.approx((scaled, by_hand), rel=1e-5)


def test_what_goes_out_of_a_unit_comes_into_the_others(model):
    layers = unit_layers(model)
    for level in range(len(layers) - 1):
        for unit in range(0, layers[level].size, 5):
            given = connections(model.network, layers, level, unit)
            for k, above in enumerate(given.outputs.tolist()):
                taken = connections(model.network, layers, level + 1, above)
                (place,) = np.flatnonzero(taken.inputs == unit)
                if given.output_weights is None:
                    assert taken.weights is None
                else:
                    assert given.output_weights[k] == pytest.approx(taken.weights[place])
        looked_at = {int(i) for u in range(layers[level + 1].size)
                     for i in connections(model.network, layers, level + 1, u).inputs}  # fmt: skip
        silent = [u for u in range(layers[level].size) if not connections(model.network, layers, level, u).outputs.size]
        assert looked_at.isdisjoint(silent)
        assert len(looked_at) + len(silent) == layers[level].size


def test_layers_have_names_and_units_have_places():
    layers = unit_layers(model_of(NETWORKS["convolutions"]()))
    assert [layer.name for layer in layers] == [
        "input", "hidden layer 1", "pool 1", "hidden layer 2", "pool 2", "hidden layer 3", "output",
    ]  # fmt: skip
    assert layers[0].place(9) == "row 2, column 2"
    assert layers[1].place(3 * 9 + 2) == "filter 3, row 2, column 2"
    assert layers[-1].place(0) == "unit 1"


def test_a_sum_is_printed_with_its_largest_terms_first(image):
    seen = trace(model_of(NETWORKS["dense"]()), image)
    lines = str(seen.unit(1, 2)).splitlines()
    assert lines[0].startswith("hidden layer 1, unit 3: ")
    sizes = [abs(float(re.search(r"= (−?[\d.]+)", line)[1].replace("−", "-"))) for line in lines[1:7]]
    assert sizes == sorted(sizes, reverse=True)
    assert "the other 58" in lines[7]
    assert any(line.strip().startswith("BatchNorm: (") for line in lines)
    assert "probability" in str(seen.unit(3, 0))
    assert "of 255" in str(seen.unit(0, 0))
    assert all(len(line) <= 80 for line in lines)


def test_a_maximum_is_printed_as_one(image):
    lines = str(trace(model_of(NETWORKS["convolutions"]()), image).unit(2, 0)).splitlines()
    assert lines[5].strip().startswith("the largest of 4 is ")
    assert lines[1].split()[0] == lines[5].split()[-1]


@pytest.mark.parametrize(("layer", "unit"), [(9, 0), (-1, 0), (1, 12), (1, -1)])
def test_a_unit_that_is_not_there(image, layer, unit):
    with pytest.raises(DataError, match=r"layer|unit"):
        trace(model_of(NETWORKS["dense"]()), image).unit(layer, unit)


def test_only_one_image_of_the_right_shape_is_traced(image):
    model = model_of(NETWORKS["dense"]())
    with pytest.raises(DataError, match="one is traced"):
        trace(model, np.stack([image, image]))
    with pytest.raises(DataError, match="shape"):
        trace(model, image[:5])


def test_the_images_that_excite_a_unit_most(model, examples):
    found = top_images(model, examples, 5)
    everything = [trace(model, image) for image in examples.images[:700:7]]
    assert len(found) == len(everything[0].layers)
    some = top_images(model, examples.take(np.arange(0, 700, 7)), 5)
    for level, layer in enumerate(everything[0].layers):
        values = np.stack([one.activations(level).reshape(layer.shape) for one in everything])
        if layer.kind == "input":
            values = values.reshape(len(values), -1)
        elif values.ndim == 4:
            values = values.max(axis=(1, 2))
        np.testing.assert_allclose(some[level].activations, -np.sort(-values, axis=0)[:5].T, rtol=2e-4, atol=1e-5)
        rows = {layer.feature(unit) for unit in range(layer.size)}
        assert rows == set(range(len(some[level].indices)))
    best = trace(model, examples.images[found[-1].indices[2, 0]]).activations(-1)[2]
    assert best == pytest.approx(found[-1].activations[2, 0], rel=1e-4)
    assert (np.diff(found[-1].activations, axis=1) <= 0).all()


def test_images_that_do_not_fit_excite_nothing(model, examples):
    with pytest.raises(DataError, match="8×8"):
        top_images(model, Examples(np.zeros((3, 5, 5), np.uint8), np.zeros(3, np.int64)))
    with pytest.raises(ConfigError, match="count"):
        top_images(model, examples, 0)


def test_a_map_by_pca_is_the_singular_vectors(model, examples):
    found = project(model, examples)
    A = np.stack([trace(model, image).activations(-2) for image in examples.images]).astype(np.float64)
    U, S, _ = np.linalg.svd(A - A.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(U[:, :2] * S[:2]), rtol=2e-2, atol=2e-3 * S[0])
    np.testing.assert_allclose(found.explained, S[:2] ** 2 / (S**2).sum(), rtol=1e-3)
    np.testing.assert_allclose(found.place(examples.images[:4]), found.coordinates[:4], atol=1e-4 * S[0])


def test_a_layer_of_one_unit_makes_a_line(examples):
    found = project(model_of([Dense(1), Dense(4)]), examples)
    assert found.coordinates.shape == (700, 2)
    assert not found.coordinates[:, 1].any()


def test_a_map_that_cannot_be_made(model, examples):
    with pytest.raises(ConfigError, match="did you mean 'umap'"):
        project(model, examples, "umpa")
    with pytest.raises(DataError, match="3 or more"):
        project(model, examples.take(np.arange(2)))


def test_without_umap_a_line_says_what_to_install(examples, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "umap":
            raise ModuleNotFoundError("No module named 'umap'", name="umap")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs umap, which is missing; pip install"):
        project(model_of(NETWORKS["dense"]()), examples, "umap")


def test_a_map_by_umap_keeps_the_classes_of_digits_together():
    pytest.importorskip("umap")
    data = load_dataset("digits")
    model = model_of(NETWORKS["no hidden layer"]())
    some = data.test.take(np.arange(200))
    found = project(model, some, "umap")
    apart = np.linalg.norm(found.coordinates[:, None] - found.coordinates, axis=2) + np.diag([np.inf] * 200)
    assert np.mean(some.labels[apart.argmin(axis=1)] == some.labels) > 0.9
    assert found.place(some.images[:2]).shape == (2, 2)


def test_a_map_by_umap_is_entered_by_one_thread_at_a_time(monkeypatch):
    umap = pytest.importorskip("umap")
    digits = load_dataset("digits")
    found = [project(model_of(NETWORKS["dense"]()), digits.test.take(np.arange(n)), "umap") for n in (40, 60)]
    transform, inside, most = umap.UMAP.transform, [], []

    def watched(self, A):
        inside.append(None)
        most.append(len(inside))
        time.sleep(0.01)  # so that others come meanwhile, if they can
        try:
            return transform(self, A)
        finally:
            inside.pop()

    monkeypatch.setattr(umap.UMAP, "transform", watched)
    with ThreadPoolExecutor(4) as threads:
        places = list(threads.map(lambda i: found[i % 2].place(digits.train.images[:2]), range(8)))
    assert most == [1] * 8
    np.testing.assert_array_equal(places[0], places[6])
