"""How many threads an engine gets on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..nn import Engine

__all__ = ["MAX_THREADS", "available_threads", "choose_threads", "computing"]

MAX_THREADS = 1024  # each has working memory of its own, and a BLAS takes their number as a C int

WORTHWHILE = 10_000_000  # multiply-adds in a layer's largest product


def available_threads() -> int:
    """Return how many processors this process may use; a container's share of them is rounded up."""
    from joblib import cpu_count  # which takes a while to import

    return int(cpu_count())


def choose_threads(largest: int) -> int:
    """Return one thread for small products and all available ones for large ones.

    A second thread has to be woken and waited for at every product, which costs more than it brings while the product
    takes only some tens of microseconds.

    Args:
        largest: multiply-adds in the largest product of a step.
    """
    return available_threads() if largest >= WORTHWHILE else 1


@contextmanager
def computing(engine: Engine) -> Iterator[None]:
    """What steps are computed in: as many BLAS threads as the engine's products have, and none of NumPy's warnings.

    The limit holds for the whole process: of several threads inside, the first sets it and the last takes it away.
    """
    # What overflows is found by looking at the loss, which says more than a warning.
    with _LIMIT.of(engine), np.errstate(all="ignore"):
        yield


class _Limit:
    """How many threads the BLAS has, while anybody computes."""

    def __init__(self) -> None:
        self._changing, self._inside = Lock(), 0
        self._limiter: Any = None

    @contextmanager
    def of(self, engine: Engine) -> Iterator[None]:
        """Give the BLAS as many threads as an engine says, if it says anything."""
        if engine.products is None:
            yield
            return
        with self._changing:
            if self._inside == 0:
                self._limiter = _controller(engine.name).limit(limits=engine.products, user_api="blas")
            self._inside += 1
        try:
            yield
        finally:
            with self._changing:
                self._inside -= 1
                if self._inside == 0:
                    self._limiter.restore_original_limits()


_LIMIT = _Limit()


@cache
def _controller(engine: str) -> ThreadpoolController:
    """Look for the BLAS that an engine has loaded once: in the milliseconds that it takes, many small batches learn."""
    return ThreadpoolController()
