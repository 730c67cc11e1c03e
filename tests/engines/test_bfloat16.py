"""Products in bfloat16, however a processor computes them."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glassnet import Dataset, DigitClassifier, load_dataset, resume, train
from glassnet.cli import main
from glassnet.engines import bfloat16, blas, make_engine
from glassnet.engines.rounded import RoundedEngine
from glassnet.engines.tiles import has_instructions
from glassnet.errors import ConfigError
from glassnet.nn import Engine
from glassnet.nn.products import SomeColumns
from glassnet.nn.windows import Window
from glassnet.training import Callback, Config, LoopUnderWay

Array = NDArray[np.float32]

SHAPES = [
    (1, 784, 10),
    (5, 7, 3),
    (33, 100, 77),
    (64, 33, 65),
    (129, 785, 31),
    (256, 300, 320),
    (8, 32, 32),
    (40, 20, 16),
    (40, 1, 17),
]


def tiles(threads: int) -> Engine:
    if not has_instructions("avx512bf16"):
        pytest.skip("this processor has no AVX512-BF16")
    engine = bfloat16.TilesEngine(threads)
    engine.least_pass = engine.least_product = 10
    return engine


def matrix_units(threads: int) -> Engine:
    mkl = blas._mkl()
    if mkl is None or not has_instructions("avx512bf16"):
        pytest.skip("MKL is not installed, or this processor has no AVX512-BF16")
    engine = bfloat16.MatrixUnitsEngine(threads)
    engine.blas = mkl
    return engine


ENGINES: dict[str, Callable[[int], Engine]] = {
    "tiles": tiles,
    "matrix units": matrix_units,
    "emulated": bfloat16.RoundedCompiledEngine,
    "emulated by NumPy": RoundedEngine,
}


class Pause(Callback):
    """Stops a run in the middle of its second epoch."""

    def on_step(self, run: LoopUnderWay, loss: float) -> None:
        if run.state.step == 23:
            run.stop("a pause")


@pytest.fixture(params=product(ENGINES.values(), (1, 3)), ids=[f"{name}, {n}" for name, n in product(ENGINES, (1, 3))])
def engine(request: pytest.FixtureRequest) -> Engine:
    make, threads = request.param
    made: Engine = make(threads)
    return made


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def rounded(X: Array) -> NDArray[np.float64]:
    """Round number by number: the float32 of 8 binary digits that is nearest, and of two the one that ends in 0."""
    mantissa, exponent = np.frexp(X.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 2**8), exponent - 8)  # np.rint rounds halves to even numbers


def close(found: Array, right: NDArray[np.float64], size: NDArray[np.float64]) -> None:
    """Whether sums of products are as exact as float32 lets them be, given the sum of the products' sizes."""
    np.testing.assert_array_less(np.abs(found - right), 2e-6 * size + 1e-30)


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_products_of_more_than_16_units_are_those_of_rounded_numbers_and_sums_of_rows_are_exact(
    engine: Engine, n: int, d: int, k: int
) -> None:
    rng = np.random.default_rng((n, d, k))
    X, W, b, dZ = (rng.standard_normal(shape, np.float32) for shape in ((n, d), (d, k), (k,), (n, k)))
    x, w, dz = (rounded(A) if k > 16 else A.astype(np.float64) for A in (X, W, dZ))
    Z = engine.affine(X, W, b, engine.empty((n, k), np.float32))
    close(Z, x @ w + b, abs(x) @ abs(w) + abs(b))
    dW, db = engine.empty((d, k), np.float32), engine.empty((k,), np.float32)
    engine.affine_gradients(X, dZ, dW, db)
    close(dW, x.T @ dz, abs(x.T) @ abs(dz))
    close(db, dZ.sum(axis=0, dtype=np.float64), abs(dZ).sum(axis=0, dtype=np.float64))
    close(engine.affine_input_gradient(dZ, W, engine.empty((n, d), np.float32)), dz @ w.T, abs(dz) @ abs(w.T))


