"""Files in the form of Kaggle's Digit Recognizer, from images."""

from pathlib import Path

import numpy as np


def write_csv(path: Path, images: np.ndarray, labels: np.ndarray | None = None) -> Path:
    """Write ``train.csv`` or, without labels, ``test.csv``, as Kaggle gives them."""
    header = [f"pixel{i}" for i in range(images[0].size)]
    table = images.reshape(len(images), -1)
    if labels is not None:
        table, header = np.column_stack([labels.astype(np.uint8), table]), ["label", *header]
    with path.open("wb") as file:
        file.write(",".join(header).encode() + b"\n")
        for start in range(0, len(table), 1000):
            file.write(as_text(table[start : start + 1000]))
    return path


def as_text(table: np.ndarray) -> bytes:
    """Return rows of whole numbers up to 255 as lines of CSV: three digits and a comma each, less the leading zeros."""
    letters = np.stack([table // 100, table // 10 % 10, table % 10, np.zeros_like(table)], axis=2) + ord("0")
    letters[:, :, 3] = ord(",")
    letters[:, -1, 3] = ord("\n")
    ones = np.ones(table.shape, bool)
    return letters[np.stack([table >= 100, table >= 10, ones, ones], axis=2)].tobytes()
