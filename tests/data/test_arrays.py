import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassnet.data import load_dataset
from glassnet.data.arrays import as_images, as_labels, as_pixels, class_names
from glassnet.errors import DataError

DIGITS = class_names(10)


@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)),
    st.sampled_from([np.uint8, np.int8, np.int64, ">u2", np.float16, np.float32, float]),
)
def test_whole_numbers_of_any_type_are_pixels(images, dtype):
    images = np.minimum(images, np.uint8(127)) if dtype == np.int8 else images
    images[0, 0, 0] = 2  # with nothing above 1, floats would be fractions
    assert np.array_equal(as_images(images.astype(dtype)), images)


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), st.sampled_from([np.float32, float]))
def test_fractions_are_stretched_to_255(images, dtype):
    found = as_images(images.astype(dtype) / dtype(255))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images)


def test_rows_of_pixels_are_square_images():
    rows = np.arange(32, dtype=np.uint8).reshape(2, 16)
    assert np.array_equal(as_images(rows), rows.reshape(2, 4, 4))
    assert np.array_equal(as_images(rows.tolist()), rows.reshape(2, 4, 4))


@pytest.mark.parametrize(
    ("images", "what"),
    [
        (np.full((2, 2, 2), -1), "from -1 to"),
        (np.full((2, 2, 2), 256), "to 256"),
        (np.full((2, 2, 2), np.nan), "nan"),
        (np.full((2, 2, 2), np.inf), "inf"),
        (np.full((2, 2, 2), 1.5), "fractions above 1"),
        (np.ones((2, 2, 2), bool), "type bool"),
        (np.ones((2, 2, 2), complex), "type complex"),
        (np.full((2, 2, 2), "5"), "type <U1"),
        (np.full((2, 2, 2), None), "type object"),
        (np.ones((2, 5)), "5 pixels are not square"),
        (np.ones((2, 2, 2, 1)), "expected"),
        (np.ones(4), "expected"),
        (np.ones((0, 2, 2)), "no pixels"),
        ([[1, 2], [3]], "its parts have different lengths"),
    ],
)
def test_other_pixels_are_refused(images, what):
    with pytest.raises(DataError, match=what):
        load_dataset((images, [0, 1]))


@pytest.mark.parametrize(
    "labels", [[5, 0, 9], ["5", "0", "9"], [b"5", b"0", b"9"], [5.0, 0.0, 9.0], np.array(["5", "0", "9"], object)]
)
def test_labels_are_numbers_or_names(labels):
    found = as_labels(labels, DIGITS)
    assert found.dtype == np.int64
    assert found.tolist() == [5, 0, 9]


def test_names_of_classes_are_looked_up():
    assert as_labels(["boot", "shirt"], ("shirt", "boot")).tolist() == [1, 0]
    assert as_labels([1, 0], ("shirt", "boot")).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([3, 10], "'10' at index 1 is not one of the 10 classes 0 to 9.*classes="),
        ([-1, 3], "'-1' at index 0"),
        ([0, 1.5], "'1.5' at index 1"),
        ([0, np.nan], "'nan' at index 1"),
        (["0", "ten"], "'ten' at index 1"),
        ([2**63, 0], "at index 0"),
        ([True, False], "type bool"),
        (np.eye(2), "one label for each image"),
        ([0], "2 images but 1 labels"),
    ],
)
def test_other_labels_are_refused(labels, what):
    with pytest.raises(DataError, match=what):
        load_dataset((np.zeros((2, 2, 2), np.uint8), labels))


@pytest.mark.parametrize("classes", [1, 0, -3, 10**9, [], ["a"], ["a", "a"], "ab"])
def test_classes_must_be_two_or_more_with_names_of_their_own(classes):
    with pytest.raises(DataError, match="classes"):
        load_dataset((np.zeros((2, 2, 2), np.uint8), [0, 1]), classes=classes)


def test_pixels_of_a_given_shape():
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    for given_images in (images, images.reshape(2, 4)):
        assert np.array_equal(as_pixels(given_images, (2, 2)), images)
    assert np.array_equal(as_pixels(images[0], (2, 2)), images[:1])
    with pytest.raises(DataError, match=r"\(2, 3\), expected \(n, 2, 2\)"):
        as_pixels(np.zeros((2, 3)), (2, 2))
