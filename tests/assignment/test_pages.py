"""The pages: right as they are, and wrong in the ways that stand beside their lines."""

from typing import Any

import numpy as np
import pytest

from glassnet import textbook_convolution
from glassnet.assignment.page import PAGES, Page, read_page, run_page
from glassnet.assignment.probes import probes
from glassnet.clinic import MISTAKES, examine
from glassnet.errors import ConfigError


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return read_page(request.param)


def loss(page: Page, params: list[Any], X: Any, y: Any) -> float:
    P = run_page(page)["forward"](params, X)[-1]
    P = P.T if page.name == "dense-columns" else P
    return float(-np.log(P[np.arange(len(y)), y]).mean())


def test_gradients_are_differences_of_the_loss(page: Page) -> None:
    rng = np.random.default_rng(0)
    for _, (params, X, y, cache) in probes(page, "backward", rng):
        grads = run_page(page)["backward"](params, X, y, cache)
        for _ in range(5):
            directions = [rng.standard_normal(p.shape) for p in params]
            above, below = (
                loss(page, [p + sign * 1e-6 * d for p, d in zip(params, directions, strict=True)], X, y)
                for sign in (1, -1)
            )
            along = sum(float((g * d).sum()) for g, d in zip(grads, directions, strict=True))
            assert along == pytest.approx((above - below) / 2e-6, rel=2e-4, abs=1e-8)


def test_the_doctor_finds_nothing_in_the_dense_pages() -> None:
    rng = np.random.default_rng(1)
    for name, sizes in (("dense-columns", [20, 12, 10]), ("dense-rows", [20, 14, 12, 10])):
        run = run_page(read_page(name))
        X, y = rng.random((40, 20)), rng.integers(10, size=40)
        X = X.T if name == "dense-columns" else X

        def backward(params: Any, X: Any, y: Any, run: dict[str, Any] = run) -> Any:
            return run["backward"](params, X, y, run["forward"](params, X))

        def forward(params: Any, X: Any, run: dict[str, Any] = run) -> Any:
            return run["forward"](params, X)[-1]

        assert not examine(parameters=run["init_params"](sizes, 0), X=X, y=y, forward=forward, backward=backward)


def test_convolutions_are_those_of_the_textbook() -> None:
    run, rng = run_page(read_page("convolution")), np.random.default_rng(2)
    X, W, b = rng.standard_normal((2, 4, 6, 3)), rng.standard_normal((3, 3, 3, 2)), rng.standard_normal(2)
    dZ, dY = rng.standard_normal((2, 4, 6, 2)), rng.standard_normal((2, 2, 3, 3))
    Z, (dX, dW, db) = run["convolve"](X, W, b), run["convolve_backward"](X, W, dZ)
    sums = [np.zeros(W.shape), np.zeros(2)]
    for n in range(2):
        padded = np.pad(X[n], ((1, 1), (1, 1), (0, 0)))
        np.testing.assert_allclose(Z[n], textbook_convolution.convolve(padded, W, b, 1))
        expected, dW_n, db_n = textbook_convolution.convolve_backward(padded, W, dZ[n], 1)
        np.testing.assert_allclose(dX[n], expected[1:-1, 1:-1])
        sums = [sums[0] + dW_n, sums[1] + db_n]
        np.testing.assert_allclose(run["max_pool"](X)[n], textbook_convolution.max_pool(X[n], 2, 2))
        pooled = textbook_convolution.max_pool_backward(X[n], dY[n], 2, 2)
        np.testing.assert_allclose(run["max_pool_backward"](X, dY)[n], pooled)
    np.testing.assert_allclose(dW, sums[0])
    np.testing.assert_allclose(db, sums[1])


def test_each_plant_is_a_known_mistake_that_changes_lines_of_one_function(page: Page) -> None:
    assert "#!" not in page.text()
    for plant in page.plants:
        assert plant.mistake in MISTAKES
        assert plant.level in (1, 2, 3)
        assert [plant in page.planted_in(function) for function in page.functions].count(True) == 1
        changed = [(a, b) for a, b in zip(page.lines, page.text([plant]).splitlines(), strict=True) if a != b]
        assert len(changed) == len(plant.lines)
        compile(page.text([plant]), page.name, "exec")


def test_each_level_has_enough_that_differ(page: Page) -> None:
    for level in (1, 2, 3):
        assert len({plant.mistake for plant in page.plants if plant.level == level}) >= 4


def test_an_unknown_page_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dense-rows'"):
        read_page("dense-row")
