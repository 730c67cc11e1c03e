"""Compiled answers: what NumPy answers, to rounding, whatever else is asked at the same time."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from glassnet import Model, nn
from glassnet.data import Preprocessing
from glassnet.engines.crew import MOST
from glassnet.engines.rows import BLOCK
from glassnet.errors import ConfigError, DataError

HEIGHT, WIDTH = 5, 4
ACTIVATIONS = [None, nn.ReLU(), nn.LeakyReLU(0.2), nn.GELU(), nn.Sigmoid(), nn.Tanh()]


def model(*layers: nn.Layer, scale: float = 1 / 255, shift: float = 0.0, dtype: str = "float32") -> Model:
    network = nn.Network([*layers, nn.Dense(3)], HEIGHT * WIDTH, dtype=dtype)
    rng = np.random.default_rng(7)
    network.parameters[:] = rng.normal(0, 0.5, network.parameters.size)
    network.statistics[:] = rng.uniform(0.5, 2, network.statistics.size)
    preprocessing = Preprocessing(HEIGHT, WIDTH, scale, shift, box=5, dark_on_light=False)
    return Model(network, preprocessing, tuple("abc"))


def images(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.integers(0, 256, (count, HEIGHT, WIDTH)) * (rng.random((count, HEIGHT, WIDTH)) < 0.4)).astype(np.uint8)


def layers_with(activation: nn.Layer | None) -> list[nn.Layer]:
    between = [activation] if activation else []
    return [nn.Flatten(), nn.Dense(17), nn.BatchNorm(), *between, nn.Dropout(0.5), nn.Dense(9), nn.BatchNorm()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize(("scale", "shift"), [(1 / 255, 0.0), (0.01, -0.4)])
def test_it_answers_as_numpy_does(activation: nn.Layer | None, scale: float, shift: float) -> None:
    one = model(*layers_with(activation), scale=scale, shift=shift)
    logits, probabilities, labels = one.logits(images(16)), one.predict_proba(images(16)), one.predict(images(16))
    assert one.compile() is one
    np.testing.assert_allclose(one.logits(images(16)), logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(one.predict_proba(images(16)), probabilities, atol=1e-6)
    np.testing.assert_array_equal(one.predict(images(16)), labels)
    assert one.predict_proba(images(16)).dtype == np.float32


def test_it_is_what_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    one = model(nn.Dense(8), nn.ReLU())
    expected = one.predict_proba(images(900))
    one.compile()
    monkeypatch.setattr(nn.Network, "forward", None)
    np.testing.assert_allclose(one.predict_proba(images(900)), expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7, 8, 9, 63, 64, 65, 201])
def test_an_image_is_answered_alike_whatever_comes_with_it(count: int) -> None:
    """Be it one of few, in a tile, in an incomplete one, or another thread's."""
    one = model(*layers_with(nn.ReLU()), nn.Dense(70), nn.ReLU()).compile()  # 70 units: three panels, one incomplete
    together = one.predict_proba(images(201))
    np.testing.assert_array_equal(one.predict_proba(images(201)[-count:]), together[-count:])


def test_more_blocks_than_a_crew_has_parts_for() -> None:
    one = model(nn.Dense(4), nn.ReLU()).compile()
    many = np.zeros(((MOST + 2) * BLOCK, HEIGHT, WIDTH), np.uint8)
    many[-1] = images(1)[0]
    found = one.logits(many)
    np.testing.assert_array_equal(found[[0, -1]], one.logits(many[[0, -1]]))
    assert (found[:-1] == found[0]).all()


def test_images_without_a_pixel_are_answered() -> None:
    one = model(*layers_with(nn.Tanh()), scale=0.01, shift=-0.4)
    blank = np.zeros((20, HEIGHT, WIDTH), np.uint8)
    expected = one.predict_proba(blank)
    one.compile()
    for count in (1, 20):
        np.testing.assert_allclose(one.predict_proba(blank[:count]), expected[:count], atol=1e-6)


def test_many_threads_ask_at_once() -> None:
    one = model(*layers_with(nn.GELU())).compile()
    expected = one.predict_proba(images(150))
    with ThreadPoolExecutor(8) as pool:
        for i, found in pool.map(lambda i: (i, one.predict_proba(images(150)[: 1 + i % 150])), range(450)):
            np.testing.assert_array_equal(found, expected[: 1 + i % 150])


def test_a_copy_is_not_compiled_and_answers() -> None:
    one = model(nn.Dense(8), nn.ReLU()).compile()
    copy = pickle.loads(pickle.dumps(one))
    np.testing.assert_allclose(copy.predict_proba(images(4)), one.predict_proba(images(4)), atol=1e-6)


def test_wrong_images_are_refused_as_without_it() -> None:
    one = model(nn.Dense(8), nn.ReLU()).compile()
    with pytest.raises(DataError, match=r"images of shape \(2, 3\), expected \(n, 5, 4\)"):
        one.predict_proba(np.zeros((2, 3), np.uint8))
    assert one.predict_proba(images(0)).shape == (0, 3)


def test_numbers_that_are_not_finite_are_told() -> None:
    one = model(nn.Dense(8))
    one.network.named_parameters["0.b"][0] = np.inf
    one.network.named_parameters["1.W"][0] = [1, 1, -1]
    one.compile()
    with pytest.raises(DataError, match="its answer is NaN"):
        one.predict_proba(images(1))
    with pytest.raises(DataError, match="its answer is NaN"):
        one.predict(images(1))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.Reshape((HEIGHT, WIDTH, 1)), nn.Conv2D(2, 3), nn.Flatten()], "Reshape in such a place"),
        ([nn.ReLU()], "ReLU in such a place"),
        ([nn.Dense(4), nn.ReLU(), nn.BatchNorm()], "BatchNorm in such a place"),
    ],
)
def test_other_networks_are_refused_with_a_line(layers: list[nn.Layer], reason: str) -> None:
    with pytest.raises(ConfigError, match=f"the model cannot be compiled: {reason}; compiled code predicts with dense"):
        model(*layers).compile()


def test_other_models_are_refused_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="numbers of type float64; compiled code predicts in float32"):
        model(dtype="float64").compile()
    one = model()
    both = Model([one.network, model().network], one.preprocessing, one.classes)
    with pytest.raises(ConfigError, match="it is an ensemble of 2 networks"):
        both.compile()
    monkeypatch.setattr("glassnet.model.why_not_compiled", lambda: "it needs numba, which is missing")
    with pytest.raises(ConfigError, match="the model cannot be compiled: it needs numba, which is missing"):
        one.compile()
