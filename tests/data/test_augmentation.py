import numpy as np
import pytest
from scipy import ndimage

from glassnet.data import Augmentation
from glassnet.data.augmentation import RANGES, inverse_matrices
from glassnet.errors import ConfigError
from glassnet.nn import Engine
from glassnet.nn.distortion import affine_places, elastic_field

ALL = Augmentation(rotation=25, zoom=0.2, shear=0.3, shift=3, elastic=1.5, smoothness=3)


def noise(n, h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, h, w), np.uint8)


def places(augmentation, count, shape, rng):
    """Rows and columns from which the pixels of images come that are distorted as is drawn."""
    matrices, shifts, perspective, elastic = augmentation.draw((count, *shape), rng)
    assert perspective is None
    assert elastic is None
    return affine_places(matrices, shifts, shape, Engine().scratch)


def displacements(augmentation, count, shape, rng):
    """The elastic part of what is drawn, down and across, in pixels."""
    return elastic_field(*augmentation.draw((count, *shape), rng).elastic, Engine().scratch)


def test_amounts_of_zero_change_nothing():
    images = noise(3, 9, 6)
    none = Augmentation()
    assert not none.distorts
    np.testing.assert_array_equal(none.distort(images, np.random.default_rng(0)), images)


def test_the_matrix_is_the_inverse_of_the_one_in_its_docstring():
    degrees, zoom, shear = np.array([30.0, -77.0]), np.array([1.3, 0.6]), np.array([0.4, -1.1])
    inverse = inverse_matrices(degrees, zoom, shear)
    for i, angle in enumerate(np.deg2rad(degrees)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        A = zoom[i] * turn @ np.array([[1, 0], [shear[i], 1]])
        np.testing.assert_allclose(inverse[:, :, i] @ A, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("name", ["rotation", "zoom", "shear", "shift"])
def test_each_amount_is_the_most_both_ways_and_alone(name):
    """What is drawn, got back from where the pixels around the centre come from."""
    augmentation, n = Augmentation(**{name: 0.5}), 4000
    rows, columns = places(augmentation, n, (3, 3), np.random.default_rng(0)).astype(np.float64)
    down, right = [(axis[:, 2, 1] - axis[:, 1, 1]) for axis in (rows, columns)]
    drawn = {
        "rotation": np.rad2deg(np.arctan2(-right, down)),
        "zoom": 1 / np.hypot(down, right) - 1,
        "shear": -right,
        "shift": 1 - rows[:, 1, 1],
    }
    assert -0.5 <= drawn[name].min() < -0.49
    assert 0.49 < drawn[name].max() <= 0.5 + 1e-4
    assert abs(drawn[name].mean()) < 0.02
    if name == "shift":
        across = 1 - columns[:, 1, 1]
        assert -0.5 <= across.min() < -0.49
        assert abs(np.corrcoef(drawn["shift"], across)[0, 1]) < 0.05
    else:
        np.testing.assert_allclose([rows[:, 1, 1], columns[:, 1, 1]], 1, atol=1e-5)  # the centre stays


@pytest.mark.parametrize("smoothness", [0.1, 1.0, 4.0, 50.0])
def test_elastic_is_the_deviation_of_the_displacements_at_any_pixel(smoothness):
    field = displacements(Augmentation(elastic=2.0, smoothness=smoothness), 4000, (12, 7), np.random.default_rng(1))
    np.testing.assert_allclose(field.std(axis=1), 2.0, rtol=0.08)  # (2, h, w)
    np.testing.assert_allclose(field.mean(axis=1), 0.0, atol=0.15)
    down, across = field.reshape(2, -1)
    assert abs(np.corrcoef(down, across)[0, 1]) < 0.05


def test_elastic_distortion_is_noise_smoothed_by_a_gaussian_as_simard_did():
    """Away from the borders: noise from -1 to 1, a kernel of sum 1, and alpha 34 at sigma 4 are an elastic of 1.38."""
    rng = np.random.default_rng(2)
    theirs = 34 * ndimage.gaussian_filter(rng.uniform(-1, 1, (400, 400)), 4.0)
    assert theirs.std() == pytest.approx(34 / (2 * 4 * np.sqrt(3 * np.pi)), rel=0.05)
    ours = displacements(Augmentation(elastic=theirs.std(), smoothness=4.0), 50, (80, 80), rng)[0]
    for distance in (2, 4, 8):  # alike at any distance: e^(-d^2 / 4 sigma^2)
        expected = np.exp(-(distance**2) / 64)
        for field in (theirs[None], ours):
            inner = field[:, 20:-20, 20:-20]
            found = np.mean(inner[..., distance:] * inner[..., :-distance]) / np.mean(inner**2)
            assert found == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("smoothness", [0.5, 1, 3, 4, 7, 16])
def test_few_samples_make_the_field_that_one_a_pixel_would_make(smoothness):
    """Its covariance is e^(-d^2 / 4 sigma^2) away from the borders, and the two sides of an image are alike."""
    side, inner = int(14 * smoothness) + 8, slice(int(5 * smoothness), -int(5 * smoothness))
    amount = Augmentation(elastic=1, smoothness=smoothness)
    _, _, across = amount.draw((1, side, side), np.random.default_rng(0)).elastic
    found = (across.astype(np.float64) @ across.T)[inner, inner]
    distance = np.subtract.outer(np.arange(len(found)), np.arange(len(found)))
    if smoothness >= 1:  # of less smooth noise a pixel is too coarse a grid
        np.testing.assert_allclose(
            found, np.exp(-((distance / smoothness) ** 2) / 4), atol=1e-3 if smoothness < 2 else 1e-6
        )
    np.testing.assert_allclose(across, across[::-1, ::-1], atol=1e-7)
    assert across.shape[1] == min(side, int(np.ceil(2 * side / smoothness)))


def test_the_same_seed_distorts_alike_and_another_does_not():
    images = noise(200, 28, 28)  # more than go through in one block
    one, same, other = (ALL.distort(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any(axis=(1, 2)).all()


def test_every_image_is_distorted_in_a_way_of_its_own():
    images = noise(1, 28, 28).repeat(200, axis=0)
    for name, amount in (("rotation", 20), ("zoom", 0.2), ("shear", 0.2), ("shift", 2), ("elastic", 1)):
        found = Augmentation(**{name: amount}).distort(images, np.random.default_rng(0))
        assert len(np.unique(found.reshape(200, -1), axis=0)) > 195


def test_images_are_left_as_they_are_and_results_go_where_they_should():
    images = noise(5, 6, 9)
    before, out = images.copy(), np.empty_like(images)
    images.flags.writeable = False
    found = ALL.distort(images, np.random.default_rng(0), out=out)
    assert found is out
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(out, ALL.distort(images, np.random.default_rng(0)))
    assert ALL.distort(images[:0], np.random.default_rng(0)).shape == (0, 6, 9)


def test_what_is_kept_from_other_images_does_not_matter():
    """An engine that has worked on larger and smaller ones gives what a new one gives."""
    used = Engine()
    for n, h, w in ((3, 20, 30), (100, 28, 28), (1, 4, 4), (2, 20, 30)):
        images = noise(n, h, w)
        fresh = ALL.distort(images, np.random.default_rng(n), engine=Engine())
        np.testing.assert_array_equal(ALL.distort(images, np.random.default_rng(n), engine=used), fresh)


def test_the_largest_amounts_are_survived():
    most = Augmentation(**{name: high for name, (_, high) in RANGES.items()})
    assert most.distort(noise(20, 8, 5), np.random.default_rng(0), ground=7).shape == (20, 8, 5)


@pytest.mark.parametrize(
    ("amounts", "complaint"),
    [
        ({"rotation": -1}, "rotation: must be from 0 to 180, not -1"),
        ({"zoom": 1.0}, "zoom: must be from 0 to 0.9"),
        ({"shear": float("nan")}, "shear: .* not nan"),
        ({"shift": float("inf")}, "shift: "),
        ({"smoothness": 0}, "smoothness: must be from 0.1"),
    ],
)
def test_amounts_out_of_range_get_one_line(amounts, complaint):
    with pytest.raises(ConfigError, match=complaint) as error:
        Augmentation(**amounts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads):
    images = noise(300, 28, 28)
    alone = ALL.distort(images, np.random.default_rng(0))
    np.testing.assert_array_equal(ALL.distort(images, np.random.default_rng(0), engine=Engine(threads)), alone)


@pytest.mark.parametrize("wanted", [slice(0, 300), slice(40, 41), slice(0, 0), slice(150, 300), slice(7, 290)], ids=str)
def test_the_images_that_somebody_looks_at_are_what_they_are_among_all(wanted):
    images = noise(300, 28, 28)
    whole = ALL.distort(images, np.random.default_rng(0))
    some = ALL.distort(images, np.random.default_rng(0), wanted=wanted)
    np.testing.assert_array_equal(some[wanted], whole[wanted])


@pytest.mark.parametrize(
    ("shape", "given", "complaint"),
    [
        ((28, 28), {}, r"images: expected an array \(n, h, w\) .* got shape \(28, 28\)"),
        ((3, 0, 5), {}, r"images: .* got shape \(3, 0, 5\)"),
        ((40, 28, 28), {"out": np.empty((1, 28, 28), np.uint8)}, r"out: .* \(40, 28, 28\), got \(1, 28, 28\)"),
        ((40, 28, 28), {"out": np.empty((50, 28, 28), np.uint8)}, "out: "),
        ((40, 28, 28), {"wanted": slice(30, 10, -1)}, "wanted: images beside each other"),
    ],
)
def test_images_of_another_form_are_refused(shape, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        ALL.distort(np.zeros(shape, np.uint8), np.random.default_rng(0), **given)
