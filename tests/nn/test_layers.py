import json
import math
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from itertools import product
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.nn import BatchNorm, Dense, Dropout, Flatten, Network, Pass

# Some OpenBLAS kernels read a few numbers beyond a float32 matrix of five columns when they multiply it by a vector,
# and drop them again. The product is right, but what they read may raise the processor's flag.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in matmul:RuntimeWarning")

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "layers.json").read_text(encoding="utf-8"))
DTYPES = st.sampled_from([np.float32, np.float64])
QUICK = settings(max_examples=25, derandomize=True, deadline=None)


def tolerance(dtype):
    return {"rtol": 1e-10, "atol": 1e-12} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-4}


def alone(layer, input_shape, engine, dtype=np.float32, **options):
    """A network of one layer, and a pass in which it is trained."""
    network = Network([layer], input_shape, dtype=dtype, engine=engine, **options)
    return network, Pass(network, training=True)


def numbers(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


@QUICK
@given(st.integers(1, 8), st.integers(1, 6), st.integers(1, 6), DTYPES)
def test_dense_is_its_docstring(engine, n, d_in, d_out, dtype):
    rng = np.random.default_rng(0)
    layer = Dense(d_out)
    network, p = alone(layer, d_in, engine, dtype)
    layer.b[...] = numbers(rng, dtype, d_out)
    X, dZ = numbers(rng, dtype, n, d_in), numbers(rng, dtype, n, d_out)
    Z = network.forward(X, p)
    dX = layer.backward(dZ, p.layers[0])
    dW, db = network.named_gradients.values()
    assert Z.dtype == dX.dtype == dtype
    for i in range(n):
        for j in range(d_out):
            assert Z[i, j] == pytest.approx(sum(X[i, q] * layer.W[q, j] for q in range(d_in)) + layer.b[j], abs=1e-5)
        for q in range(d_in):
            assert dX[i, q] == pytest.approx(sum(dZ[i, j] * layer.W[q, j] for j in range(d_out)), abs=1e-5)
    for j in range(d_out):
        assert db[j] == pytest.approx(sum(dZ[i, j] for i in range(n)), abs=1e-5)
        for q in range(d_in):
            assert dW[q, j] == pytest.approx(sum(X[i, q] * dZ[i, j] for i in range(n)), abs=1e-5)


def test_gradients_are_of_the_last_batch_not_a_running_sum(engine):
    network, p = alone(Dense(2), 3, engine)
    X, dZ = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    for _ in range(2):
        network.forward(X, p)
        network.backward(dZ.copy(), p)
    np.testing.assert_array_equal(network.named_gradients["0.W"], np.full((3, 2), 4))
    np.testing.assert_array_equal(network.named_gradients["0.b"], [4, 4])


@QUICK
@given(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple))
def test_flatten_lays_out_rows_and_folds_them_back(engine, n, shape):
    layer = Flatten()
    network, p = alone(layer, shape, engine)
    X = np.arange(n * math.prod(shape), dtype=np.float32).reshape(n, *shape)
    Y = network.forward(X, p)
    assert Y.shape == (n, *network.output_shape) == (n, math.prod(shape))
    for example, row in zip(X, Y, strict=True):
        np.testing.assert_array_equal(row, example.ravel())
    np.testing.assert_array_equal(layer.backward(Y.copy(), p.layers[0]), X)


@QUICK
@given(st.sampled_from([0.0, 0.2, 0.5, 0.9]), DTYPES)
def test_dropout_silences_a_share_and_keeps_the_mean(engine, rate, dtype):
    layer = Dropout(rate)
    network, p = alone(layer, 500, engine, dtype, seed=1)
    X = np.random.default_rng(2).uniform(1, 2, (200, 500)).astype(dtype)
    Y = network.forward(X, p)
    kept = Y != 0
    assert Y.dtype == dtype
    assert np.mean(~kept) == pytest.approx(rate, abs=0.006)  # 100,000 draws: a standard error of 0.0016
    assert Y.mean() == pytest.approx(X.mean(), rel=0.05)
    np.testing.assert_allclose(Y[kept], (X / (1 - rate))[kept], rtol=1e-6)
    dY = np.random.default_rng(3).normal(size=X.shape).astype(dtype)
    np.testing.assert_allclose(layer.backward(dY.copy(), p.layers[0]), np.where(kept, dY / (1 - rate), 0), rtol=1e-5)


def test_a_dropout_mask_follows_from_seed_step_block_and_layer_and_from_nothing_else(engine):
    network = Network([Dropout(0.5), Dropout(0.5)], 50, engine=engine)
    X = np.ones((5, 50), np.float32)

    def masks(seed, step, block):
        p = Pass(network, training=True, seed=seed)
        p.batch.step, p.batch.block = step, block
        network.forward(X, p)
        return [own.mask.tobytes() for own in p.layers]

    keys = list(product(range(3), repeat=3))
    drawn = [mask for key in keys for mask in masks(*key)]
    assert len(set(drawn)) == 2 * len(keys)
    assert [mask for key in keys for mask in masks(*key)] == drawn


