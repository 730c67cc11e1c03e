import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassnet.data import Examples, Preprocessing, load_dataset
from glassnet.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 5, 4), np.uint8)


def fit(images, scaling):
    return Preprocessing.fit(Examples(images, np.zeros(len(images), np.int64)), scaling)


def test_the_three_scalings_are_what_they_say():
    pixels = IMAGES.astype(float)
    for scaling, expected in (
        ("none", pixels),
        ("unit", pixels / 255),
        ("standard", (pixels - pixels.mean()) / pixels.std()),
    ):
        found = fit(IMAGES, scaling).apply(IMAGES, dtype=np.float64)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=7)))
def test_standard_has_mean_0_and_deviation_1(images):
    if images.min() == images.max():
        with pytest.raises(DataError, match="nothing to see"):
            fit(images, "standard")
        return
    inputs = fit(images, "standard").apply(images, dtype=np.float64)
    assert abs(inputs.mean()) < 1e-9
    assert abs(inputs.std() - 1) < 1e-9


def test_inputs_keep_the_shape_of_the_images():
    form = fit(IMAGES, "standard")
    inputs = form.apply(IMAGES)
    assert (inputs.shape, inputs.dtype) == ((50, 5, 4), np.float32)
    assert form.apply(IMAGES, np.float64).dtype == np.float64
    np.testing.assert_array_equal(form.apply(IMAGES.reshape(50, 20)), inputs)
    assert form.apply(IMAGES[:0]).shape == (0, 5, 4)
    for shape in ((50, 4, 5), (50, 19), (20,)):
        with pytest.raises(DataError, match="5×4 are needed"):
            form.apply(np.zeros(shape, np.uint8))


def test_the_form_of_the_digits_is_seen():
    digits = load_dataset("digits").train.images
    light, dark = fit(digits, "unit"), fit(255 - digits, "unit")
    assert (light.height, light.width, light.box, light.dark_on_light) == (8, 8, 8, False)
    assert (dark.box, dark.dark_on_light) == (8, True)
    framed = np.pad(digits, ((0, 0), (4, 4), (4, 4)))
    assert fit(framed, "unit").box == 8
    gray = (100 + framed // 4).astype(np.uint8)
    assert (fit(gray, "unit").box, fit(gray, "unit").dark_on_light) == (8, False)


def test_nothing_can_be_learned_from_nothing():
    with pytest.raises(DataError, match="no training images"):
        fit(IMAGES[:0], "unit")
    assert fit(np.zeros((3, 5, 4), np.uint8), "unit").box == 5


def test_a_form_survives_json():
    for form in (fit(IMAGES, "standard"), Preprocessing(8, 8, 1 / 255, 0.0, 8, False, maximum=16)):
        assert Preprocessing.from_dict(json.loads(json.dumps(form.to_dict()))) == form


def test_a_form_of_gray_values_up_to_255_is_told_as_before_there_were_others():
    assert "maximum" not in Preprocessing(28, 28, 0.5, 0.0, 20, False).to_dict()


GOOD = Preprocessing(28, 28, 0.5, 0.0, 20, False).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": 4097},
        {"width": 28.0},
        {"width": True},
        {"box": 29},
        {"box": 0},
        {"box": "20"},
        {"scale": math.nan},
        {"scale": 0},
        {"scale": False},
        {"shift": math.inf},
        {"shift": None},
        {"scale": 10**400},
        {"dark_on_light": 1},
        {"maximum": 0},
        {"maximum": 256},
        {"maximum": 16.0},
        {"extra": 1},
    ],
)
def test_a_form_from_a_file_is_checked(change):
    with pytest.raises(ValueError, match="preprocessing"):
        Preprocessing.from_dict(GOOD | change)


def test_a_form_with_something_missing():
    with pytest.raises(ValueError, match="exactly"):
        Preprocessing.from_dict({name: value for name, value in GOOD.items() if name != "box"})


ANYTHING = st.none() | st.booleans() | st.floats() | st.integers() | st.just("20")


@given(st.dictionaries(st.sampled_from(list(GOOD)), ANYTHING))
def test_a_form_from_a_file_is_right_or_refused(change):
    try:
        form = Preprocessing.from_dict(GOOD | change)
    except ValueError:
        return
    assert np.isfinite(form.apply(np.full((1, form.height, form.width), 255, np.uint8))).all()
