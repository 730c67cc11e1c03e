import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassnet.data import load_dataset
from glassnet.data.arrays import as_images, as_labels, as_pixels, class_names, to_bytes
from glassnet.errors import DataError

DIGITS = class_names(10)


def as_bytes(images):
    (found,), maximum = to_bytes({"images": as_images(images)})
    return found, maximum


@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)),
    st.sampled_from([np.uint8, np.int8, np.int64, ">u2", np.float16, np.float32, float]),
)
def test_whole_numbers_of_any_type_are_pixels(images, dtype):
    images = np.minimum(images, np.uint8(127)) if dtype == np.int8 else images
    images[0, 0, 0] = 17  # with nothing above 16 they would be counts
    found, maximum = as_bytes(images.astype(dtype))
    assert np.array_equal(found, images)
    assert found.dtype == np.uint8
    assert maximum == 255


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), st.sampled_from([np.float32, float]))
def test_fractions_are_stretched_to_255(images, dtype):
    images[0, 0, 0] = 255
    found, maximum = as_bytes(images.astype(dtype) / dtype(255))
    assert found.dtype == np.uint8
    assert np.array_equal(found, images)
    assert maximum == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, float])
@pytest.mark.parametrize("top", [1, 3, 7, 15, 16])
def test_counts_and_black_and_white_are_stretched_to_255(dtype, top):
    counts = np.random.default_rng(top).integers(0, top + 1, (30, 4, 4))
    found, maximum = as_bytes(counts.astype(dtype))
    assert np.array_equal(found, np.rint(counts * (255 / top)))
    assert maximum == top


def test_booleans_are_black_and_white():
    images = np.eye(4).reshape(1, 4, 4) > 0
    found, maximum = as_bytes(images)
    assert np.array_equal(found, images * 255)
    assert maximum == 1
    assert as_bytes(images & False)[1] == 255  # all black says nothing


def test_the_scale_is_told_from_all_parts_of_a_data_set_together():
    train, test = np.full((40, 2, 2), 16), np.full((10, 2, 2), 8)
    dataset = load_dataset((train, np.arange(40) % 10, test, np.arange(10)))
    assert (dataset.maximum, dataset.train.images.max(), dataset.test.images.max()) == (16, 255, 128)
    with pytest.raises(DataError, match="test images: pixels from 0 to 8, but others of this data set go to 255"):
        load_dataset((train * 10, np.arange(40) % 10, test, np.arange(10)))
    mixed = load_dataset((train * 10, np.arange(40) % 10, test / 16, np.arange(10)))
    assert (mixed.maximum, mixed.train.images.max(), mixed.test.images.max()) == (255, 160, 128)


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 64), (6, 64, 1), (6, 8, 8, 1), (6, 1, 8, 8)])
def test_shapes_in_which_keras_and_pytorch_have_images(shape):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    assert np.array_equal(as_images(images.reshape(shape)), images)
    assert np.array_equal(as_pixels(images.reshape(shape), (8, 8)), images)


def test_the_pairs_that_keras_loads_and_a_data_frame():
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8), np.arange(40) % 10
    right = load_dataset((images, labels, images[:5], labels[:5]))
    assert load_dataset(((images, labels), (images[:5], labels[:5]))).fingerprint == right.fingerprint
    frame = pd.DataFrame(images.reshape(40, 16), columns=[f"pixel{i}" for i in range(16)])
    right = load_dataset((images, labels))
    assert load_dataset((frame, pd.Series(labels))).fingerprint == right.fingerprint
    assert load_dataset((frame, pd.Series(labels).astype(str).astype("category"))).fingerprint == right.fingerprint
    assert load_dataset(frame.assign(label=labels)).fingerprint == right.fingerprint
    with pytest.raises(DataError, match="no column called label"):
        load_dataset(frame)


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
        (np.ones((2, 2, 2), complex), "type complex"),
        (np.full((2, 2, 2), "5"), "type <U1"),
        (np.full((2, 2, 2), None), "type object"),
        (np.ones((2, 5)), "5 pixels are not square"),
        (np.ones((2, 2, 2, 2)), "expected"),
        (np.ones((2, 2, 2, 3)), r"in colour; give gray values, images.mean\(axis=-1\)"),
        (np.array([[[-1, 1]]] * 2), "from -1 to 1.*add 1 and divide them by 2"),
        (np.full((2, 2, 2), 65535), "to 65535.*divide them by 65535"),
        (np.ones(4), "expected"),
        (np.ones((0, 2, 2)), "no pixels"),
        ([[1, 2], [3]], "its parts have different lengths"),
    ],
)
def test_other_pixels_are_refused(images, what):
    with pytest.raises(DataError, match=what):
        load_dataset((images, [0, 1]))


