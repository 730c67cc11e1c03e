"""How many pictures of digits, real and synthetic, the bundled model reads right.

Synthetic photos (photos.py) are made of MNIST's validation digits, on which preparation is chosen, or with ``--test``
of its test digits, into benchmarks/results/pictures.json. Real ones are looked for in ``GLASSNET_DATA/world``: a folder
for each source, with files that are called LABEL_NUMBER.

    python benchmarks/pictures.py [--test] [--count 300]
"""

import argparse
import io
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from glassnet import Model, load_dataset, open_model
from glassnet.data import frame_picture, read_picture
from glassnet.data.dataset import Examples
from glassnet.errors import DataError
from machine import describe_machine, save_result
from photos import KINDS

Counts = dict[str, int]


def judged(model: Model, pictures: Iterable[tuple[str, str | bytes | Path]]) -> Counts:
    """Return how many pictures are right, wrong and refused, and how many of the wrong are over 90 % sure."""
    counts = dict.fromkeys(["right", "wrong", "no digit", "surely wrong"], 0)
    for label, picture in pictures:
        try:
            prepared = frame_picture(read_picture(picture), model.preprocessing)
        except DataError:
            counts["no digit"] += 1
            continue
        p = model.predict_proba(prepared)[0]
        is_right = model.classes[p.argmax()] == label
        counts["right" if is_right else "wrong"] += 1
        counts["surely wrong"] += not is_right and bool(p.max() > 0.9)
    return counts


def synthetic(kind: str, digits: Examples, count: int) -> Iterable[tuple[str, bytes]]:
    """Yield pictures of a kind with their labels."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    for index in rng.permutation(len(digits))[:count]:
        file = io.BytesIO()
        Image.fromarray(KINDS[kind](digits.images_at(np.array([index]))[0], rng)).save(file, "PNG")
        yield str(digits.labels[index]), file.getvalue()


def real(folder: Path) -> Iterable[tuple[str, Path]]:
    """Yield a source's pictures with their labels."""
    return ((path.name.partition("_")[0], path) for path in sorted(folder.iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--count", type=int, default=300)
    given = parser.parse_args()
    model, mnist = open_model(), load_dataset("mnist")
    digits = mnist.test if given.test else mnist.split(0.1, 0)[1]
    found: dict[str, dict[str, Counts]] = defaultdict(dict)
    for kind in KINDS:
        found["synthetic"][kind] = judged(model, synthetic(kind, digits, given.count))
    world = Path(os.environ.get("GLASSNET_DATA", ".")) / "world"
    for folder in sorted(world.iterdir()) if world.is_dir() else []:
        if folder.is_dir() and folder.name != "numbers":
            found["real"][folder.name] = judged(model, real(folder))
    for sort, groups in found.items():
        fractions = [counts["right"] / (sum(counts.values()) - counts["surely wrong"]) for counts in groups.values()]
        for (name, counts), fraction in zip(groups.items(), fractions, strict=True):
            print(f"{sort:<10} {name:<14} {100 * fraction:6.1f} %  {counts}")
        print(f"{sort:<10} {'mean':<14} {100 * np.mean(fractions):6.1f} %")
    if given.test:
        save_result("pictures", {"machine": describe_machine("numpy"), "count": given.count, **found})


if __name__ == "__main__":
    main()
