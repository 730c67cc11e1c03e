"""Operations of an engine that no layer, loss or optimizer shows by itself."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest

from glassnet.nn import Engine, formulas
from glassnet.nn.engine import BLOCK, FEW


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", [[3, 4], [[3, 0], [0, 4]], [3e20, 4e20], [3e-10, 4e-10], [], [0.0]], ids=str)
def test_a_norm_is_the_root_of_the_sum_of_the_squares(engine, x, dtype):
    x = np.array(x, dtype)
    expected = sum(float(number) ** 2 for number in x.ravel()) ** 0.5
    with np.errstate(over="ignore"):
        assert engine.norm(x) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_the_norm_of_what_is_not_finite_is_not_finite(engine, bad):
    with np.errstate(all="ignore"):
        assert not np.isfinite(engine.norm(np.array([1.0, bad], np.float32)))


def test_copies_of_a_network_share_an_engine():
    engine = Engine(2)
    assert copy.deepcopy(engine) is engine


def test_an_engine_in_another_process_has_as_many_threads():
    engine = Engine(3, products=2)
    engine.scratch("something", (4,))
    twin = pickle.loads(pickle.dumps(engine))
    assert twin is not engine
    assert (twin.threads, twin.products) == (3, 2)
    done = []
    twin.share_out(lambda member, part: done.append(part), 5)
    assert sorted(done) == list(range(5))


def test_scratch_memory_is_the_same_again_and_of_each_thread_its_own(engine):
    first = engine.scratch("one", (3, 4), np.float64)
    assert (first.shape, first.dtype) == ((3, 4), np.float64)
    assert engine.scratch("one", (3, 4), np.float64) is first
    assert np.shares_memory(engine.scratch("one", (2, 5), np.float64), first)
    assert not np.shares_memory(engine.scratch("another", (3, 4), np.float64), first)
    assert engine.scratch("one", (3, 4), np.float32).dtype == np.float32
    theirs = []
    other = threading.Thread(target=lambda: theirs.append(engine.scratch("one", (3, 4), np.float64)))
    other.start()
    other.join()
    assert not np.shares_memory(theirs[0], engine.scratch("one", (3, 4), np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1 / 255, 0.0), (0.02, -1.5)])
@pytest.mark.parametrize("rows", [None, [4, 0, 4], []])
def test_inputs_are_the_pixels_scaled_and_shifted(engine, rows, scale, shift, dtype):
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
    rows = None if rows is None else np.array(rows, np.int64)
    chosen = images if rows is None else images[rows]
    expected = [[float(pixel) * scale + shift for pixel in image.ravel()] for image in chosen]
    for shape in (chosen.shape, (len(chosen), 12)):
        found = engine.inputs(images, rows, scale, shift, np.empty(shape, dtype))
        assert (found.shape, found.dtype) == (shape, dtype)
        np.testing.assert_allclose(found.ravel(), np.ravel(expected), rtol=1e-5, atol=1e-6)


def test_large_arrays_are_shared_out_among_the_threads(monkeypatch):
    engine, shared = Engine(threads=2), []
    monkeypatch.setattr(engine._team, "share_out", lambda work, parts: shared.append(parts))
    engine.update(formulas.multiple, (np.ones(FEW - 1),), (), (2.0,))
    assert shared == []
    engine.update(formulas.multiple, (np.ones(FEW),), (), (2.0,))
    assert shared == [math.ceil(FEW / BLOCK)]


def test_labels_in_any_form_are_what_they_say(engine):
    Z, y = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32), np.array([0, 1, 2, 2, 1, 0])
    expected = engine.cross_entropy(Z, y, 0.0, 1.0)
    for form in (">i8", "<i4", "u1"):
        np.testing.assert_array_equal(engine.cross_entropy(Z, y.astype(form), 0.0, 1.0).gradient, expected.gradient)


def laid_out(array, layout):
    """The same numbers in another order in memory."""
    if layout == "columns together":
        return np.asfortranarray(array)
    if layout == "with gaps":
        wide = np.zeros((2 * len(array), array.shape[1] + 3), array.dtype)
        wide[::2, 1:-2] = array
        return wide[::2, 1:-2]
    return array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["rows together", "columns together", "with gaps"])
@pytest.mark.parametrize("shape", [(1, 7, 3), (5, 8, 1), (65, 30, 40), (300, 256, 10), (129, 300, 12), (200, 300, 13)])
def test_products_are_those_of_the_docstring_however_the_rows_lie_in_memory(engine, shape, layout, dtype):
    (n, d, k), rng = shape, np.random.default_rng(0)
    X, dZ = (rng.standard_normal((n, width)) for width in (d, k))
    W, b = rng.standard_normal((d, k)), rng.standard_normal(k)
    X, dZ, W, b = (array.astype(dtype) for array in (X, dZ, W, b))
    Z, dX, dW, db = (np.full(like.shape, np.nan, dtype) for like in (dZ, X, W, b))
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-10}
    given, back, W = laid_out(X, layout), laid_out(dZ, layout), laid_out(W, layout)
    assert engine.affine(engine.numbers(given, dtype), W, b, out=Z) is Z
    np.testing.assert_allclose(Z, X @ W + b, **close)
    assert engine.affine_input_gradient(back, W, out=dX) is dX
    np.testing.assert_allclose(dX, dZ @ W.T, **close)
    engine.affine_gradients(given, back, dW, db)
    np.testing.assert_allclose(dW, X.T @ dZ, **close)
    np.testing.assert_allclose(db, dZ.sum(axis=0), **close)


@pytest.mark.parametrize("shape", [(1, 5), (2, 1), (7, 40), (130, 33)])
def test_sums_and_normalisation_are_those_of_the_docstring(engine, shape):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, *shape))
    u, v, w = rng.standard_normal((3, shape[1]))
    out, long = np.empty(shape), np.empty(shape[1])
    np.testing.assert_allclose(engine.column_sums(A, long), A.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(engine.column_products(A, B, long), (A * B).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(engine.centred(A, u, out), A - u, atol=1e-12)
    np.testing.assert_allclose(engine.scale_shift(A, u, v, out), A * u + v, atol=1e-12)
    expected = (A - u - B * v) * w
    np.testing.assert_allclose(engine.normalisation_gradient(A, B, u, v, w), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_rounds_as_numpy_does(engine, dtype):
    bits = np.random.default_rng(0).integers(0, 2**32, 300_000, np.uint32)
    between = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)  # all that are finite
    between = np.concatenate(
        [between, (between[1:] + between[:-1]) / 2, np.float32([65519.996, 65520, np.inf, np.nan])]
    )
    with np.errstate(over="ignore", invalid="ignore"):  # of bits that are a signalling NaN
        X = np.concatenate([bits.view(np.float32), between, -between]).astype(dtype)
        expected = X.astype(np.float16)
    rounded = engine.half(X, np.empty(X.size, np.float16))
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(X))
    known = ~np.isnan(X)
    np.testing.assert_array_equal(rounded.view(np.uint16)[known], expected.view(np.uint16)[known])
