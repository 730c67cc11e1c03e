"""Every engine there is: what computes in these tests does so with each of them."""

from collections.abc import Callable

import pytest

from glassnet.nn import Engine

ENGINES: dict[str, Callable[[], Engine]] = {
    "numpy": Engine,
    "numpy, two threads": lambda: Engine(threads=2),
}


@pytest.fixture(scope="session", params=ENGINES.values(), ids=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made
