"""A page as a Python file or as a notebook, and the digits as a table."""

import csv
import io
import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMATS", "digits_table", "formatted"]

FORMATS = ("py", "ipynb")
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)  # so begins a cell in VS Code, Spyder and Jupytext


def formatted(page: str, form: str) -> bytes:
    """Return a page's text in one of `FORMATS`."""
    if form == "py":
        return page.encode()
    _, *parts = CELL.split(page)
    cells = [_cell(kind, text.strip("\n")) for kind, text in zip(parts[::2], parts[1::2], strict=True)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return (
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}, indent=1) + "\n"
    ).encode()


def _cell(kind: str, text: str) -> dict[str, Any]:
    if "markdown" in kind:
        text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
        return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}
    source = text.splitlines(keepends=True)
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}


def digits_table(images: NDArray[np.int64], labels: NDArray[np.int64]) -> bytes:
    """Return images (n, d) and labels (n,) in the form of Kaggle's train.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", *(f"pixel{i}" for i in range(images.shape[1]))])
    writer.writerows(np.column_stack([labels, images]).tolist())
    return text.getvalue().encode()
