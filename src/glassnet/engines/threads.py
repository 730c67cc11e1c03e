"""How many threads an engine gets on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import pairwise

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


def choose_threads(batch_size: int, sizes: list[int]) -> int:
    """Return one thread for small products and all available ones for large ones.

    A second thread has to be woken and waited for at every product, which costs more than it brings while the product
    takes only some tens of microseconds.

    Args:
        batch_size: rows of a batch.
        sizes: the number of inputs, of the units of each layer, and of outputs.
    """
    largest = max(batch_size * a * b for a, b in pairwise(sizes))
    return available_threads() if largest >= WORTHWHILE else 1


@contextmanager
def computing(engine: Engine) -> Iterator[None]:
    """What steps are computed in: as many BLAS threads as the engine's products have, and none of NumPy's warnings.

    The limit holds for the whole process.
    """
    limited = engine.products is not None
    blas = _controller(engine.name).limit(limits=engine.products, user_api="blas") if limited else nullcontext()
    # What overflows is found by looking at the loss, which says more than a warning.
    with blas, np.errstate(all="ignore"):
        yield


@cache
def _controller(engine: str) -> ThreadpoolController:
    """Look for the BLAS that an engine has loaded once: in the milliseconds that it takes, many small batches learn."""
    return ThreadpoolController()