@pytest.mark.parametrize("shares", [(4, 9), (0, 13), (1, 2, 3, 7)], ids=str)
def test_the_masks_of_parts_of_a_batch_make_up_that_of_the_whole(engine, shares):
    network = Network([Flatten(), Dropout(0.3)], (2, 3), engine=engine)
    X = np.random.default_rng(0).normal(size=(13, 2, 3)).astype(np.float32)
    whole = Pass(network, training=True, seed=5)
    expected = network.forward(X, whole)
    p = Pass(network, training=True, seed=5)
    p.batch.count = len(X)
    ends = np.cumsum((0, *shares)).tolist()
    for p.batch.rows in map(slice, ends, ends[1:]):
        np.testing.assert_array_equal(network.forward(X[p.batch.rows], p), expected[p.batch.rows])


def test_a_loop_of_ones_own_gets_another_mask_at_each_step(engine):
    network, p = alone(Dropout(0.5), 200, engine)
    X, masks = np.ones((5, 200), np.float32), []
    for _ in range(3):
        masks.append(network.forward(X, p).copy())
        network.backward(np.ones((5, 200), np.float32), p)
    assert (masks[0] != masks[1]).any()
    assert (masks[1] != masks[2]).any()


def test_dropout_changes_nothing_when_predicting(engine):
    layer = Dropout(0.5)
    network, p = alone(layer, 20, engine)
    X = np.ones((5, 20), np.float32)
    drawn = network.forward(X, p).copy()
    np.testing.assert_array_equal(network.forward(X), X)
    predicting = Pass(network)
    np.testing.assert_array_equal(network.forward(X, predicting), X)
    dY = np.full((5, 20), 3.0, np.float32)
    np.testing.assert_array_equal(layer.backward(dY, predicting.layers[0]), np.full((5, 20), 3))
    np.testing.assert_array_equal(network.forward(X, p), drawn)


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_a_dropout_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        Dropout(rate)


def batch_norm(d, engine, dtype=np.float64, **options):
    layer = BatchNorm(**options)
    network, p = alone(layer, d, engine, dtype)
    network.parameters[...] = np.random.default_rng(5).normal(size=2 * d)
    return network, layer, p


@QUICK
@given(st.integers(2, 8), st.integers(1, 5), DTYPES, st.sampled_from([1e-5, 0.1]))
def test_batch_norm_is_its_docstring(engine, n, d, dtype, epsilon):
    rng = np.random.default_rng(6)
    network, layer, p = batch_norm(d, engine, dtype, epsilon=epsilon)
    X, dY = numbers(rng, dtype, n, d), numbers(rng, dtype, n, d)
    Y = network.forward(X, p)
    dX = layer.backward(dY.copy(), p.layers[0])
    found_dgamma, found_dbeta = network.gradients.reshape(2, d)
    assert Y.dtype == dX.dtype == dtype
    for j in range(d):
        x, dy = [[float(number) for number in column[:, j]] for column in (X, dY)]
        gamma, beta = float(layer.gamma[j]), float(layer.beta[j])
        mean = sum(x) / n
        v = sum((number - mean) ** 2 for number in x) / n
        x_hat = [(number - mean) / math.sqrt(v + epsilon) for number in x]
        dbeta, dgamma = sum(dy), sum(a * b for a, b in zip(dy, x_hat, strict=True))
        dx = [gamma / math.sqrt(v + epsilon) * (dy[i] - dbeta / n - x_hat[i] * dgamma / n) for i in range(n)]
        np.testing.assert_allclose(Y[:, j], [gamma * number + beta for number in x_hat], **tolerance(dtype))
        np.testing.assert_allclose([found_dbeta[j], found_dgamma[j]], [dbeta, dgamma], **tolerance(dtype))
        np.testing.assert_allclose(dX[:, j], dx, **tolerance(dtype))


