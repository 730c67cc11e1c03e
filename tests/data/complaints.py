from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassnet.errors import GlassnetError


@contextmanager
def only_complaints_about(path: Path) -> Iterator[None]:
    """Whatever is read here may be refused, in one line that names the file; any other exception is a bug."""
    try:
        yield
    except GlassnetError as error:
        line = str(error)
    else:
        return
    assert str(path) in line
    assert "\n" not in line
