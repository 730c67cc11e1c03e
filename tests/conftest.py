import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def idx_bytes(array: Bytes) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def small_mnist(n: int, seed: int) -> tuple[Bytes, Bytes]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 28, 28), np.uint8), (np.arange(n) % 10).astype(np.uint8)


@pytest.fixture
def write_mnist() -> Callable[..., Path]:
    """Write a small data set in MNIST's form: 50 training images and 20 test images of noise."""

    def write(folder: Path, *, zipped: bool = True, dotted: bool = False, test: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for part, n, seed in (("train", 50, 0), ("t10k", 20, 1))[: 1 + test]:
            images, labels = small_mnist(n, seed)
            for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
                name = name.replace("-idx", ".idx") if dotted else name
                content = idx_bytes(array)
                path = folder / (name + ".gz" * zipped)
                path.write_bytes(gzip.compress(content, 1, mtime=0) if zipped else content)
        return folder

    return write


@pytest.fixture
def mnist_folder(tmp_path: Path, write_mnist: Callable[..., Path]) -> Path:
    return write_mnist(tmp_path / "small")
