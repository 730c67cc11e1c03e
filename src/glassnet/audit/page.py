"""An audit as a page of images, and as tables for other programs."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files import write_atomically
from ..logs import rows_as_csv
from ..page import write_html
from .audit import Audit, Place

__all__ = ["write_audit"]

SHOWN = 200  # labels on the page; labels.csv has all
PAIRS = 60  # groups of duplicates, and pairs of near-duplicates; duplicates.csv has all


def write_audit(audit: Audit, folder: Path) -> Path:
    """Write ``audit.html`` and two tables into a folder, which is created if missing; return the page's path.

    ``labels.csv`` has `Audit.rows`, ``duplicates.csv`` has `Audit.duplicate_rows`.

    Raises:
        FileError: they cannot be written.
    """
    rows = audit.rows()
    _write_table(folder / "labels.csv", rows, tuple(rows[0]))
    _write_table(folder / "duplicates.csv", audit.duplicate_rows(), ("group", "kind", *Place._fields, "label"))
    return write_html(
        folder / "audit.html",
        "audit/audit.html",
        name=audit.dataset.name,
        count=len(audit.examples),
        wrong=int(audit.wrong.sum()),
        duplicates=len(audit.duplicates),
        across=len(audit.across),
        contradictory=len(audit.contradictory),
        near=len(audit.near),
        listed=len(rows),
        suspects=[row | _picture(audit, int(index)) for index, row in zip(audit.listed[:SHOWN], rows, strict=False)],
        groups=[_group(audit, group) for group in audit.worst_duplicates()[:PAIRS]],
        pairs=[_group(audit, pair) for pair in audit.near_groups()[:PAIRS]],
    )


def _write_table(path: Path, rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> None:
    # A file's name need not be UTF-8: it is written as it is on the disk.
    write_atomically(path, rows_as_csv(rows, columns).encode(errors="surrogateescape"))


def _group(audit: Audit, indices: Iterable[int]) -> list[dict[str, Any]]:
    """Return what the page shows of images that belong together; of a large group the first four."""
    return [
        _picture(audit, index) | {"label": audit.dataset.classes[int(audit.examples.labels[index])]}
        for index in [*indices][:4]
    ]


def _picture(audit: Audit, index: int) -> dict[str, Any]:
    """Return where an image is, and the image as the content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(audit.examples.images_at(np.array([index]))[0]).save(buffer, "PNG")
    return {"place": audit.place(index), "png": buffer.getvalue()}
