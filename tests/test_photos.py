"""The bundled model recognises digits on what phones, scanners and drawing programs give."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glassnet import load_dataset, open_model
from glassnet.data import frame_picture, read_picture
from glassnet.data.dataset import Images
from photos import KINDS

EACH = 25


def recognised(gray: Images) -> str:
    model = open_model()
    return model.classes[int(model.predict(frame_picture(gray, model.preprocessing))[0])]


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
@pytest.mark.parametrize("kind", KINDS)
def test_photos_of_each_kind(kind: str) -> None:
    rng, digits = np.random.default_rng(3), load_dataset("mnist").test
    right = 0
    for index in rng.permutation(len(digits))[:EACH]:
        file = io.BytesIO()
        Image.fromarray(KINDS[kind](digits.images_at(np.array([index]))[0], rng)).save(file, "PNG")
        right += recognised(read_picture(file.getvalue())) == str(digits.labels[index])
    assert right >= 0.92 * EACH


def a_seven(ink: int, paper: int = 255) -> Images:
    page = Image.new("L", (200, 200), paper)
    ImageDraw.Draw(page).line([(60, 50), (140, 50), (90, 150)], ink, 14)
    return np.array(page)


def test_a_faint_digit_beside_a_black_dot() -> None:
    page = a_seven(170)
    page[8:12, 8:12] = 0
    assert recognised(page) == "7"


@pytest.mark.parametrize("depth", [3, 10])
def test_a_frame_at_the_very_edge(depth: int) -> None:
    page = a_seven(0)
    page[:depth] = page[-depth:] = page[:, :depth] = page[:, -depth:] = 0
    assert recognised(page) == "7"
    assert recognised(255 - page) == "7"


@pytest.mark.parametrize("gray", [0, 127, 255])
def test_bars_that_pad_a_photo(gray: int) -> None:
    assert recognised(np.pad(a_seven(60, 200), ((80, 80), (0, 0)), constant_values=gray)) == "7"
    assert recognised(np.pad(a_seven(60, 200), ((0, 0), (80, 80)), constant_values=gray)) == "7"
