"""Ink as pens, paper and cameras leave it: each change does what it says, by seed, and leaves digits readable."""

import numpy as np
import pytest

from glassnet import open_model
from glassnet.data import Augmentation, degradation
from glassnet.data.degradation import degrade
from glassnet.data.synthetic import drawn_digits
from glassnet.nn import Engine


def bars(count: int, side: int = 28) -> np.ndarray:
    """Images of one upright stroke four pixels wide."""
    images = np.zeros((count, side, side), np.uint8)
    images[:, 4:-4, 12:16] = 255
    return images


def alone(monkeypatch: pytest.MonkeyPatch, *kept: str) -> None:
    """Turn all changes off but some."""
    nothing = {
        "_stroke_width": lambda ink, rng: ink,
        "_soften": lambda ink, rng: ink,
        "_fading": lambda shape, rng: np.float32(1),
        "_gaps": lambda shape, rng: np.float32(1),
        "_soil": lambda ink, rng: None,
    }
    for name in nothing.keys() - set(kept):
        monkeypatch.setattr(degradation, name, nothing[name])
    monkeypatch.setattr(degradation, "_HARDER", (1.0, 1.0))


def changed(count: int = 400, **settings: float) -> np.ndarray:
    images = bars(count)
    degrade(images, np.random.default_rng(0), **settings)
    return images


def test_strokes_get_thicker_and_thinner_by_at_most_a_pixel(monkeypatch):
    alone(monkeypatch, "_stroke_width")
    across = changed()[:, 14].astype(float)
    widths = across.sum(axis=1) / 255
    assert 2.5 < widths.min() < 3
    assert 5.5 < widths.max() <= 6
    assert 0.3 < np.mean(widths == 4) < 0.5
    assert not across[:, :11].any()


def test_blur_moves_ink_and_keeps_its_amount(monkeypatch):
    alone(monkeypatch, "_soften")
    images = changed().astype(float)
    np.testing.assert_allclose(images.sum(axis=(1, 2)), bars(1).sum(), rtol=0.01)
    assert images[:, 14, 11].max() > 50
    assert not images[:, :, :10].any()


def test_ink_fades_towards_one_side(monkeypatch):
    alone(monkeypatch, "_fading")
    faded = changed()[:, 4:-4, 12:16].reshape(400, -1)
    assert faded.max(axis=1).min() > 140
    assert faded.min() < 130


def test_gaps_cross_some_strokes(monkeypatch):
    alone(monkeypatch, "_gaps")
    images = changed()
    broken = (images[:, 4:-4, 12:16].max(axis=2) < 128).any(axis=1)
    assert 0.02 < broken.mean() < 0.15
    assert np.mean((images == bars(400)).all(axis=(1, 2))) > 0.8


def test_paper_gets_noise_shades_and_ends_of_lines(monkeypatch):
    alone(monkeypatch, "_soil")
    paper = changed()[:, :, :10]
    assert 0.2 < np.mean(paper.any(axis=(1, 2))) < 0.6
    assert (changed()[:, 10, 13] > 150).all()


def test_dark_ink_is_changed_as_light_ink_is():
    light, dark = changed(), 255 - bars(400)
    degrade(dark, np.random.default_rng(0), 255)
    np.testing.assert_allclose(255 - dark, light, atol=1)


def test_the_same_seed_gives_the_same_and_sizes_do_not_matter():
    np.testing.assert_array_equal(changed(), changed())
    for shape in ((0, 28, 28), (1, 1, 1), (3, 8, 8), (2, 5, 40)):
        images = np.full(shape, 200, np.uint8)
        degrade(images, np.random.default_rng(0))
        assert images.shape == shape


@pytest.mark.parametrize("threads", [1, 3])
def test_robust_augmentation_is_a_function_of_the_generator(threads):
    images, robust = bars(400), Augmentation(robust=True)
    assert robust.distorts
    assert str(robust) == "robust"
    alone = robust.distort(images, np.random.default_rng(3))
    again = robust.distort(images, np.random.default_rng(3), engine=Engine(threads))
    np.testing.assert_array_equal(alone, again)
    np.testing.assert_array_equal(images, bars(400))
    some = robust.distort(images, np.random.default_rng(3), wanted=slice(200, 260))
    np.testing.assert_array_equal(some[200:260], alone[200:260])


def test_digits_stay_readable():
    digits = drawn_digits(400, np.random.default_rng(0))
    images = digits.images.copy()
    degrade(images, np.random.default_rng(0))
    assert np.mean(open_model().predict(images) == digits.labels) > 0.85
