"""Networks that are described by entries, from the settings to the layers and through whole runs."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glassnet
from glassnet import DigitClassifier, load_dataset, resume, train
from glassnet.errors import ConfigError, DataError, TrainingError
from glassnet.model import Model
from glassnet.nn import AveragePool2D, Conv2D, Dense, Dropout, GlobalAveragePool2D, MaxPool2D, Network, SpatialDropout2D
from glassnet.training import Callback, Config, build_network
from glassnet.training.architecture import layer_of
from glassnet.training.run_loop import RunLoop

TINY = {"layers": ["conv 4 3x3", "pool 2", "dense 32"], "epochs": 2, "batch_size": 100, "threads": 1}
CHANNELS = {"layers": ["conv 6 3x3", "spatial dropout 0.3", "pool 2", "dense 32"]}


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def kinds(config, shape=(8, 8)):
    return [type(layer).__name__ for layer in build_network(config, shape, 10).layers]


@pytest.mark.parametrize(
    ("entry", "layer"),
    [
        ("conv 32 5x3", Conv2D(32, (5, 3))),
        ("conv 32 5x5 stride 2", Conv2D(32, 5, 2)),
        ("conv 8 3x3 same", Conv2D(8, 3, 1, "same")),
        ("conv 8 3x3 valid", Conv2D(8, 3)),
        ("conv 8 3x3 padding 0", Conv2D(8, 3)),
        ("conv 8 3x3 stride 3 padding 2", Conv2D(8, 3, 3, 2)),
        ("pool 2", MaxPool2D(2)),
        ("max pool 3 stride 2", MaxPool2D(3, 2)),
        ("average pool 2", AveragePool2D(2)),
        ("average pool 3 stride 1", AveragePool2D(3, 1)),
        ("global pool", GlobalAveragePool2D()),
        ("dense 128", Dense(128)),
        ("dropout 0.5", Dropout(0.5)),
        ("dropout .25", Dropout(0.25)),
        ("dropout 0", Dropout(0.0)),
        ("spatial dropout 0.2", SpatialDropout2D(0.2)),
    ],
)
def test_an_entry_names_a_layer(entry, layer):
    assert repr(layer_of(entry)) == repr(layer)


@pytest.mark.parametrize(
    "given",
    [
        "conv 4 3x3, pool 2, dense 32",
        ["conv 4 3x3", "pool 2", "dense 32"],
        ("conv 4  3x3 ,pool 2", " dense 32"),
        ["conv 4 3x3,pool 2,dense 32,"],
    ],
)
def test_entries_come_as_a_list_or_with_commas_between_them(given):
    assert Config.of(layers=given).layers == ("conv 4 3x3", "pool 2", "dense 32")


def test_each_layer_with_weights_has_its_normalisation_and_activation_and_dropout_follows_dense_ones():
    config = Config.of(layers=TINY["layers"], batch_norm=True, dropout=0.2, activation=["tanh", "relu"])
    hidden = ["Conv2D", "MaxPool2D", "BatchNorm", "Tanh", "Flatten", "Dense", "BatchNorm", "ReLU", "Dropout"]
    assert kinds(config) == ["Reshape", *hidden, "Dense"]
    assert kinds(Config.of(layers="conv 4 3x3")) == ["Reshape", "Conv2D", "ReLU", "Flatten", "Dense"]
    assert kinds(Config.of(layers="dropout 0.1, conv 4 3x3, global pool")) == [
        "Dropout", "Reshape", "Conv2D", "ReLU", "GlobalAveragePool2D", "Dense"
    ]  # fmt: skip
    network = build_network(Config.of(layers="conv 4 3x3", initializer="uniform", initializer_scale=0.1), (8, 8), 10)
    assert 0.05 < np.abs(network.layers[1].W).max() <= 0.1


def test_a_max_pool_comes_before_the_activation_and_computes_the_same():
    assert kinds(Config.of(layers="conv 4 3x3, pool 2")) == [
        "Reshape",
        "Conv2D",
        "MaxPool2D",
        "ReLU",
        "Flatten",
        "Dense",
    ]
    for layers in ("conv 4 3x3, average pool 2", "conv 4 3x3, dropout 0.1, pool 2"):
        assert kinds(Config.of(layers=layers))[1:3] == ["Conv2D", "ReLU"]
    assert kinds(Config.of(layers="conv 4 3x3, pool 2", activation="gelu"))[2:4] == ["GELU", "MaxPool2D"]
    network = build_network(Config.of(layers="conv 4 3x3, pool 2", activation="tanh", precision="float64"), (8, 8), 10)
    layers = [type(layer)(**settings_of(layer)) for layer in network.layers]
    layers[2:4] = layers[3], layers[2]
    other = Network(layers, 64, dtype=np.float64)
    other.parameters[...] = network.parameters
    X = np.random.default_rng(0).normal(size=(5, 64))
    np.testing.assert_allclose(other.forward(X), network.forward(X), rtol=1e-12)


def settings_of(layer):
    return {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer) if field.init}


def test_dense_entries_are_hidden_written_out():
    short = build_network(Config.of(hidden=[12, 8]), (8, 8), 10)
    long = build_network(Config.of(layers="dense 12, dense 8"), (8, 8), 10)
    assert short.specification() == long.specification()
    np.testing.assert_array_equal(short.parameters, long.parameters)
    assert kinds(Config.of(layers="dense 8"), (64,)) == ["Dense", "ReLU", "Dense"]


def test_of_hidden_and_layers_the_one_given_last_holds(tmp_path):
    assert Config.resolve("fast", layers="conv 4 3x3").hidden == ()
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "fast"\nlayers = ["conv 4 3x3", "dense 8"]\n')
    assert Config.resolve(file).entries == ("conv 4 3x3", "dense 8")
    other = Config.resolve(file, hidden=[9])
    assert (other.layers, other.hidden) == ((), (9,))
    assert Config.resolve(file, layers="dense 7").entries == ("dense 7",)
    with pytest.raises(ConfigError, match="layers: hidden is given as well"):
        Config.resolve("fast", layers="conv 4 3x3", hidden=[9])
    for config in (Config.resolve(file), other):
        path = tmp_path / "config.toml"
        path.write_text(config.to_toml())
        assert Config.load(path) == config
        path.write_text(config.to_recipe())
        assert Config.resolve(path).entries == config.entries


WRONG = {
    "cnv 32 5x5": "'cnv 32 5x5' is not a layer; write conv 32 5x5, pool 2,",
    "conv 32": "is not a layer",
    "conv 32 5": "is not a layer",
    "conv 32 5x5 stride": "is not a layer",
    "conv 32 5x5 same stride 2": "is not a layer",
    "conv ٣ 5x5": "is not a layer",
    "dense": "is not a layer",
    "global pool 3": "is not a layer",
    "conv 0 5x5": "numbers in 'conv 0 5x5' must be from 1 to 100,000",
    "dense 100001": "must be from 1 to 100,000",
    "pool 0": "must be from 1 to 100,000",
    "conv 4 3x3 padding 3": "whole number less than its size, not 3 with 3×3",
    "dropout 1.5": "less than 1, not 1.5",
    "spatial dropout 1": "less than 1, not 1",
}


@pytest.mark.parametrize("entry", WRONG)
def test_what_is_no_entry_is_refused_in_a_line_that_names_it(entry):
    with pytest.raises(ConfigError) as caught:
        Config.of(layers=["conv 4 3x3", entry])
    line = str(caught.value)
    assert line.startswith("layers: ")
    assert WRONG[entry] in line
    assert "\n" not in line


@pytest.mark.parametrize("value", [3, ["conv 4 3x3", 5], {"conv": 4}, True])
def test_layers_are_strings(value):
    with pytest.raises(ConfigError, match="layers: "):
        Config.of(layers=value)


UNFIT = {
    "conv 4 9x9": "'conv 4 9x9' does not fit: filters of 9×9 are larger than images of 8×8; make it smaller",
    "conv 4 5x5, pool 2, conv 4 3x3": "'conv 4 3x3' does not fit: filters of 3×3 are larger than images of 2×2",
    "conv 4 3x3, pool 7": "'pool 7' does not fit: a pool of 7×7 leaves nothing of images of 6×6",
    "dense 8, conv 4 3x3": "'conv 4 3x3' takes images, and the layers before it leave rows of 8 numbers",
    "conv 4 3x3, dense 8, pool 2": "'pool 2' takes images",
    "global pool, conv 4 3x3": "'conv 4 3x3' takes images",
    "conv 4 3x3, pool 2, dense 100000, dense 100000": "layers: 10,004,",
}


@pytest.mark.parametrize("layers", UNFIT)
def test_layers_that_do_not_fit_the_images_are_refused_by_entry_and_shape(digits, layers):
    with pytest.raises((ConfigError, TrainingError)) as caught:
        RunLoop(Config.of(layers=layers), digits)
    line = str(caught.value)
    assert line.startswith("layers: ")
    assert UNFIT[layers] in line
    assert "\n" not in line


def test_batch_norm_needs_more_than_one_image_whatever_the_layers():
    with pytest.raises(ConfigError, match="not possible with a batch of one image"):
        Config.of(layers="conv 4 3x3", batch_norm=True, batch_size=1)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "conv 3 3x3",
                "conv 2 2x3 stride 2 same",
                "pool 2",
                "average pool 3 stride 1",
                "dropout 0.3",
                "spatial dropout 0.2",
            ]
        ),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_entries_make_a_network_or_one_line(entries, global_pool):
    """Whatever is put together, it predicts for images, or the line names an entry."""
    config = Config.of(layers=[*entries, *(["global pool"] if global_pool else []), "dense 4"])
    line = ""
    try:
        network = build_network(config, (9, 7), 3)
    except ConfigError as error:
        line = str(error)
    else:
        assert network.forward(np.zeros((2, 63), np.float32)).shape == (2, 3)
    assert not line or line.startswith("layers: '")


def test_a_convolutional_run_learns_and_comes_back_from_its_folder(digits, tmp_path):
    run = train(digits, out=tmp_path / "run", **TINY | {"epochs": 10, "learning_rate": 0.01})
    assert run.best["validation_accuracy"] > 0.9
    model = Model.load(tmp_path / "run" / "model.safetensors")
    images = digits.test.images[:20]
    np.testing.assert_array_equal(model.logits(images), run.model.logits(images))
    assert model.network.named_parameters["1.W"].shape == (3, 3, 1, 4)


@pytest.mark.parametrize(
    "more",
    [
        {"batch_norm": True, "dropout": 0.2, "ema": 0.9},
        {"rotation": 10.0, "shift": 1.0},
        {"batch_size": "all"},
        CHANNELS,
    ],
    ids=str,
)
def test_half_a_run_and_the_rest_is_a_whole_run_bit_for_bit(digits, tmp_path, more):
    class HalfWay(Callback):
        def on_step(self, run, loss):
            if run.state.step == run.total_steps // 2 + 1:
                run.stop("half way")

    settings = TINY | {"epochs": 4} | more
    whole = train(digits, out=tmp_path / "whole", **settings)
    train(digits, out=tmp_path / "parts", callbacks=[HalfWay()], **settings)
    parts = resume(tmp_path / "parts")
    assert (whole.path / "model.safetensors").read_bytes() == (parts.path / "model.safetensors").read_bytes()
    assert [row["loss"] for row in whole.history] == [row["loss"] for row in parts.history]


def test_the_whole_set_at_once_has_the_gradient_of_one_large_batch(digits):
    config = Config.of(layers=TINY["layers"], precision="float64", epochs=1, validation=0)
    gradients = []
    for size in ("all", len(digits.train)):
        loop = RunLoop(config.model_copy(update={"batch_size": size}), digits)
        loop.steps.take(0, 0, 1e-9)
        gradients.append(loop.network.gradients.copy())
    np.testing.assert_allclose(*gradients, rtol=1e-7, atol=1e-10)


def test_an_ensemble_of_convolutions_answers_as_the_mean_of_its_members(digits, tmp_path):
    run = train(digits, out=tmp_path / "run", members=2, **TINY)
    images = digits.test.images[:5]
    members = [Model(network, run.model.preprocessing, run.model.classes) for network in run.model.networks]
    mean = np.mean([member.predict_proba(images) for member in members], axis=0)
    np.testing.assert_allclose(run.model.predict_proba(images), mean, rtol=1e-4)


def test_a_model_file_with_other_channels_is_refused_in_one_line(digits, tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    run = train(digits, out=tmp_path / "run", **TINY | {"epochs": 1})
    path = run.path / "model.safetensors"
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(tensors | {"1.W": np.repeat(tensors["1.W"], 3, axis=2)}, path, metadata)
    with pytest.raises(glassnet.errors.FileError) as caught:
        Model.load(path)
    assert "'1.W'" in str(caught.value)
    assert "(3, 3, 3, 4)" in str(caught.value)
    text = metadata["glassnet"].replace('filters\\":4', 'filters\\":4000000000')
    assert text != metadata["glassnet"]
    save_file(tensors, path, {"glassnet": text})
    with pytest.raises(glassnet.errors.FileError, match=r"'1\.W'"):
        Model.load(path)


def classifier(**options):
    return DigitClassifier(layers=TINY["layers"], epochs=8, learning_rate=0.01, random_state=0, **options)


def test_the_estimator_takes_images_and_rows_of_them(digits):
    X, y = digits.train.images.astype(np.float32) / 255, digits.train.labels
    images = classifier().fit(X, y)
    assert images.score(digits.test.images.astype(np.float32) / 255, digits.test.labels) > 0.85
    rows = classifier(image_shape=(8, 8)).fit(X.reshape(-1, 64), y)
    np.testing.assert_array_equal(images.predict_proba(X[:9]), rows.predict_proba(X[:9].reshape(9, 64)))
    again = classifier(image_shape=[8, 8], rotation=5).partial_fit(X.reshape(-1, 64), y, classes=range(10))
    assert again.n_iter_ == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"layers: 'conv 4 3x3' takes images, and rows of numbers are none; give images \(n, h, w\), or their"),
        ({"image_shape": (8, 9)}, "image_shape: 8×9 pixels are 72, and the rows of X have 64"),
        ({"image_shape": 8}, "image_shape: must be height and width in pixels, not 8"),
        ({"image_shape": (64,)}, "image_shape: must be height and width"),
        ({"image_shape": (8, 8), "hidden": (10,)}, "layers: hidden is given as well"),
    ],
    ids=str,
)
def test_the_estimator_says_in_one_line_what_is_missing(digits, options, message):
    X = digits.train.images.reshape(-1, 64).astype(np.float64)
    with pytest.raises((ConfigError, DataError), match=message):
        classifier(**options).fit(X, digits.train.labels)
