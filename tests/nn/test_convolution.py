import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet import textbook_convolution as textbook
from glassnet.nn import (
    SGD,
    Adam,
    AveragePool2D,
    BatchNorm,
    Bias,
    Conv2D,
    Dense,
    Dropout,
    Engine,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
    Pass,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
    SomeColumns,
    SpatialDropout2D,
    Tanh,
    check_gradients,
    convolving,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "convolution.json").read_text(encoding="utf-8"))
QUICK = settings(max_examples=25, derandomize=True, deadline=None)
DTYPES = st.sampled_from([np.float32, np.float64])


def tolerance(dtype):
    return {"rtol": 1e-9, "atol": 1e-10} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-4}


def through(layer, X, engine, seed=0):
    """Send images and some gradient forward and back through a layer: Y, dY, dX, and the pass."""
    network = Network([layer], X.shape[1:], dtype=X.dtype, engine=engine)
    rng = np.random.default_rng(seed)
    network.parameters[...] = rng.normal(size=network.parameters.size)
    p = Pass(network, training=True)
    Y = network.forward(X, p).copy()
    assert Y.shape == (len(X), *network.output_shape)
    dY = rng.normal(size=Y.shape).astype(X.dtype)
    dX = layer.backward(dY.copy(), p.layers[0]).copy()
    assert Y.dtype == dX.dtype == X.dtype
    return Y, dY, dX, p.layers[0]


def images(dtype, *shape):
    return np.random.default_rng(math.prod(shape)).normal(size=shape).astype(dtype)


@QUICK
@given(
    n=st.integers(1, 4),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    more=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", 1, 2]),
    dtype=DTYPES,
)
def test_a_convolution_is_the_loops_of_the_textbook(engine, n, size, more, channels, stride, padding, dtype):
    (kh, kw), (c, filters) = size, channels
    padding = min(padding, max(size) - 1) if isinstance(padding, int) else padding
    h, w = kh + more[0], kw + more[1]
    layer, X = Conv2D(filters, size, stride, padding), images(dtype, n, h, w, c)
    Z, dZ, dX, p = through(layer, X, engine)
    window = layer.window(h, w)
    around = window.top, window.bottom, window.left, window.right
    if padding == "same":
        assert Z.shape[1:3] == (math.ceil(h / stride), math.ceil(w / stride))
    dW, db = np.zeros(layer.W.shape), np.zeros(filters)
    for i, image in enumerate(X.astype(np.float64)):
        padded = textbook.pad(image, *around)
        np.testing.assert_allclose(Z[i], textbook.convolve(padded, layer.W, layer.b, stride), **tolerance(dtype))
        back, own_dW, own_db = textbook.convolve_backward(padded, layer.W, dZ[i], stride)
        inside = back[window.top : window.top + h, window.left : window.left + w]
        np.testing.assert_allclose(dX[i], inside, **tolerance(dtype))
        dW, db = dW + own_dW, db + own_db
    np.testing.assert_allclose(p.dW, dW, **tolerance(dtype))
    np.testing.assert_allclose(p.db, db, **tolerance(dtype))


POOLS = {
    "max": (MaxPool2D, textbook.max_pool, textbook.max_pool_backward),
    "average": (AveragePool2D, textbook.average_pool, textbook.average_pool_backward),
}


@pytest.mark.parametrize("kind", POOLS)
@QUICK
@given(
    n=st.integers(1, 4),
    c=st.integers(1, 4),
    size=st.integers(1, 4),
    stride=st.none() | st.integers(1, 5),
    more=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    levels=st.sampled_from([2, 100]),
    dtype=DTYPES,
)
def test_a_pool_is_the_loops_of_the_textbook(engine, kind, n, c, size, stride, more, levels, dtype):
    """With two levels of numbers nearly every window holds its largest number several times."""
    pool, forward, backward = POOLS[kind]
    X = np.random.default_rng(n).integers(0, levels, (n, size + more[0], size + more[1], c)).astype(dtype)
    Y, dY, dX, _ = through(pool(size, stride), X, engine)
    for i, image in enumerate(X.astype(np.float64)):
        np.testing.assert_allclose(Y[i], forward(image, size, stride or size), **tolerance(dtype))
        np.testing.assert_allclose(dX[i], backward(image, dY[i], size, stride or size), **tolerance(dtype))


