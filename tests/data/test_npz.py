import io
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from complaints import only_complaints_about
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassnet.data.npz import read_npz
from glassnet.errors import DataError

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)


def npz(compressed=True, **given):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **given)
    return file.getvalue()


def zipped(content, name="x_train.npy", **more):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        for other, data in more.items():
            archive.writestr(f"{other}.npy", data)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


IMAGES, LABELS = np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.arange(3)


@IN_ONE_FOLDER
@given(
    arrays(st.sampled_from([np.uint8, ">i4", "f8"]), array_shapes(min_dims=3, max_dims=3, max_side=5)),
    st.booleans(),
    st.booleans(),
)
def test_what_was_written_is_read(tmp_path, images, compressed, fortran):
    path = tmp_path / "mnist.npz"
    given_images = np.asfortranarray(images) if fortran else images
    path.write_bytes(npz(compressed, x_train=given_images, y_train=LABELS, other=LABELS))
    found = read_npz(path)
    assert {kind: name for kind, (name, _) in found.items()} == {"train images": "x_train", "train labels": "y_train"}
    assert np.array_equal(found["train images"][1], images, equal_nan=True)


def names_of(*given, tmp_path):
    images = {name: np.zeros((n, 2, 2), np.uint8) if n else IMAGES for name, n in given if n > 0}
    labels = {name: np.zeros(-n, np.uint8) for name, n in given if n < 0}
    path = tmp_path / "given.npz"
    path.write_bytes(npz(**{name: (images | labels)[name] for name, _ in given}))
    return {kind: name for kind, (name, _) in read_npz(path).items()}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("x_train y_train x_test y_test", "train test"),
        ("X_train y_train X_test y_test", "train test"),
        ("train_images train_labels test_images test_labels", "train test"),
        ("train_images train_labels val_images val_labels test_images test_labels", "train validation test"),
        ("training.imgs training.targets", "train"),
        ("images labels", "train"),
        ("x y", "train"),
        ("xtrain ytrain xtest ytest", "train test"),
        ("trainX trainY testX testY", "train test"),
        ("mnist_train_images mnist_train_labels", "train"),
        ("X Y", "train"),
        ("data target", "train"),
        ("arr_0 arr_1", "train"),
        ("arr_0 arr_1 arr_2 arr_3", "train test"),
    ],
)
def test_arrays_are_told_apart_by_their_names(tmp_path, names, parts):
    sizes = [3, -3, 4, -4, 5, -5]
    names = names.split()
    found = names_of(*zip(names, sizes, strict=False), tmp_path=tmp_path)
    kinds = [f"{part} {kind}" for part in parts.split() for kind in ("images", "labels")]
    assert found == dict(zip(kinds, names, strict=True))


def test_other_arrays_are_left_alone(tmp_path):
    given = [("x_train", 3), ("y_train", -3), ("train_image_ids", -3), ("mean", 4)]
    assert names_of(*given, tmp_path=tmp_path) == {"train images": "x_train", "train labels": "y_train"}


def test_arrays_that_only_have_numbers_are_told_apart_by_their_dimensions(tmp_path):
    given = [("arr_0", 3), ("arr_1", 4), ("arr_2", -3), ("arr_3", -4)]
    right = {"train images": "arr_0", "train labels": "arr_2", "test images": "arr_1", "test labels": "arr_3"}
    assert names_of(*given, tmp_path=tmp_path) == right
    given = [("arr_0", -3), ("arr_1", 3)]
    assert names_of(*given, tmp_path=tmp_path) == {"train images": "arr_1", "train labels": "arr_0"}


@IN_ONE_FOLDER
@given(st.data(), st.booleans())
def test_damage_is_an_error_or_other_numbers_but_never_a_crash(tmp_path, data, compressed):
    content = bytearray(npz(compressed, x_train=IMAGES, y_train=LABELS))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mnist.npz"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with only_complaints_about(path):
        read_npz(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a readable npz"),
        (b"hello", "not a readable npz"),
        (npz(x_train=IMAGES, y_train=LABELS)[:-30], "not a readable npz"),
        (npz(images=IMAGES), "no array of train labels .there are: images"),
        (npz(x_train=IMAGES), "no array of train labels"),
        (npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES), "no array of test labels"),
        (npz(x_train=np.array([{}, None]), y_train=LABELS), "pickle"),
        (zipped(npy(IMAGES)[:-1], y_train=npy(LABELS)), "announces 60 bytes"),
        (zipped(npy(IMAGES) + b"!", y_train=npy(LABELS)), "announces 60 bytes"),
        (zipped(npy(IMAGES).replace(b"(3, 4, 5)", b"(3,-4,-5)"), y_train=npy(LABELS)), "shape"),
        (zipped(b"nothing", y_train=npy(LABELS)), "not a readable npz"),
    ],
)
def test_bad_files_are_named_and_explained(tmp_path, content, what):
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{what}"):
        read_npz(path)


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_nothing_is_ever_unpickled(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz(x_train=np.array([Trap()], object), y_train=LABELS))
    with pytest.raises(DataError, match="pickle"):
        read_npz(path)
    assert not Trap.sprung


def test_a_zip_bomb_allocates_nothing(tmp_path):
    header = npy(np.zeros(0, np.uint8)).replace(b"(0,), }          ", b"(3000000000,), } ")
    path = tmp_path / "mnist.npz"
    path.write_bytes(zipped(header + bytes(20_000_000), y_train=npy(LABELS)))
    content = path.read_bytes().replace(
        (len(header) + 20_000_000).to_bytes(4, "little"), (len(header) + 3_000_000_000).to_bytes(4, "little")
    )
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match="announces 3,000,000,000 bytes, more than"):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