@pytest.mark.parametrize(
    ("images", "filters", "window"),
    [
        ((3, 9, 9, 1), 5, Window(5, 5)),
        ((2, 9, 8, 3), 33, Window(3, 2, 1, 1, 1, 0, 1)),
        ((4, 12, 12, 32), 64, Window(5, 5)),
        ((2, 11, 10, 4), 20, Window(3, 3, 2, 1, 1, 1, 1)),
        ((3, 16, 17, 2), 7, Window(4, 3, 3)),
        ((1, 7, 7, 6), 40, Window(7, 7)),
    ],
)
def test_convolutions_are_those_of_rounded_numbers(
    engine: Engine, images: tuple[int, ...], filters: int, window: Window
) -> None:
    rng = np.random.default_rng(images)
    places = window.places(*images[1:3])
    shapes = images, (*window[:2], images[3], filters), (filters,), (images[0], *places, filters)
    X, W, b, dZ = (rng.standard_normal(shape, np.float32) for shape in shapes)
    x, w, dz = rounded(X), rounded(W), rounded(dZ)
    judge = Engine()
    Z = engine.convolve(X, W, b, window, engine.empty(dZ.shape, np.float32))
    sizes = judge.convolve(abs(x), abs(w), abs(b).astype(np.float64), window, np.empty(dZ.shape))
    close(Z, judge.convolve(x, w, b.astype(np.float64), window, np.empty(dZ.shape)), sizes)
    dW, db = engine.empty(W.shape, np.float32), engine.empty(b.shape, np.float32)
    engine.convolution_gradients(X, dZ, window, dW, db)
    right, sizes, sums = np.empty(W.shape), np.empty(W.shape), np.empty(filters)
    judge.convolution_gradients(x, dz, window, right, sums)
    judge.convolution_gradients(abs(x), abs(dz), window, sizes, sums)
    close(dW, right, sizes)
    close(db, dZ.sum(axis=(0, 1, 2), dtype=np.float64), abs(dZ).sum(axis=(0, 1, 2), dtype=np.float64))
    dX = engine.convolution_input_gradient(dZ, W, window, engine.empty(X.shape, np.float32))
    sizes = judge.convolution_input_gradient(abs(dz), abs(w), window, np.empty(X.shape))
    close(dX, judge.convolution_input_gradient(dz, w, window, np.empty(X.shape)), sizes)


@given(st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=70))
def test_rounding_is_to_the_nearest_and_keeps_what_is_not_finite(numbers: list[float]) -> None:
    X = np.array([numbers], np.float32)
    largest = np.float32(3.3895313892515355e38)  # of bfloat16; what is half a step above it becomes infinite
    for make in (tiles, RoundedEngine):
        engine = make(1)
        X = np.resize(X, (1, X.size + 16))  # of fewer units than 17 nothing is rounded
        one, zero = np.ones((1, 1), np.float32), np.zeros(X.size, np.float32)
        with np.errstate(all="ignore"):
            found = engine.affine(one, X, zero, engine.empty(X.shape, np.float32))
        np.testing.assert_array_equal(np.isnan(found), np.isnan(X))
        small = np.abs(X) <= largest
        np.testing.assert_array_equal(found[small], rounded(X[small]).astype(np.float32))
        np.testing.assert_array_equal(np.isinf(found[np.isinf(X)]), True)


def test_an_empty_batch_has_no_gradient(engine: Engine) -> None:
    dW, db = np.full((300, 40), 7, np.float32), np.full(40, 7, np.float32)
    engine.affine_gradients(np.empty((0, 300), np.float32), np.empty((0, 40), np.float32), dW, db)
    assert not dW.any()
    assert not db.any()
    dW, db = np.full((3, 3, 1, 2), 7, np.float32), np.full(2, 7, np.float32)
    X, dZ = np.empty((0, 6, 6, 1), np.float32), np.empty((0, 4, 4, 2), np.float32)
    engine.convolution_gradients(X, dZ, Window(3, 3), dW, db)
    assert not dW.any()
    assert not db.any()


