"""Every engine there is: what computes in these tests does so with each of them."""

from collections.abc import Callable

import pytest

from glassnet.nn import Engine


class ManyBlocks(Engine):
    """Shares out what an ordinary engine computes at once, so that small arrays show whether that is right."""

    block, few = 64, 100


ENGINES: dict[str, Callable[[], Engine]] = {
    "numpy": Engine,
    "numpy, two threads": lambda: ManyBlocks(threads=2),
}


@pytest.fixture(scope="session", params=ENGINES.values(), ids=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made