def test_what_refuses_to_become_an_array_says_why():
    class OnAnotherDevice:  # as PyTorch's tensors with a gradient, or on a GPU
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("use tensor.detach().cpu()")

    with pytest.raises(DataError, match=r"images: not an array .use tensor\.detach\(\)\.cpu\(\).; give a NumPy array"):
        load_dataset((OnAnotherDevice(), [0, 1]))


@pytest.mark.parametrize(
    "labels",
    [
        [5, 0, 9],
        ["5", "0", "9"],
        [b"5", b"0", b"9"],
        [5.0, 0.0, 9.0],
        np.array(["5", "0", "9"], object),
        [[5], [0], [9]],
        [["5"], ["0"], ["9"]],
        np.eye(10)[[5, 0, 9]],
        np.eye(10)[[5, 0, 9]] > 0,
    ],
)
def test_labels_are_numbers_or_names(labels):
    found = as_labels(labels, DIGITS)
    assert found.dtype == np.int64
    assert found.tolist() == [5, 0, 9]


def test_names_of_classes_are_looked_up():
    assert as_labels(["boot", "shirt"], ("shirt", "boot")).tolist() == [1, 0]
    assert as_labels([1, 0], ("shirt", "boot")).tolist() == [1, 0]
    assert as_labels([True, False], ("no", "yes")).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([3, 10], "'10' at index 1 is not one of the 10 classes 0 to 9.*classes="),
        (["a", "b"], "the label .a. at index 0 .*leave out --classes, or from Python give the names of the classes"),
        ([-1, 3], "'-1' at index 0"),
        ([0, 1.5], "'1.5' at index 1"),
        ([0, np.nan], "'nan' at index 1"),
        (["0", "ten"], "'ten' at index 1"),
        ([2**63, 0], "at index 0"),
        ([1j, 0], "type complex"),
        (np.eye(2), r"shape \(2, 2\), expected one label for each image \(n,\), or one-hot \(n, 10\)"),
        (np.ones((2, 10)), "not one-hot"),
        (np.full((2, 10), 0.1), "not one-hot"),
        ([0], "2 images, but 1 labels"),
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
    images = np.arange(20, 28, dtype=np.uint8).reshape(2, 2, 2)
    for given_images in (images, images.reshape(2, 4)):
        assert np.array_equal(as_pixels(given_images, (2, 2)), images)
    for one in (images[0], images[0, :, :, None]):
        assert np.array_equal(as_pixels(one, (2, 2)), images[:1])
    with pytest.raises(DataError, match=r"\(2, 3\), expected \(n, 2, 2\)"):
        as_pixels(np.zeros((2, 3)), (2, 2))


@pytest.mark.parametrize("dtype", [np.uint8, int, float])
def test_pixels_on_the_scale_of_the_model_or_another(dtype):
    counts = np.array([[[0, 16], [8, 4]]]).astype(dtype)
    right = np.rint(counts * (255 / 16))
    assert np.array_equal(as_pixels(counts, (2, 2), maximum=16), right)
    assert np.array_equal(as_pixels(counts / 16, (2, 2), maximum=16), right)
    assert np.array_equal(as_pixels(right, (2, 2), maximum=16), right)
    assert np.array_equal(as_pixels(counts // 16, (2, 2), maximum=1), counts // 16 * 255)
    for maximum in (1, 255):
        with pytest.warns(UserWarning, match="no pixel is above 16, taken as .* nearly black; .* divide by 16"):
            assert np.array_equal(as_pixels(counts, (2, 2), maximum=maximum), counts)
    assert np.array_equal(as_pixels(counts * 0, (2, 2)), counts * 0)
