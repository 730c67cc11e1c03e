"""Microseconds to distort an image of 28×28 pixels in all five ways, beside OpenCV, SciPy and the step it is done for.

One thread each, in batches of 128 images of noise, which cost as much as digits. The trials take turns, so that a noisy
machine disturbs all alike. The peers are given their noise by NumPy and draw the same kinds of distortion image by
image: OpenCV smooths it by GaussianBlur and looks the image up by remap, SciPy by gaussian_filter and by
map_coordinates of order 1. The step is one of Adam on 784-1024-1024-10 in NumPy, distortion not counted.

    python benchmarks/augmentation.py
"""

from collections.abc import Callable
from dataclasses import asdict
from statistics import median
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from contenders import NUMPY
from glassnet.data import Augmentation
from glassnet.data.augmentation import inverse_matrices
from glassnet.engines.compiled import CompiledEngine
from glassnet.nn import Adam, Dense, Network, Pass, ReLU, SoftmaxCrossEntropy
from machine import describe_machine, save_result

TRIALS, BATCH, SIDE = 100, 128, 28
AUGMENTATION = Augmentation(rotation=15, zoom=0.1, shear=0.1, shift=2, elastic=1.4, smoothness=4)
TO_PIXELS = AUGMENTATION.elastic * 2 * AUGMENTATION.smoothness * np.sqrt(3 * np.pi)  # Simard's α for that ``elastic``
GRID = np.indices((SIDE, SIDE), np.float32) - (SIDE - 1) / 2

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Smooth = Callable[[Floats], Floats]


def places(rng: np.random.Generator, smooth: Smooth) -> Floats:
    """Return rows and columns (2, 28, 28) to look up, for one image."""
    amount = AUGMENTATION
    rotation, zoom, shear, down, across = rng.uniform(-1, 1, 5)
    one = (np.array([value]) for value in (amount.rotation * rotation, 1 + amount.zoom * zoom, amount.shear * shear))
    matrix = inverse_matrices(*one)[:, :, 0].astype(np.float32)
    shift = np.array([down, across], np.float32)[:, None, None] * np.float32(amount.shift)
    affine = (matrix @ (GRID - shift).reshape(2, -1)).reshape(GRID.shape) + np.float32((SIDE - 1) / 2)
    noise = 2 * rng.random(GRID.shape, np.float32) - 1
    return affine + np.float32(TO_PIXELS) * np.stack([smooth(plane) for plane in noise])


def opencv(images: Images, rng: np.random.Generator) -> None:
    for image in images:
        rows, columns = places(rng, lambda plane: cv2.GaussianBlur(plane, (0, 0), AUGMENTATION.smoothness))
        cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def scipy(images: Images, rng: np.random.Generator) -> None:
    for image in images:
        found = places(rng, lambda plane: ndimage.gaussian_filter(plane, AUGMENTATION.smoothness))
        ndimage.map_coordinates(image, found, order=1)


def remap_alone(images: Images, maps: list[Floats]) -> None:
    for image, (rows, columns) in zip(images, maps, strict=True):
        cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def training_step() -> Callable[[], None]:
    """Return what takes one step of Adam on 784-1024-1024-10."""
    rng = np.random.default_rng(0)
    X, y = rng.random((BATCH, SIDE * SIDE), np.float32), rng.integers(0, 10, BATCH)
    network = Network([Dense(1024), ReLU(), Dense(1024), ReLU(), Dense(10)], SIDE * SIDE, dtype="float32", seed=0)
    loss, optimizer = SoftmaxCrossEntropy(10), Adam(network.parameters, network.gradients)
    p = Pass(network, training=True)

    def step() -> None:
        network.backward(loss(network.forward(X, p), y).gradient, p)
        optimizer.step(0.001)

    return step


def main() -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, SIDE, SIDE), np.uint8)
    out, compiled = np.empty_like(images), CompiledEngine()
    maps = [places(rng, lambda plane: plane) for _ in images]
    ways: dict[str, Callable[[], object]] = {
        "glassnet": lambda: AUGMENTATION.distort(images, rng, out, engine=compiled),
        NUMPY: lambda: AUGMENTATION.distort(images, rng, out),
        "opencv": lambda: opencv(images, rng),
        "opencv, remap alone": lambda: remap_alone(images, maps),
        "scipy": lambda: scipy(images, rng),
        "training step": training_step(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for trial in range(TRIALS + 1):
        for name, way in ways.items():
            start = perf_counter()
            way()
            if trial:  # the first warms up
                seconds[name].append((perf_counter() - start) / BATCH)
    for name, values in seconds.items():
        ratio = median(a / b for a, b in zip(values, seconds["glassnet"], strict=True))
        low, high = (1e6 * value for value in (min(values), max(values)))
        print(f"{name:<20} {1e6 * median(values):7.1f} µs an image ({low:.1f} to {high:.1f}), {ratio:5.2f} × glassnet")
    save_result(
        "augmentation",
        {
            "machine": describe_machine("numpy", "scipy", "opencv-python-headless"),
            "trials": TRIALS,
            "batch": BATCH,
            "augmentation": asdict(AUGMENTATION),
            "seconds": seconds,
        },
    )


if __name__ == "__main__":
    with threadpool_limits(1, "blas"):
        main()
