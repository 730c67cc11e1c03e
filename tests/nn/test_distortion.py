"""Images seen through distortions that are known, and through any that can be drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glassnet.data import Augmentation
from glassnet.data.augmentation import inverse_matrices
from glassnet.nn import NUMPY

ALL = Augmentation(rotation=25, zoom=0.2, shear=0.3, shift=3, elastic=1.5, smoothness=3)

ROBUST = Augmentation(rotation=10, shift=1, robust=True)
TURNED = Augmentation(rotation=180)


def noise(n, h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, h, w), np.uint8)


def transformed(engine, images, degrees=0.0, zoom=1.0, shear=0.0, down=0.0, across=0.0, ground=0):
    """The images, each transformed in one and the same known way."""
    n = len(images)
    matrices = inverse_matrices(*(np.full(n, value) for value in (degrees, zoom, shear)))
    out = np.empty_like(images)
    engine.distort(images, matrices, np.array([[down] * n, [across] * n]), None, None, ground, out)
    return out


def places(drawn, number, shape):
    """Rows and columns from which the pixels of one image come: c + A⁻¹ (p − c − s) / far + K_down N K_acrossᵀ."""
    centre = (np.array(shape)[:, None] - 1) / 2
    from_centre = np.indices(shape).reshape(2, -1) - centre - drawn.shifts[:, number, None]
    moved = drawn.matrices[:, :, number] @ from_centre
    if drawn.perspective is not None:
        moved /= 1 + drawn.perspective[:, number] @ (np.indices(shape).reshape(2, -1) - centre)
    found = (centre + moved).reshape(2, *shape)
    if drawn.elastic:
        N, down, across = (np.array(array, np.float64) for array in drawn.elastic)
        found += down @ N[:, number] @ across.T
    return found


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 255),
    st.integers(0, 99),
    st.sampled_from(
        [ALL, ROBUST, Augmentation(shift=20), Augmentation(elastic=5, smoothness=1), Augmentation(rotation=180)]
    ),
    st.sampled_from([np.uint8, np.float32]),
)
def test_the_values_are_those_of_scipy_at_the_same_places(engine, n, h, w, ground, seed, augmentation, dtype):
    images = noise(n, h, w).astype(dtype)
    drawn = augmentation.draw(images.shape, np.random.default_rng(seed))
    found = np.empty_like(images)
    engine.distort(images, *drawn, ground, found)
    for number, (image, distorted) in enumerate(zip(images, found, strict=True)):
        # SciPy lets values just outside of the image fall straight to the ground; here the ground begins a pixel away.
        framed = np.pad(image, 1, constant_values=ground).astype(np.float64)
        expected = ndimage.map_coordinates(framed, places(drawn, number, (h, w)) + 1, order=1, cval=ground)
        assert np.abs(distorted - expected).max() < (0.51 if dtype == np.uint8 else 0.01)


@pytest.mark.parametrize("ground", [0, 255])
def test_a_shift_by_whole_pixels_moves_the_image_and_brings_in_ground(engine, ground):
    image = noise(2, 7, 5)
    expected = np.full_like(image, ground)
    expected[:, 2:, :-1] = image[:, :-2, 1:]
    np.testing.assert_array_equal(transformed(engine, image, down=2, across=-1, ground=ground), expected)
    assert (transformed(engine, image, down=100, ground=ground) == ground).all()


def test_a_shift_by_half_a_pixel_is_the_mean_of_two(engine):
    image = np.array([[[0, 100, 200, 50]]], np.uint8)
    assert transformed(engine, image, across=0.5).tolist() == [[[0, 50, 150, 125]]]


def test_a_positive_angle_turns_anticlockwise(engine):
    square = noise(2, 6, 6)
    np.testing.assert_array_equal(transformed(engine, square, degrees=90), np.rot90(square, axes=(1, 2)))
    wide = noise(2, 5, 8)
    np.testing.assert_array_equal(transformed(engine, wide, degrees=180), wide[:, ::-1, ::-1])


def test_a_zoom_above_1_enlarges_about_the_centre(engine):
    image = np.zeros((1, 9, 9), np.uint8)
    image[0, 3:6, 4] = 200
    assert np.flatnonzero(transformed(engine, image, zoom=3.0)[0, :, 4] == 200).tolist() == list(range(1, 8))
    row = np.array([[[0, 10, 20, 30, 40, 30, 20, 10, 0]]], np.uint8)
    assert transformed(engine, row, zoom=2.0)[0, 0].tolist() == [20, 25, 30, 35, 40, 35, 30, 25, 20]


def test_shear_moves_each_row_by_its_distance_from_the_centre(engine):
    image = noise(1, 5, 7)
    found = transformed(engine, image, shear=1.0)[0]
    for row, below in enumerate(range(-2, 3)):
        expected = np.zeros(7, np.uint8)
        for column in range(7):
            if 0 <= column - below < 7:
                expected[column] = image[0, row, column - below]
        np.testing.assert_array_equal(found[row], expected)


@pytest.mark.parametrize("wanted", [slice(0, 300), slice(40, 41), slice(0, 0), slice(7, 290)], ids=str)
@pytest.mark.parametrize("augmentation", [ALL, ROBUST, TURNED], ids=["all", "robust", "turned"])
def test_some_images_are_what_they_are_among_all_with_any_number_of_threads(engine, augmentation, wanted):
    """Bit for bit with as many threads; to a gray level with others, since products may round in another way."""
    images, three = noise(300, 28, 28), type(engine)(3)

    def distorted(by, some=None):
        return augmentation.distort(images, np.random.default_rng(0), np.zeros_like(images), engine=by, wanted=some)

    found = distorted(three, wanted)[wanted]
    np.testing.assert_array_equal(found, distorted(three, wanted)[wanted])
    assert np.abs(found.astype(int) - distorted(type(engine)())[wanted]).max(initial=0) <= 1


@pytest.mark.parametrize(
    "shape", [(3, 150, 90), (2, 1, 2000), (2, 2000, 1), (40, 28, 28), (0, 28, 28), (3, 400, 400)], ids=str
)
def test_images_of_any_shape_and_order_in_memory_are_distorted_as_they_are_one_by_one(engine, shape):
    """Compiled code takes large ones in bands of rows and small ones together, and NumPy all in blocks."""
    images = noise(*shape)
    drawn = ALL.draw(images.shape, np.random.default_rng(1))
    expected, turned = np.empty_like(images), np.empty_like(images, order="F")
    for i in range(len(images)):
        one = slice(i, i + 1)
        N, down, across = drawn.elastic
        parts = drawn.matrices[:, :, one], drawn.shifts[:, one], None, (N[:, one], down, across)
        NUMPY.distort(images[one], *parts, 9, expected[one])
    found = np.empty_like(images)
    engine.distort(images, *drawn, 9, found)
    assert np.abs(found.astype(int) - expected).max(initial=0) <= 1
    engine.distort(np.asfortranarray(images), *drawn, 9, turned)
    np.testing.assert_array_equal(turned, found)


def test_memory_that_cannot_take_the_images_is_refused(engine):
    images = noise(40, 28, 28)
    drawn = TURNED.draw(images.shape, np.random.default_rng(0))
    locked = np.zeros_like(images)
    locked.flags.writeable = False
    for out in (locked, np.zeros((40, 30, 30), np.uint8), np.zeros((1, 28, 28), np.uint8)):
        with pytest.raises(ValueError, match=r"read-only|broadcast|reshape"):
            engine.distort(images, *drawn, 0, out)
