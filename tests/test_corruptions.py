"""Each corruption does what its unit says."""

import numpy as np
import pytest

from glassnet.corruptions import CORRUPTIONS, corrupt
from glassnet.errors import ConfigError

LEVELS = range(1, 6)


def crosses(side=28, n=12):
    """Draw n upright crosses of full ink, with strokes of a seventh of the side."""
    images = np.zeros((n, side, side), np.uint8)
    low, high, edge = side * 3 // 7, side * 4 // 7, side // 7
    images[:, edge:-edge, low:high] = 255
    images[:, low:high, edge:-edge] = 255
    return images


def strength(name, level):
    return CORRUPTIONS[name].strengths[level - 1]


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (9, 14)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_pictures_stay_pictures_and_a_seed_makes_the_same_ones(name, shape):
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    before = images.copy()
    for level in LEVELS:
        spoiled = corrupt(images, name, level, seed=4)
        assert spoiled.shape == images.shape
        assert spoiled.dtype == np.uint8
        np.testing.assert_array_equal(spoiled, corrupt(images, name, level, seed=4))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"inversion"}))
def test_a_higher_level_spoils_more(name):
    images = crosses(56)
    changes = [np.abs(corrupt(images, name, level).astype(int) - images).mean() for level in LEVELS]
    assert changes[0] > 0
    assert changes == sorted(changes)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_dark_digits_are_spoiled_as_light_ones_are(name):
    images = crosses()
    dark = corrupt(255 - images, name, 3, dark_on_light=True, seed=1)
    np.testing.assert_array_equal(255 - dark, corrupt(images, name, 3, seed=1))


def centre(image):
    weights = image / image.sum()
    rows, columns = np.indices(image.shape)
    return np.array([(weights * rows).sum(), (weights * columns).sum()])


@pytest.mark.parametrize(("height", "width"), [(50, 50), (100, 100), (60, 100), (100, 60)])
def test_shift_is_a_share_of_the_longer_side_in_all_directions(height, width):
    images = np.zeros((40, height, width), np.uint8)
    images[:, height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2] = 255
    moves = np.array([centre(image) for image in corrupt(images, "shift", 2)]) - centre(images[0])
    assert np.hypot(*moves.T) == pytest.approx(strength("shift", 2) / 100 * max(height, width), abs=0.05)
    assert {tuple(signs) for signs in np.sign(moves)} == {(-1, -1), (-1, 1), (1, -1), (1, 1)}


def test_rotation_is_in_degrees_either_way():
    images = np.zeros((20, 81, 81), np.uint8)
    images[:, 39:42, 10:71] = 255  # a horizontal bar
    angles = []
    for image in corrupt(images, "rotation", 4):
        rows, columns = np.nonzero(image > 127)
        angles.append(np.rad2deg(np.arctan(np.polyfit(columns, rows, 1)[0])))
    assert np.abs(angles) == pytest.approx(strength("rotation", 4), abs=1)
    assert set(np.sign(angles)) == {-1, 1}


@pytest.mark.parametrize("name", ["rotation", "scale"])
def test_the_middle_stays(name):
    images = np.zeros((20, 60, 80), np.uint8)
    images[:, 20:40, 30:50] = 255
    for image in corrupt(images, name, 5):
        assert centre(image) == pytest.approx([29.5, 39.5], abs=0.02)


def test_scale_is_a_factor_up_or_down():
    images = np.zeros((20, 100, 100), np.uint8)
    images[:, 30:70, 30:70] = 255
    sides = np.sqrt(corrupt(images, "scale", 5).sum(axis=(1, 2)) / 255) / 40
    factor = strength("scale", 5)
    assert np.sort(np.unique(sides.round(2))) == pytest.approx([1 / factor, factor], abs=0.02)


def test_stroke_width_is_a_share_of_the_side_thicker_or_thinner():
    images = np.zeros((20, 50, 50), np.uint8)
    images[:, :, 15:35] = 255  # an upright bar, 20 pixels wide
    widths = corrupt(images, "stroke width", 3)[:, 25].sum(axis=1) / 255
    change = strength("stroke width", 3) / 100 * 50
    assert np.unique(widths.round(1)) == pytest.approx([20 - change, 20 + change], abs=0.05)


def test_blur_is_a_standard_deviation():
    images = np.zeros((1, 101, 101), np.uint8)
    images[:, 46:55, 46:55] = 255
    columns = np.arange(101) - 50
    before, after = (
        np.average(columns**2, weights=image[0].sum(axis=0)) for image in (images, corrupt(images, "blur", 3))
    )
    assert np.sqrt(after - before) == pytest.approx(strength("blur", 3), rel=0.05)


def test_noise_is_a_standard_deviation_in_gray_levels():
    gray = np.full((2, 100, 100), 128, np.uint8)
    noisy = corrupt(gray, "noise", 2).astype(float)
    assert noisy.std() == pytest.approx(strength("noise", 2), rel=0.03)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_inversion_is_dark_on_white_paper():
    images = crosses()
    spoiled = corrupt(images, "inversion", 4)
    assert set(spoiled[images == 0]) == {255}
    assert set(spoiled[images == 255]) == {255 - strength("inversion", 4)}


def test_occlusion_wipes_out_a_square():
    white = np.full((30, 50, 50), 255, np.uint8)
    hidden = corrupt(white, "occlusion", 2) == 0
    side = strength("occlusion", 2) / 100 * 50
    for picture in hidden:
        rows, columns = np.nonzero(picture)
        assert len(rows) == side**2
        assert np.ptp(rows) == np.ptp(columns) == side - 1
    assert len(np.unique(hidden, axis=0)) > 20


def test_occlusion_is_anywhere_in_the_picture_and_no_higher_than_that():
    places = {
        tuple(np.argwhere(picture == 0)[0]) for picture in corrupt(np.full((500, 6, 6), 255, np.uint8), "occlusion", 5)
    }
    assert places == {(row, column) for row in range(5) for column in range(5)}  # of squares with sides of 2
    low = corrupt(np.full((50, 4, 20), 255, np.uint8), "occlusion", 5)  # a square with sides of 8
    assert (np.sum(low == 0, axis=(1, 2)) == 4 * 8).all()


def test_unknown_names_and_levels_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'rotation'"):
        corrupt(crosses(), "rotations", 1)
    for level in (0, 6, 1.5, 2.0, None):
        with pytest.raises(ConfigError, match="from 1 to 5"):
            corrupt(crosses(), "blur", level)