def test_a_global_pool_is_the_mean_over_all_places(engine):
    X = images(np.float64, 3, 5, 4, 6)
    Y, dY, dX, _ = through(GlobalAveragePool2D(), X, engine)
    np.testing.assert_allclose(Y, X.mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(dX, np.broadcast_to(dY[:, None, None] / 20, X.shape), rtol=1e-12)


def test_blocks_of_images_add_up_to_the_whole_batch(engine, monkeypatch):
    """However few images there are at a time, the numbers are the same to rounding."""
    X = images(np.float64, 11, 7, 6, 2)
    layers = [Conv2D(3, 3, padding="same"), MaxPool2D(2), AveragePool2D(2, 1)]
    whole = [through(layer, X, engine) for layer in layers]
    monkeypatch.setattr(convolving, "BLOCK", 500)
    layers = [Conv2D(3, 3, padding="same"), MaxPool2D(2), AveragePool2D(2, 1)]
    for expected, found in zip(whole, [through(layer, X, engine) for layer in layers], strict=True):
        for a, b in zip(expected[:3], found[:3], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole[0][3].dW, through(Conv2D(3, 3, padding="same"), X, engine)[3].dW, rtol=1e-11)


def test_patches_are_never_there_for_more_than_some_images(engine, monkeypatch):
    """A batch ten times as large makes patches of no more images at once."""
    monkeypatch.setattr(convolving, "BLOCK", 20_000)
    asked = []

    class Watched(type(engine)):
        def patches(self, X, window):
            asked.append(len(X))
            return super().patches(X, window)

    watched = Watched(2)
    for n in (40, 400):
        through(Conv2D(4, 5), images(np.float64, n, 12, 12, 1), watched)  # in float32 compiled code needs none
        assert sum(asked) == 2 * n  # once forward, once back
        assert max(asked) * 8 * 8 * 25 <= 20_000
        asked.clear()


def test_many_images_go_through_a_convolution_some_at_a_time():
    network = Network([Reshape((28, 28, 1)), Conv2D(32, 5), MaxPool2D(2), Flatten(), Dense(10)], 784)
    assert network.at_a_time(2048) == 4_000_000 // (24 * 24 * 32)
    assert network.at_a_time(50) == 50
    assert Network([Dense(1000), Dense(10)], 784).at_a_time(2048) == 2048
    assert Network([Dense(5_000_000)], 1).at_a_time(2048) == 1


def build(layers, input_shape, engine):
    network = Network(layers, input_shape, dtype=np.float64, engine=engine)
    network.parameters += np.random.default_rng(1).normal(scale=0.3, size=network.parameters.size)
    return network


NETWORKS = {
    "lenet": [Conv2D(3, 3), ReLU(), MaxPool2D(2), Conv2D(4, 2), BatchNorm(), ReLU(), Flatten(), Dense(3)],
    "stride and padding": [
        Conv2D(3, 3, 2, "same"),
        Tanh(),
        Conv2D(2, (3, 1), 1, 1),
        BatchNorm(),
        Tanh(),
        Flatten(),
        Dense(3),
    ],
    "average": [Conv2D(3, (2, 3)), BatchNorm(), Tanh(), AveragePool2D(3, 2), Conv2D(3, 2), GlobalAveragePool2D()],
    "bias per place": [Conv2D(3, 3), Bias(), ReLU(), Conv2D(2, 3, 1, "same"), Bias(), Tanh(), Flatten(), Dense(3)],
    "spatial dropout": [
        Conv2D(5, 3),
        Tanh(),
        SpatialDropout2D(0.4),
        Conv2D(4, 2),
        SpatialDropout2D(0.3),
        Flatten(),
        Dense(3),
    ],
    "dropout": [Conv2D(4, 3, 1, "same"), Tanh(), Dropout(0.3), MaxPool2D(3, 1), Flatten(), Dropout(0.2), Dense(3)],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_that_differences_of_the_loss_give(engine, name):
    layers = [type(layer)(**settings_of(layer)) for layer in NETWORKS[name]]
    network = build([Reshape((9, 7, 2)), *layers], 126, engine)
    rng = np.random.default_rng(2)
    check = check_gradients(
        network, SoftmaxCrossEntropy(3, engine=engine), rng.normal(size=(5, 126)), rng.integers(0, 3, 5)
    )
    assert check.passed, str(check)
    assert check.largest_error <= 1e-6


def settings_of(layer):
    return {name: value for name, value in vars(layer).items() if name not in ("W", "b", "gamma", "beta")}


@pytest.mark.parametrize("case", GOLDEN["layers"], ids=lambda case: case["name"])
def test_layers_are_pytorchs(engine, case):
    kinds = {"Conv2D": Conv2D, "MaxPool2D": MaxPool2D, "AveragePool2D": AveragePool2D}
    layer = kinds[case["layer"]](**case["settings"])
    X, dY = np.array(case["X"]), np.array(case["dY"])
    network = Network([layer], X.shape[1:], dtype=np.float64, engine=engine)
    if "W" in case:
        layer.W[...], layer.b[...] = case["W"], case["b"]
    p = Pass(network, training=True)
    np.testing.assert_allclose(network.forward(X, p), case["Y"], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(layer.backward(dY, p.layers[0]), case["dX"], rtol=1e-11, atol=1e-13)
    if "W" in case:
        np.testing.assert_allclose(p.layers[0].dW, case["dW"], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(p.layers[0].db, case["db"], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_network_goes_pytorchs_way_step_by_step(engine, optimizer):
    golden = GOLDEN["trajectory"]
    layers = [Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(5, 3, 1, "same"), ReLU(), Flatten(), Dense(3)]
    network = Network(layers, (7, 6, 2), dtype=np.float64, engine=engine)
    for name, start in golden["parameters"].items():
        network.named_parameters[name][...] = start
    loss = SoftmaxCrossEntropy(3, engine=engine)
    rule = {"sgd": SGD, "adam": Adam}[optimizer](network.parameters, network.gradients, engine=engine)
    p = Pass(network, training=True)
    for batch, expected in zip(golden["batches"], golden["losses"][optimizer], strict=True):
        found = loss(network.forward(np.array(batch["X"]), p), np.array(batch["y"]))
        assert found.value == pytest.approx(expected, rel=1e-9)
        network.backward(found.gradient, p)
        rule.step(golden["rates"][optimizer])
    for name, end in golden["after"][optimizer].items():
        np.testing.assert_allclose(network.named_parameters[name], end, rtol=1e-7, atol=1e-9, err_msg=name)


def test_batch_norm_of_images_is_that_of_their_places_as_rows(engine):
    X = images(np.float64, 4, 3, 5, 2)
    Y, dY, dX, p = through(BatchNorm(), X, engine)
    flat = Network([BatchNorm()], 2, dtype=np.float64, engine=engine)
    flat.parameters[...] = np.random.default_rng(0).normal(size=4)
    rows = Pass(flat, training=True)
    np.testing.assert_allclose(Y.reshape(-1, 2), flat.forward(X.reshape(-1, 2), rows), rtol=1e-12)
    expected = flat.layers[0].backward(dY.reshape(-1, 2), rows.layers[0])
    np.testing.assert_allclose(dX.reshape(-1, 2), expected, rtol=1e-12)
    np.testing.assert_allclose(p.dgamma, rows.layers[0].dgamma, rtol=1e-12)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1 / 255, 0.0), (0.02, -1.5)])
def test_a_reshape_lays_out_all_pixels_of_which_some_are_not_there(engine, scale, shift):
    columns = np.array([1, 2, 5])
    P = np.random.default_rng(0).integers(1, 256, (4, 3)).astype(np.float64)
    whole = np.zeros((4, 6))
    whole[:, columns] = P
    network = Network([Reshape((2, 3, 1))], 6, dtype=np.float64, engine=engine)
    found = network.forward(SomeColumns(P, columns, 6, scale, shift))
    np.testing.assert_allclose(found, (whole * scale + shift).reshape(4, 2, 3, 1), rtol=1e-12)


def test_the_first_weights_of_a_filter_have_the_variance_of_the_rule(engine):
    """A filter of 5 × 5 on 8 channels sums 200 numbers; each of the 8 is seen by 25 · 40 sums."""
    expected = {"he_normal": 2 / 200, "lecun_uniform": 1 / 200, "glorot_uniform": 2 / (200 + 1000)}
    for rule, variance in expected.items():
        network = Network([Conv2D(40, 5, initializer=rule)], (9, 9, 8), engine=engine)
        assert network.layers[0].W.var() == pytest.approx(variance, rel=0.06)  # of 8,000 numbers
        assert not network.layers[0].b.any()


def test_a_network_is_the_same_from_its_specification(engine):
    layers = [
        Reshape((8, 8, 1)),
        Conv2D(2, (3, 2), 2, "same"),
        ReLU(),
        MaxPool2D(2),
        AveragePool2D(1),
        GlobalAveragePool2D(),
    ]
    network = Network(layers, 64, engine=engine)
    plain = json.loads(json.dumps(network.specification()))
    twin = Network.from_specification(plain, 64, engine=engine)
    assert twin.specification() == network.specification()
    X = images(np.float32, 3, 64)
    np.testing.assert_array_equal(twin.forward(X), network.forward(X))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Conv2D(2, 5)], r"filters of 5×5 are larger than images of 4×4"),
        ([Conv2D(2, (1, 5))], r"filters of 1×5 are larger than images of 4×4"),
        ([MaxPool2D(5)], r"a pool of 5×5 leaves nothing of images of 4×4"),
        ([Conv2D(2, 3), AveragePool2D(3)], r"a pool of 3×3 leaves nothing of images of 2×2"),
        ([Flatten(), Conv2D(2, 3)], r"Conv2D takes images \(h, w, c\), not examples of shape \(32,\)"),
        ([Flatten(), MaxPool2D(2)], r"MaxPool2D takes images"),
        ([GlobalAveragePool2D(), GlobalAveragePool2D()], r"GlobalAveragePool2D takes images"),
        ([Dense(3)], r"Dense takes rows of numbers, not examples of shape \(4, 4, 2\); put Flatten\(\) before it"),
        ([Reshape((3, 3, 2))], r"cannot be given the shape \(3, 3, 2\)"),
    ],
    ids=str,
)
def test_layers_that_do_not_fit_the_image_say_so(layers, message):
    with pytest.raises(ValueError, match=message):
        Network(layers, (4, 4, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2D(0),
        lambda: Conv2D(2.0),
        lambda: Conv2D(2, (3, 0)),
        lambda: Conv2D(2, (3, 3, 3)),
        lambda: Conv2D(2, "3x3"),
        lambda: Conv2D(2, 3, 0),
        lambda: Conv2D(2, 3, 1, "full"),
        lambda: Conv2D(2, 3, 1, -1),
        lambda: Conv2D(2, 3, True),
        lambda: Conv2D(2, initializer="he"),
        lambda: Conv2D(2, scale=0),
        lambda: MaxPool2D(0),
        lambda: MaxPool2D(2, 0),
        lambda: AveragePool2D(2.5),
        lambda: Reshape(()),
        lambda: Reshape((2, -1)),
    ],
)
def test_settings_without_a_meaning_are_refused(make):
    with pytest.raises(ValueError, match=r"whole number|padding|initializer"):
        make()


