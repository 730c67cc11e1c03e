import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from scipy.ndimage import gaussian_filter

from glassnet.data import Preprocessing, frame_picture, load_dataset
from glassnet.data.idx import read_idx
from glassnet.errors import DataError, GlassnetError

MNIST = Preprocessing(28, 28, 1 / 255, 0.0, 20, False)
DIGITS = Preprocessing(8, 8, 1 / 255, 0.0, 8, False)


def seven(height=200, width=300, top=30, left=150, size=100, pen=10):
    """Ink from 0 to 255 in the shape of a 7 as a pen draws it."""
    ink = np.zeros((height, width), np.uint8)
    ink[top : top + pen, left : left + size // 2] = 255
    for y in range(size):
        x = left + size // 2 - pen - y * size // 4 // size
        ink[top + y, x : x + pen] = 255
    return ink


EXPECTED = frame_picture(seven(), MNIST).astype(int)


def likeness(picture, form=MNIST):
    return float(np.corrcoef(frame_picture(picture, form).ravel(), EXPECTED.ravel())[0, 1])


def test_the_digit_fills_the_box_with_its_mass_in_the_middle():
    rows, columns = np.flatnonzero(EXPECTED.max(axis=1)), np.flatnonzero(EXPECTED.max(axis=0))
    assert EXPECTED.shape == (28, 28)
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 == 10
    assert EXPECTED.max() == 255
    for axis in (0, 1):
        mean = (EXPECTED.sum(axis=1 - axis) * np.arange(28)).sum() / EXPECTED.sum()
        assert abs(mean - 14) <= 0.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("place", [(30, 150), (0, 0), (99, 240), (50, 100)])
def test_polarity_and_place_do_not_matter(dark, place):
    ink = seven(top=place[0], left=place[1])
    assert np.array_equal(frame_picture(255 - ink if dark else ink, MNIST), EXPECTED)


@pytest.mark.parametrize("scale", [0.3, 0.5, 2, 6, 14])
def test_size_hardly_matters(scale):
    picture = Image.fromarray(seven()).resize((round(300 * scale), round(200 * scale)), Image.Resampling.BICUBIC)
    assert likeness(np.asarray(picture)) > 0.97


def test_gray_paper_lit_from_a_side_with_noise_and_a_few_specks():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:200j, -1:1:300j]
    paper = 160 + 30 * x - 20 * y - 25 * (x * x + y * y)
    picture = paper - seven() / 255 * 100 + rng.normal(0, 8, paper.shape)
    picture[rng.random(paper.shape) < 0.002] = 0
    assert likeness(np.clip(picture, 0, 255).astype(np.uint8)) > 0.97


def test_thin_strokes_of_a_large_picture_do_not_fade():
    framed = frame_picture(255 - seven(1000, 1000, 100, 300, 800, 3), MNIST)
    assert framed.max() == 255
    assert likeness(255 - seven(1000, 1000, 100, 300, 800, 3)) > 0.7


def test_a_model_of_dark_digits_gets_dark_digits():
    dark = Preprocessing(28, 28, 1 / 255, 0.0, 20, True)
    assert np.array_equal(frame_picture(seven(), dark), 255 - EXPECTED)
    assert np.array_equal(frame_picture(255 - seven(), dark), 255 - EXPECTED)


def test_eight_by_eight_digits_are_taken_pixel_by_pixel():
    for image in load_dataset("digits").test.images:
        assert np.array_equal(frame_picture(image, DIGITS), image)
        assert np.array_equal(frame_picture(255 - image, DIGITS), image)


def test_larger_pictures_of_eight_by_eight_digits_come_close():
    likenesses = []
    for image in load_dataset("digits").test.images[:40]:
        large = np.asarray(Image.fromarray(image).resize((120, 120), Image.Resampling.BICUBIC))
        framed = frame_picture(np.pad(255 - large, ((30, 10), (5, 90)), constant_values=255), DIGITS)
        likenesses.append(np.corrcoef(framed.ravel(), image.ravel())[0, 1])
    assert np.mean(likenesses) > 0.9


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((100, 100), np.uint8),
        np.full((100, 100), 255, np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((28, 28), 99, np.uint8),
        np.tile(np.linspace(50, 200, 100).astype(np.uint8), (80, 1)),
        np.random.default_rng(0).normal(128, 20, (200, 300)).clip(0, 255).astype(np.uint8),
        np.where(np.random.default_rng(0).random((200, 300)) < 0.001, 0, 255).astype(np.uint8),
        gaussian_filter(np.random.default_rng(0).normal(128, 400, (200, 300)), 8).clip(0, 255).astype(np.uint8),
        (255 - seven() // 25).astype(np.uint8),
    ],
    ids=["black", "white", "one pixel", "gray", "shaded", "noise", "specks", "blotches", "faint"],
)
def test_nothing_to_see(picture):
    with pytest.raises(DataError, match=r"no digit found in seven\.png"):
        frame_picture(picture, MNIST, "seven.png")


FORM = st.builds(
    lambda height, width, box, dark: Preprocessing(height, width, 1.0, 0.0, min(box, max(height, width)), dark),
    *[st.integers(1, 40)] * 3,
    st.booleans(),
)


@pytest.mark.parametrize("paper", [40, 255])
def test_a_flat_ground_is_no_other_than_one_that_is_nearly_flat(paper):
    flat = np.abs(paper - seven().astype(int) * 3 // 4).clip(0, 255).astype(np.uint8)
    nearly = flat.copy()
    nearly[0, 0] -= 1
    difference = frame_picture(flat, MNIST).astype(int) - frame_picture(nearly, MNIST)
    assert np.abs(difference).max() <= 1


@settings(max_examples=300, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.sampled_from([0, 9, 255])), FORM)
def test_any_picture_is_framed_or_refused(picture, form):
    try:
        framed = frame_picture(picture, form)
    except GlassnetError:
        return
    assert framed.shape == (form.height, form.width)
    assert framed.dtype == np.uint8


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_mnist_comes_back_nearly_as_it_was(mnist_path):
    images = read_idx(mnist_path / "t10k-images-idx3-ubyte.gz", 3)[:300]
    framed = np.stack([frame_picture(255 - image, MNIST) for image in images])
    assert np.abs(framed.astype(int) - images).mean() < 1


@pytest.fixture
def mnist_path() -> Path:
    return Path(DATA) / "mnist"


DATA = os.environ.get("GLASSNET_DATA", "")
