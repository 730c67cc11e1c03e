"""Which parts of digits are digits themselves: half of a 1 is a 1, the top of a 9 a 0, a cut 8 a 3.

The rule: a part is a digit where it is as near to some training digit as nine in ten other digits are. Near is by the
angle between images that are blurred by a pixel.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from glassnet import Dataset
from glassnet.data.dataset import Images

__all__ = ["Resemblance"]

KNOWN, JUDGED = 20_000, 1_500  # training digits to which distances are taken, and others whose distances are compared
NEARER = 0.9  # of those


class Resemblance:
    """The rule, made from MNIST's training images."""

    def __init__(self, mnist: Dataset) -> None:
        some = mnist.train.images_at(np.random.default_rng(0).permutation(len(mnist.train))[: KNOWN + JUDGED])
        self._known = _directions(some[:KNOWN])
        self._farthest = float(np.quantile(self._distances(some[KNOWN:]), NEARER))

    def __call__(self, images: Images) -> NDArray[np.bool_]:
        """Return which of images (n, 28, 28) are digits by the rule (n,)."""
        return self._distances(images) <= self._farthest

    def _distances(self, images: Images) -> NDArray[np.float32]:
        """One less the cosine of the angle to the nearest training digit (n,)."""
        return np.asarray(1 - (_directions(images) @ self._known.T).max(axis=1), np.float32)


def _directions(images: Images) -> NDArray[np.float32]:
    blurred = gaussian_filter(images.astype(np.float32), (0, 1, 1)).reshape(len(images), -1)
    return np.asarray(blurred / np.linalg.norm(blurred, axis=1, keepdims=True), np.float32)