def test_batch_norm_is_pytorchs_running_averages_included(engine):
    golden = GOLDEN["batch_norm"]
    layer = BatchNorm(momentum=0.9, epsilon=1e-3)
    network, p = alone(layer, 4, engine, np.float64)
    layer.gamma[...], layer.beta[...] = golden["gamma"], golden["beta"]
    for batch in golden["training"]:
        Y = network.forward(np.array(batch["X"]), p)
        dX = layer.backward(np.array(batch["dY"]), p.layers[0])
        mine = {"Y": Y, "dX": dX, "dgamma": p.layers[0].dgamma, "dbeta": p.layers[0].dbeta}
        mine |= {"running_mean": layer.running_mean, "running_variance": layer.running_variance}
        for name, values in mine.items():
            np.testing.assert_allclose(values, batch[name], rtol=1e-11, atol=1e-13, err_msg=name)
    Y = network.forward(np.array(golden["predicting"]["X"]))
    np.testing.assert_allclose(Y, golden["predicting"]["Y"], rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_batch_norm_replaces_a_part_of_its_running_averages(engine, momentum):
    network, layer, p = batch_norm(1, engine, momentum=momentum)
    network.forward(np.array([[1.0], [2.0], [6.0]]), p)  # mean 3, unbiased variance (4 + 1 + 9) / 2 = 7
    assert layer.running_mean == pytest.approx(momentum * 0 + (1 - momentum) * 3)
    assert layer.running_variance == pytest.approx(momentum * 1 + (1 - momentum) * 7)


def test_batch_norm_predicts_one_image_without_looking_at_its_neighbours(engine):
    rng = np.random.default_rng(7)
    network, layer, p = batch_norm(3, engine)
    network.forward(numbers(rng, np.float64, 10, 3), p)
    statistics = network.statistics.copy()
    X = numbers(rng, np.float64, 4, 3)
    predicting = Pass(network)
    together = network.forward(X, predicting).copy()
    np.testing.assert_array_equal(together, [network.forward(X[i : i + 1], predicting)[0].copy() for i in range(4)])
    np.testing.assert_array_equal(network.statistics, statistics)
    std = np.sqrt(layer.running_variance + 1e-5)
    np.testing.assert_allclose(together, layer.gamma * (X - layer.running_mean) / std + layer.beta, rtol=1e-12)
    network.forward(X, predicting)
    dY = numbers(rng, np.float64, 4, 3)
    np.testing.assert_allclose(
        layer.input_gradient(dY.copy(), predicting.layers[0]), dY * layer.gamma / std, rtol=1e-12
    )


def test_batch_norm_of_a_constant_unit_or_of_one_row_is_its_shift(engine):
    network, layer, p = batch_norm(2, engine)
    for X in (np.full((5, 2), 3.0), np.array([[1.0, -4.0]])):
        Y = network.forward(X, p)
        np.testing.assert_allclose(Y, np.tile(layer.beta, (len(X), 1)))
        assert np.isfinite(layer.backward(np.ones(X.shape), p.layers[0])).all()
        assert np.isfinite(network.statistics).all()


@pytest.mark.parametrize("shares", [(4, 9), (0, 13), (1, 2, 10)], ids=str)
def test_batch_norm_of_parts_that_add_up_their_sums_is_that_of_the_whole_batch(engine, shares):
    """Each part goes through a network of its own, as in processes; here they are threads."""
    rng = np.random.default_rng(8)
    network, _, p = batch_norm(3, engine)
    X, dY = rng.normal(5, 2, size=(13, 3)), rng.normal(size=(13, 3))
    twins = [deepcopy(network) for _ in shares]
    Y, dX = network.forward(X, p).copy(), network.layers[0].backward(dY.copy(), p.layers[0])
    all_here, given = Barrier(len(shares), timeout=60), [None] * len(shares)

    def work(member):
        def add_up(sums):
            given[member] = sums.copy()
            all_here.wait()
            sums[...] = np.sum(given, axis=0)
            all_here.wait()

        twin, rows = twins[member], slice(sum(shares[:member]), sum(shares[: member + 1]))
        own = Pass(twin, training=True)
        own.batch.rows, own.batch.count, own.batch.add_up = rows, len(X), add_up
        np.testing.assert_allclose(twin.forward(X[rows], own), Y[rows], rtol=1e-11)
        np.testing.assert_allclose(twin.layers[0].backward(dY[rows].copy(), own.layers[0]), dX[rows], rtol=1e-9)
        np.testing.assert_allclose(twin.statistics, network.statistics, rtol=1e-12)
        return twin.gradients

    with ThreadPoolExecutor(len(shares)) as threads:
        gradients = list(threads.map(work, range(len(shares))))
    np.testing.assert_allclose(sum(gradients), network.gradients, rtol=1e-10)


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"momentum": -0.1}, {"epsilon": 0.0}, {"epsilon": math.nan}])
def test_batch_norm_settings_without_a_meaning_are_refused(options):
    with pytest.raises(ValueError, match="BatchNorm needs"):
        BatchNorm(**options)


@pytest.mark.parametrize(
    "options",
    [{"units": 0}, {"units": -1}, {"units": 2.5}, {"units": 3, "initializer": "he"}, {"units": 3, "scale": 0}],
)
def test_dense_settings_without_a_meaning_are_refused(options):
    with pytest.raises(ValueError, match=r"units, at least 1|unknown initializer 'he'|positive number"):
        Dense(**options)