def test_float64_stays_float64(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    X, W, b = rng.standard_normal((20, 30)), rng.standard_normal((30, 40)), rng.standard_normal(40)
    np.testing.assert_allclose(engine.affine(X, W, b, np.empty((20, 40))), X @ W + b, rtol=1e-12, atol=1e-12)


def test_every_nan_stays_nan() -> None:
    X = np.array([[0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7FC00000] * 5], np.uint32).view(np.float32)
    for make in (tiles, RoundedEngine):
        found = make(1).affine(np.ones((1, 1), np.float32), X, np.zeros(20, np.float32), np.empty((1, 20), np.float32))
        assert np.isnan(found).all()


def test_pixels_of_a_whole_batch_go_in_as_they_are(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    P = rng.integers(0, 256, (20, 6)).astype(np.float32)
    X = SomeColumns(P, np.array([1, 2, 3, 5, 8, 9]), 12, 1 / 255, 0.0)
    W, b = rng.standard_normal((12, 20), np.float32), np.zeros(20, np.float32)
    pixels, w = P.astype(np.float64), rounded(np.float32(1 / 255) * W[X.columns])  # no pixel is rounded
    close(engine.affine(X, W, b, np.empty((20, 20), np.float32)), pixels @ w, pixels @ abs(w))


def test_images_that_are_blank_leave_the_biases(engine: Engine) -> None:
    X = SomeColumns(np.empty((20, 0), np.float32), np.array([], np.int64), 12, 1 / 255, 0.0)
    rng = np.random.default_rng(0)
    W, b, dZ = (rng.standard_normal(shape, np.float32) for shape in ((12, 4), 4, (20, 4)))
    Z, dW, db = (np.full(shape, np.nan, np.float32) for shape in ((20, 4), (12, 4), 4))
    np.testing.assert_array_equal(engine.affine(X, W, b, Z), np.tile(b, (20, 1)))
    engine.affine_gradients(X, dZ, dW, db)
    assert not dW.any()
    np.testing.assert_allclose(db, dZ.sum(axis=0), rtol=1e-4, atol=1e-5)


def test_the_number_of_threads_changes_no_bit() -> None:
    rng = np.random.default_rng(0)
    X, W, b = (rng.standard_normal(shape, np.float32) for shape in ((100, 150), (150, 300), (300,)))
    found = [tiles(threads).affine(X, W, b, np.empty((100, 300), np.float32)) for threads in (1, 2, 5)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["numpy", "compiled"])
def test_a_resumed_run_is_the_whole_run_bit_for_bit(digits: Dataset, tmp_path: Path, name: str, threads: int) -> None:
    settings = {"hidden": [40], "epochs": 3, "precision": "bfloat16", "engine": name, "threads": threads}
    whole = train(digits, "fast", out=tmp_path / "whole", **settings)
    train(digits, "fast", out=tmp_path / "half", callbacks=[Pause()], **settings)
    half = resume(tmp_path / "half")
    np.testing.assert_array_equal(whole.model.network.parameters, half.model.network.parameters)
    exact = train(digits, "fast", out=tmp_path / "exact", **settings | {"precision": "float32"})
    assert np.any(exact.model.network.parameters != whole.model.network.parameters)
    assert abs(exact.history[-1]["validation_accuracy"] - whole.history[-1]["validation_accuracy"]) < 0.02


def test_which_way_is_taken_follows_from_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    features: dict[str, bool] = {}
    monkeypatch.setattr(bfloat16, "has_instructions", lambda name: features.get(name, False))
    for mkl, has, way, kind in (
        (False, {}, "emulated", bfloat16.RoundedCompiledEngine),
        (True, {"avx512bf16": True}, "AVX512-BF16", bfloat16.TilesEngine),
        (True, {"avx512bf16": True, "amx-bf16": True}, "AMX", bfloat16.MatrixUnitsEngine),
        (True, {"amx-bf16": True}, "emulated", bfloat16.RoundedCompiledEngine),
        (False, {"avx512bf16": True, "amx-bf16": True}, "AVX512-BF16", bfloat16.TilesEngine),
    ):
        features.clear()
        features.update(has)
        monkeypatch.setattr(bfloat16, "find_blas", lambda mkl=mkl: blas.Blas("a BLAS", 1, 2, 3 if mkl else 0))
        assert bfloat16.how() == way
        assert type(make_engine("compiled", 2, precision="bfloat16")) is kind
    assert type(make_engine("numpy", precision="bfloat16")) is RoundedEngine
    assert type(make_engine("numpy", precision="float64")) is Engine


def test_the_summary_says_that_products_are_emulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "digits", "--hidden", "8", "--epochs", "1", "--precision", "bfloat16", "--engine", "numpy"]
    assert main([*command, "--out", "run"]) == 0
    assert "engine    numpy, bfloat16 (emulated), 1 thread" in capsys.readouterr().err
    assert Config.load(tmp_path / "run/config.toml").precision == "bfloat16"
    assert main([*command[:-4], "--precision", "float16"]) == 2
    assert capsys.readouterr().err.startswith("glassnet: --precision: ")


def test_a_run_folder_that_calls_it_dtype_is_read(tmp_path: Path) -> None:
    old = Config.resolve("fast", precision="float64").to_toml().replace("precision =", "dtype =")
    assert "dtype =" in old
    (tmp_path / "config.toml").write_text(old)
    config = Config.load(tmp_path / "config.toml")
    assert (config.precision, config.dtype) == ("float64", "float64")


def test_the_estimator_takes_a_precision(digits: Dataset) -> None:
    X, y = digits.train.images.reshape(len(digits.train), -1) / 16, digits.train.labels
    settings = {"hidden": (32,), "epochs": 3, "random_state": 0, "engine": "numpy"}
    fitted = {
        precision: DigitClassifier(precision=precision, **settings).fit(X, y)
        for precision in (None, "float64", "float32", "bfloat16")
    }
    dtypes = [estimator.network_.dtype for estimator in fitted.values()]
    assert dtypes == [np.float64, np.float64, np.float32, np.float32]
    p = {precision: estimator.predict_proba(X) for precision, estimator in fitted.items()}
    np.testing.assert_array_equal(p[None], p["float64"])
    assert np.any(p["bfloat16"] != p["float32"])
    with pytest.raises(ConfigError, match="precision"):
        DigitClassifier(precision="float16", **settings).fit(X, y)
