"""An audit as a page of images, and as a table for other programs."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files import write_atomically
from ..page import write_html
from .audit import Audit

__all__ = ["write_audit"]

SHOWN = 200  # labels on the page; labels.csv has all
PAIRS = 60  # groups of duplicates, and pairs of near-duplicates


def write_audit(audit: Audit, folder: Path) -> Path:
    """Write ``labels.csv`` and ``audit.html`` into a folder, which is created if missing; return the page's path.

    Raises:
        FileError: they cannot be written.
    """
    rows = audit.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / "labels.csv", text.getvalue().encode())
    border = len(audit.dataset.train)
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
        suspects=[
            row | {"png": _png(audit, int(index))} for index, row in zip(audit.order[:SHOWN], rows, strict=False)
        ],
        groups=[_group(audit, group) for group in _worst_first(audit)[:PAIRS]],
        pairs=[_group(audit, (pair.train, pair.test + border)) for pair in audit.near[:PAIRS]],
    )


def _worst_first(audit: Audit) -> list[list[int]]:
    """Return the groups of duplicates: those whose labels differ, those across the split, then all others."""
    contradictory, across = ({id(group) for group in groups} for groups in (audit.contradictory, audit.across))
    return sorted(audit.duplicates, key=lambda group: (id(group) not in contradictory, id(group) not in across))


def _group(audit: Audit, indices: Iterable[int]) -> list[dict[str, Any]]:
    """Return what the page shows of images that belong together; of a large group the first four."""
    shown = []
    for index in [*indices][:4]:
        part, row = audit.place(index)
        label = audit.dataset.classes[int(audit.examples.labels[index])]
        shown.append({"part": part, "row": row, "label": label, "png": _png(audit, index)})
    return shown


def _png(audit: Audit, index: int) -> bytes:
    """Return an image as the content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(audit.examples.images_at(np.array([index]))[0]).save(buffer, "PNG")
    return buffer.getvalue()