def test_an_empty_batch_has_no_gradient(engine):
    """As a rank has that gets none of a small batch."""
    X = np.empty((0, 6, 6, 1))
    _, _, dX, p = through(Conv2D(2, 3), X, engine)
    assert dX.shape == X.shape
    assert not p.dW.any()
    assert through(MaxPool2D(2), X, engine)[0].shape == (0, 3, 3, 1)


def test_threads_change_nothing_but_rounding():
    X = images(np.float64, 13, 9, 9, 3)
    one, three = (through(Conv2D(4, 3, 2, "same"), X, Engine(threads)) for threads in (1, 3))
    for a, b in zip(one[:3], three[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(one[3].dW, three[3].dW, rtol=1e-12)


def test_spatial_dropout_silences_whole_channels_and_keeps_the_mean(engine):
    X = np.random.default_rng(1).uniform(1, 2, (200, 4, 3, 50)).astype(np.float32)
    network = Network([SpatialDropout2D(0.3)], X.shape[1:], engine=engine)
    p = Pass(network, training=True, seed=1)
    Y = network.forward(X, p)
    kept = Y != 0
    assert (kept == kept[:, :1, :1]).all()  # the same at all places
    assert kept[:, 0, 0].mean() == pytest.approx(0.7, abs=0.02)  # 10,000 draws: a standard error of 0.005
    np.testing.assert_allclose(Y[kept], (X / 0.7)[kept], rtol=1e-6)
    dY = np.random.default_rng(2).normal(size=X.shape).astype(np.float32)
    dX = network.layers[0].backward(dY.copy(), p.layers[0])
    np.testing.assert_allclose(dX, np.where(kept, dY / 0.7, 0), rtol=1e-5)
    np.testing.assert_array_equal(network.forward(X), X)


def test_spatial_dropout_takes_images_alone():
    with pytest.raises(ValueError, match=r"SpatialDropout2D takes images \(h, w, c\), not examples of shape \(6,\)"):
        Network([SpatialDropout2D(0.3)], 6)


def test_a_bias_for_each_place(engine):
    X = np.random.default_rng(1).normal(size=(5, 4, 3, 2))
    network = Network([Bias()], X.shape[1:], dtype=np.float64, engine=engine)
    network.parameters[...] = np.arange(24)
    p = Pass(network, training=True)
    np.testing.assert_array_equal(network.forward(X, p), X + np.arange(24).reshape(4, 3, 2))
    dY = np.random.default_rng(2).normal(size=X.shape)
    np.testing.assert_array_equal(network.layers[0].backward(dY.copy(), p.layers[0]), dY)
    np.testing.assert_allclose(p.layers[0].db, dY.sum(axis=0), rtol=1e-12)
