"""The text of a table, whatever wrote it: unpacked, decoded, and with one kind of line end and of separator."""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .dataset import MAX_PIXEL_BYTES
from .reading import Readable

__all__ = ["WITHIN", "TableText", "line_at", "read_text"]

SEPARATORS = "\t;|, "  # the first of these in the first line separates its cells
PARTS = 8 * 2**20  # bytes that are unpacked at a time
UNICODE = {  # by the byte-order mark; that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
WITHIN = b"\x1f"  # stands for a separator in a cell
_TRAILING = re.compile(rb",+\Z")
_FEWEST_NUMBERED = 9  # names of columns that are nothing but consecutive numbers, as pandas gives them


class TableText(NamedTuple):
    """A table as text.

    Attributes:
        names: of the columns, or None where the file has no header.
        body: the rows: cells separated by commas, without quotation marks, each row ended by a newline. Separators
            within quotation marks are ``WITHIN``.
        first_line: the number of the line in the file that the body begins with.
        separator: of the cells in the file.
    """

    names: list[str] | None
    body: bytes
    first_line: int
    separator: str


def read_text(path: Path, content: bytes) -> TableText:
    """Return the text of a table of numbers: commas, semicolons, tabs, bars or blanks between its cells.

    It may be packed by gzip or zip, whatever its name, and be UTF-8 or UTF-16 with any line ends.

    Args:
        path: what errors call the file.
        content: all of it.

    Raises:
        DataError: it is empty, no text, damaged, or an archive of several tables.
    """
    text = _decoded(path, _unpacked(path, content))
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = len(text) - len(text.lstrip(b"\n "))
    line = line_at(text, start)
    if not line.strip():
        raise DataError(f"{path}: the file is empty; give a table of images such as Kaggle's train.csv")
    separator, hint = _separator(line)
    if hint:  # Excel's line "sep=;"
        start += len(line) + 1
        line = line_at(text, start)
    names = _names(path, line, separator)
    if names is not None:
        start += len(line) + 1
    body = _with_commas(_unquoted(text[start:], separator), separator)
    if body and not body.endswith(b"\n"):
        body += b"\n"
    body, names = _without_trailing_commas(body, names)
    return TableText(names, body, 1 + text.count(b"\n", 0, start), separator)


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        if content.startswith(b"\x1f\x8b"):
            return _at_most(path, gzip.GzipFile(fileobj=io.BytesIO(content)))
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(_member(path, archive)) as file:
                return _at_most(path, file)
    except (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); is it complete? Download it again") from error
    return content


def _at_most(path: Path, file: Readable) -> bytes:
    unpacked = bytearray()
    while part := file.read(PARTS):
        unpacked += part
        if len(unpacked) > MAX_PIXEL_BYTES:
            raise DataError(f"{path}: more than the {MAX_PIXEL_BYTES:,} bytes allowed when unpacked; split the file")
    return bytes(unpacked)


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the one table of an archive; what macOS and Windows add beside it is none."""
    tables = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX") and "/." not in f"/{member.filename}"
    ]
    named = [member for member in tables if Path(member.filename).name == path.name.removesuffix(".zip")]
    if len(tables) != 1 and len(named) != 1:
        there = ", ".join(member.filename for member in tables[:8]) or "nothing"
        raise DataError(f"{path}: an archive of {there}; unpack it, and give one table, or the folder with all")
    return (named or tables)[0]


def _decoded(path: Path, content: bytes) -> bytes:
    """Return text as UTF-8 without a byte-order mark."""
    encoding = next((name for mark, name in UNICODE.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:4]:  # UTF-16 without its mark: every other byte of ASCII is zero
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    if encoding == "utf-8-sig":
        return content[len(codecs.BOM_UTF8) :]
    try:
        text = content.decode(encoding).encode() if encoding else content
    except UnicodeError as error:
        raise DataError(f"{path}: cannot be read as {encoding} text; save it as UTF-8") from error
    head = text[: max(16, min(text.find(b"\n"), 2**12))]
    if any(byte < 32 and byte not in b"\t\n\f\r" for byte in head):
        raise DataError(f"{path}: not a CSV file of text; give a table of images such as Kaggle's train.csv")
    return text


def _separator(line: bytes) -> tuple[str, bool]:
    """Return what separates the cells of a file, and whether its first line says nothing else."""
    if hint := re.fullmatch(rb'"?sep=(.)"?\s*', line):
        return hint[1].decode("latin-1"), True
    return next((separator for separator in SEPARATORS if separator.encode() in line.strip()), ","), False


def _names(path: Path, line: bytes, separator: str) -> list[str] | None:
    """Return the names in a first line, or None where it holds the numbers of an image."""
    text = line.decode("utf-8", errors="replace").strip(" \f")
    try:
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error as error:
        raise DataError(f"{path}: line 1: {error}; is it a CSV file of text?") from error
    cells[0] = cells[0].removeprefix("#").strip()  # which NumPy's savetxt writes before a header
    if not all(map(_is_number, filter(None, cells))):
        return None if _is_row_with_a_word(cells) else cells
    numbers = cells if cells[0] else cells[1:]
    first = int(numbers[0]) if numbers and numbers[0] in ("0", "1") else None
    counted = first is not None and numbers == [str(first + i) for i in range(len(numbers))]
    return cells if counted and len(numbers) >= _FEWEST_NUMBERED else None


def _is_row_with_a_word(cells: list[str]) -> bool:
    """Whether cells are an image with a word for its label at one end, and not the names of columns, which differ."""
    words = [i for i, cell in enumerate(cells) if not _is_number(cell)]
    pixels = [cell for i, cell in enumerate(cells) if i not in words]
    return words in ([0], [len(cells) - 1]) and len(pixels) > len(set(pixels))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _unquoted(body: bytes, separator: str) -> bytes:
    """Take quotation marks away, and have ``WITHIN`` for the separators between them."""
    if b'"' not in body:
        return body
    text = np.frombuffer(body, np.uint8)
    quotes = np.cumsum(text == ord('"'), dtype=np.uint8)  # modulo 256: whether odd or even is all that counts
    ends = np.append(np.flatnonzero(text == ord("\n")), len(text) - 1)
    lengths, at_end = np.diff(ends, prepend=-1), quotes[ends]
    before = np.concatenate([[np.uint8(0)], at_end[:-1]])
    is_odd = (at_end - before) % 2 == 1  # a line with a mark too many, which means nothing
    within = ((quotes - np.repeat(before, lengths)) % 2 == 1) & ~np.repeat(is_odd, lengths) & (text == ord(separator))
    if within.any():
        body = np.where(within, np.uint8(WITHIN[0]), text).tobytes()
    return body.replace(b'"', b"")


def _with_commas(body: bytes, separator: str) -> bytes:
    """Return rows with commas between their cells, and points in their numbers, as all rows have them from here on."""
    if separator == " ":
        return b"\n".join(b",".join(line.split()) for line in body.split(b"\n"))
    if separator != ",":
        body = body.replace(b",", b".").replace(separator.encode(), b",")
    return body


def _without_trailing_commas(body: bytes, names: list[str] | None) -> tuple[bytes, list[str] | None]:
    """Take off the empty cells at the end of all rows, or of the header; and name the column that R does not name."""
    row = line_at(body, 0)
    if ending := _TRAILING.search(row):
        body, row = body.replace(ending[0] + b"\n", b"\n"), row.removesuffix(ending[0])
    width = row.count(b",") + 1
    if names is not None and row:
        while len(names) > width and not names[-1]:
            names = names[:-1]
        if len(names) == width - 1 and body.startswith(b"1,") and body.find(b"\n2,") == body.find(b"\n"):
            names = ["", *names]  # R numbers its rows, and has no name for the column of the numbers
    return body, names


def line_at(text: bytes, start: int) -> bytes:
    """Return the first line from ``start`` on that is not empty; text is long, so no more of it is copied."""
    while text.startswith(b"\n", start):
        start += 1
    stop = text.find(b"\n", start)
    return text[start : stop if stop >= 0 else len(text)]
