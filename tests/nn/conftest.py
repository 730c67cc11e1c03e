"""Every engine there is: what computes in these tests does so with each of them."""

from collections.abc import Callable

import pytest
from many_parts import ManyParts

from glassnet.nn import Engine


def many_blocks() -> Engine:
    """Return an engine that shares out small arrays, too, so that they show whether that is right."""
    engine = Engine(threads=2)
    engine.block, engine.few = 64, 100
    return engine


def many_parts() -> Engine:
    return ManyParts(threads=3)


ENGINES: dict[str, Callable[[], Engine]] = {
    "numpy": Engine,
    "numpy, two threads": many_blocks,
    "compiled": many_parts,
}


@pytest.fixture(scope="session", params=ENGINES.values(), ids=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made
