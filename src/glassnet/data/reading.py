"""Reading as many bytes as a header announces, and never more."""

from typing import Protocol

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES

__all__ = ["MAX_FILE_BYTES", "Readable", "read_exactly"]

MAX_FILE_BYTES = MAX_PIXEL_BYTES + 2**20  # a file of images without compression, and what stands before and after them
CHUNK = 2**20  # bytes read at a time


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes: ...


def read_exactly(file: Readable, expected: int, where: str) -> bytearray:
    """Return the rest of ``file``, which must be ``expected`` bytes.

    Memory grows with what is there, not with what is promised, so neither a lying header nor a small file that unpacks
    to a huge one takes more than ``expected`` bytes.

    Raises:
        DataError: there are fewer bytes, or more, or more are promised than a file of images may hold.
    """
    if expected > MAX_PIXEL_BYTES:
        raise DataError(f"{where}: the header announces {expected:,} bytes, more than the {MAX_PIXEL_BYTES:,} allowed")
    content = bytearray()
    while len(content) <= expected and (chunk := file.read(min(CHUNK, expected + 1 - len(content)))):
        content += chunk
    if len(content) != expected:
        found = f"only {len(content):,}" if len(content) < expected else "more"
        raise DataError(
            f"{where}: the header announces {expected:,} bytes of data, but there are {found}; download it again"
        )
    return content
