"""Digits that nobody wrote: in MNIST's form, of all classes and many forms, and readable."""

import numpy as np
import pytest

from glassnet import load_dataset, open_model
from glassnet.data import synthetic
from glassnet.data.skeletons import SKELETONS
from glassnet.data.synthetic import drawn_digits, printed_digits


@pytest.mark.parametrize("make", [drawn_digits, printed_digits])
def test_they_are_in_the_form_of_mnist_and_readable(make):
    digits = make(300, np.random.default_rng(0))
    assert digits.images.shape == (300, 28, 28)
    assert set(digits.labels) == set(range(10))
    rows, columns = (np.count_nonzero(digits.images.any(axis=axis), axis=1) for axis in (2, 1))
    assert (np.maximum(rows, columns) >= 18).all()
    assert (np.maximum(rows, columns) <= 21).all()
    ink = digits.images.astype(float)
    for axis in (1, 2):
        centres = (ink.sum(axis=3 - axis) @ np.arange(28)) / ink.sum(axis=(1, 2))
        assert np.abs(centres - 13.5).max() < 1.5
    assert len(np.unique(digits.images.reshape(300, -1), axis=0)) == 300
    assert np.mean(open_model().predict(digits.images) == digits.labels) > 0.9


@pytest.mark.parametrize("make", [drawn_digits, printed_digits])
def test_a_generator_gives_the_same_again(make):
    one, same, other = (make(20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.images, same.images)
    np.testing.assert_array_equal(one.labels, same.labels)
    assert not np.array_equal(one.images, other.images)
    assert make(0, np.random.default_rng(0)).images.shape == (0, 28, 28)


def test_every_form_of_every_digit_can_be_drawn():
    assert set(SKELETONS) == set(range(10))
    rng = np.random.default_rng(0)
    for forms in SKELETONS.values():
        for form in forms:
            assert synthetic._drawn(form, rng).max() > 200


def test_it_is_a_data_set_that_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path))
    monkeypatch.setattr(synthetic, "DRAWN", 40)
    monkeypatch.setattr(synthetic, "PRINTED", 20)
    dataset = load_dataset("synthetic")
    assert (len(dataset.train), len(dataset.test), dataset.official_test) == (60, 6, True)
    assert dataset.source == "synthetic"
    monkeypatch.setattr(synthetic, "_drawn", None)  # nothing is drawn again
    assert load_dataset("synthetic").fingerprint == dataset.fingerprint
