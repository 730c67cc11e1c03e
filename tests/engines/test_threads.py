"""How many threads there are, and how many a run gets."""

import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from glassnet.engines import available_threads, choose_threads, computing, threads
from glassnet.nn import Engine


def test_small_products_get_one_thread_and_large_ones_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_threads", lambda: 3)
    assert threads.WORTHWHILE == 10_000_000
    assert choose_threads(9_999_999) == 1
    assert choose_threads(10_000_000) == 3


def test_a_process_has_at_least_one_processor() -> None:
    assert available_threads() >= 1


@pytest.mark.parametrize("products", [1, 2])
def test_products_get_as_many_threads_as_the_engine_says_and_only_while_it_computes(products: int) -> None:
    def found() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["internal_api"] == "openblas"}

    before = found()
    with computing(Engine(2, products)):
        assert found() == {products}
    assert found() == before
    with computing(Engine(2)):
        assert found() == before


def test_what_overflows_while_an_engine_computes_is_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with computing(Engine()):
            assert np.isinf(np.float32(1e38) * np.float32([1e38])).all()


def test_who_computes_beside_others_leaves_the_limit_and_who_ends_last_takes_it_away() -> None:
    def found() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["internal_api"] == "openblas"}

    before = found()
    first, second = computing(Engine(2, 1)), computing(Engine(2, 1))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert found() == {1}
    second.__exit__(None, None, None)
    assert found() == before
