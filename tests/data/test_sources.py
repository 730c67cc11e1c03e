import gzip
import os
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from glassnet.data import load_dataset
from glassnet.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 2, 2), np.uint8)
LABELS = np.arange(40) % 10


def write_csv(path, images, labels=None):
    rows = images.reshape(len(images), -1)
    names = [f"pixel{i}" for i in range(rows.shape[1])]
    if labels is not None:
        rows, names = np.column_stack([labels, rows]), ["label", *names]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def sizes(dataset):
    return len(dataset.train), len(dataset.test), len(dataset.unlabelled), dataset.official_test


def same(dataset):
    """The source that a data set names gives the same data again."""
    again = load_dataset(dataset.source)
    return again.fingerprint == dataset.fingerprint and np.array_equal(again.unlabelled, dataset.unlabelled)


def test_digits():
    dataset = load_dataset("digits")
    assert sizes(dataset) == (1438, 359, 0, False)
    assert (dataset.name, dataset.source, dataset.image_shape) == ("digits", "digits", (8, 8))
    assert set(np.unique(dataset.train.images)) == set(np.rint(np.arange(17) * 255 / 16).astype(int))
    counts = np.bincount(dataset.test.labels)
    assert counts.min() >= 34
    assert same(dataset)


@pytest.mark.parametrize("form", [{}, {"zipped": False}, {"dotted": True}, {"zipped": False, "dotted": True}])
def test_a_folder_of_idx_files_or_one_of_them(tmp_path, write_mnist, form):
    folder = write_mnist(tmp_path / "my digits", **form)
    dataset = load_dataset(folder)
    assert sizes(dataset) == (50, 20, 0, True)
    assert dataset.name == "my-digits"
    assert Path(dataset.source) == folder
    assert same(dataset)
    for file in folder.iterdir():
        assert load_dataset(str(file)).fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"emnist-digits-{name.replace('t10k', 'test')}",
        lambda name: name.replace("t10k", "test"),
        lambda name: name.replace("-idx", ".idx").replace("-ubyte", ".ubyte"),
        lambda name: name.replace("-", "_"),
        lambda name: f"fashion_{name}",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_names_that_idx_files_have(tmp_path, write_mnist, renamed, zipped):
    folder = write_mnist(tmp_path / "digits", zipped=zipped)
    right = load_dataset(folder).fingerprint
    for path in list(folder.iterdir()):
        path.rename(folder / renamed(path.name))
    assert load_dataset(folder).fingerprint == right
    for path in folder.iterdir():
        assert load_dataset(path).fingerprint == right


def test_idx_files_where_torchvision_leaves_them(tmp_path, write_mnist):
    right = load_dataset(write_mnist(tmp_path / "data" / "MNIST" / "raw", zipped=False))
    write_mnist(tmp_path / "data" / "MNIST" / "raw")  # beside the packed ones
    for folder in ("data", "data/MNIST", "data/MNIST/raw"):
        assert load_dataset(tmp_path / folder).fingerprint == right.fingerprint


def test_idx_files_of_several_data_sets_in_a_folder(tmp_path, write_mnist):
    for name in ("emnist-letters", "emnist-digits"):
        folder = write_mnist(tmp_path / name)
        for path in folder.iterdir():
            path.rename(tmp_path / f"{name}-{path.name}")
        folder.rmdir()
    with pytest.raises(
        DataError, match=r"several data sets .emnist-digits, emnist-letters.; give the path of one file"
    ):
        load_dataset(tmp_path)
    assert sizes(load_dataset(tmp_path / "emnist-digits-train-images-idx3-ubyte.gz")) == (50, 20, 0, True)


@pytest.mark.parametrize("name", ["", "emnist-"])
@pytest.mark.parametrize("turned", [False, True])
def test_emnist_is_turned_upright(tmp_path, write_mnist, name, turned):
    folder = write_mnist(tmp_path / "digits", test=False)
    bars = np.zeros((50, 28, 28), np.uint8)
    bars[:, 4:24, 12:16] = 255
    stored = bars.transpose(0, 2, 1) if turned else bars
    content = b"\0\0\x08\x03" + struct.pack(">3I", *stored.shape) + stored.tobytes()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    for path in list(folder.iterdir()):
        path.rename(folder / f"{name}{path.name}")
    found = load_dataset(folder).train.images
    assert np.array_equal(found, (bars if name else stored)[: len(found)])


def test_idx_without_test_images(tmp_path, write_mnist):
    assert sizes(load_dataset(write_mnist(tmp_path / "a", test=False))) == (40, 10, 0, False)


@pytest.mark.parametrize("missing", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
def test_idx_with_a_missing_file(mnist_folder, missing):
    next(mnist_folder.glob(f"{missing}*")).unlink()
    with pytest.raises(DataError, match=f"{missing}.* is missing"):
        load_dataset(mnist_folder)


def test_idx_with_lengths_that_differ_or_a_label_outside(mnist_folder):
    labels = mnist_folder / "train-labels-idx1-ubyte.gz"
    content = gzip.decompress(labels.read_bytes())
    labels.write_bytes(gzip.compress(content[:7] + b"\x31" + content[8:-1]))
    with pytest.raises(DataError, match=r"50 images, but 49 labels in .*train-labels"):
        load_dataset(mnist_folder)
    labels.write_bytes(gzip.compress(content[:-1] + b"\x0c"))
    with pytest.raises(DataError, match=r"train-labels.*'12' at index 49.*classes="):
        load_dataset(mnist_folder)
    assert len(load_dataset(mnist_folder, classes=13).classes) == 13


def test_kaggles_training_file(tmp_path):
    path = write_csv(tmp_path / "train.csv", IMAGES, LABELS)
    dataset = load_dataset(path)
    assert sizes(dataset) == (32, 8, 0, False)
    assert (dataset.name, dataset.source) == ("train", str(path))
    assert same(dataset)


def test_kaggles_test_file_has_no_labels(tmp_path):
    dataset = load_dataset(write_csv(tmp_path / "test.csv", IMAGES))
    assert sizes(dataset) == (0, 0, 40, False)
    assert np.array_equal(dataset.unlabelled, IMAGES)
    assert dataset.image_shape == (2, 2)
    with pytest.raises(DataError, match="no labels"):
        dataset.require_trainable()


def test_a_folder_of_kaggles_files(tmp_path):
    folder = write_csv(tmp_path / "kaggle" / "train.csv", IMAGES, LABELS).parent
    assert sizes(load_dataset(folder)) == (32, 8, 0, False)
    write_csv(folder / "test.csv", IMAGES[:7])
    dataset = load_dataset(folder)
    assert sizes(dataset) == (32, 8, 7, False)
    assert dataset.name == "kaggle"
    assert same(dataset)
    write_csv(folder / "test.csv", IMAGES[:7], LABELS[:7])
    assert sizes(load_dataset(folder)) == (40, 7, 0, True)
    write_csv(folder / "train.csv", IMAGES)
    with pytest.raises(DataError, match="no column label"):
        load_dataset(folder)
    (folder / "train.csv").unlink()
    assert sizes(load_dataset(folder)) == (7, 0, 0, False)  # the only image of a class is never held out


@pytest.mark.parametrize(
    ("train", "test"),
    [("train.csv.gz", "test.csv.gz"), ("mnist_train.csv", "mnist_test.csv"), ("a-train.txt", "a-test.csv.zip")],
)
def test_a_folder_of_tables_of_other_names(tmp_path, train, test):
    for name, path in (
        (train, write_csv(tmp_path / "a.csv", IMAGES, LABELS)),
        (test, write_csv(tmp_path / "b", IMAGES)),
    ):
        content = path.read_bytes()
        path.unlink()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert sizes(load_dataset(tmp_path)) == (32, 8, 40, False)


def test_a_folder_of_several_training_tables(tmp_path):
    for name in ("a_train.csv", "b_train.csv"):
        write_csv(tmp_path / name, IMAGES, LABELS)
    with pytest.raises(
        DataError, match=r"several tables of train images .a_train.csv, b_train.csv.; give the path of one"
    ):
        load_dataset(tmp_path)
    write_csv(tmp_path / "train.csv", IMAGES, LABELS)
    assert sizes(load_dataset(tmp_path)) == (32, 8, 0, False)


def test_tables_of_two_scales_in_a_folder(tmp_path):
    write_csv(tmp_path / "train.csv", IMAGES, LABELS)
    write_csv(tmp_path / "test.csv", IMAGES // 16)
    with pytest.raises(
        DataError, match=r"pixels go to 255 in train.csv and to 15 in test.csv; bring both to one scale"
    ):
        load_dataset(tmp_path)
    write_csv(tmp_path / "train.csv", IMAGES // 16, LABELS)
    dataset = load_dataset(tmp_path)
    assert (dataset.maximum, dataset.train.images.max(), dataset.unlabelled.max()) == (15, 255, 255)


def test_images_of_two_sizes(tmp_path):
    folder = write_csv(tmp_path / "kaggle" / "train.csv", IMAGES, LABELS).parent
    write_csv(folder / "test.csv", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(DataError, match="2×2 and 3×3"):
        load_dataset(folder)


def test_a_label_outside_the_classes_is_named_by_row(tmp_path):
    path = write_csv(tmp_path / "train.csv", IMAGES, np.where(np.arange(40) == 6, 25, LABELS))
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*'25' at line 8 .*--classes"):
        load_dataset(path)
    assert load_dataset(path, classes=26).train.labels.max() <= 25
    assert load_dataset(path, classes=[chr(65 + i) for i in range(26)]).classes[25] == "Z"


def test_kerass_archive(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:5], y_test=LABELS[:5])
    dataset = load_dataset(path)
    assert sizes(dataset) == (40, 5, 0, True)
    assert np.array_equal(dataset.train.images, IMAGES)
    assert (dataset.name, dataset.source) == ("mnist", str(path))
    assert same(dataset)
    np.savez(path, x_train=IMAGES / 255, y_train=LABELS)
    assert sizes(load_dataset(path)) == (32, 8, 0, False)
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_val=IMAGES[:7], y_val=LABELS[:7], x_test=IMAGES, y_test=LABELS)
    assert sizes(load_dataset(path)) == (47, 40, 0, True)
    np.savez(path, x_train=IMAGES, y_train=LABELS[:-1])
    with pytest.raises(DataError, match=r"x_train: 40 images, but 39 labels in .*y_train"):
        load_dataset(path)


def test_arrays():
    dataset = load_dataset((IMAGES, LABELS, IMAGES[:4], LABELS[:4]))
    assert sizes(dataset) == (40, 4, 0, True)
    assert (dataset.name, dataset.source) == ("arrays", "")
    assert sizes(load_dataset((IMAGES.reshape(40, 4) / 255, list(map(str, LABELS))))) == (32, 8, 0, False)
    with pytest.raises(DataError, match="3 arrays"):
        load_dataset((IMAGES, LABELS, IMAGES))


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("mnsit", r"'mnsit' \(did you mean 'mnist'\?\)"),
        ("digit", "did you mean 'digits'"),
        ("no/such/train.csv", "path called 'no/such/train.csv'"),
        ("", "path called ''"),
        ("a\0b", "or path called"),
        ("x" * 5000, "or path called"),
        ("~nobody-of-this-name/x", "or path called"),
        (3, "int is not a data source"),
        ([1, 2], "list is not a data source"),
        (b"digits", "bytes is not a data source"),
    ],
)
def test_sources_that_do_not_exist(source, what):
    with pytest.raises(DataError, match=what) as error:
        load_dataset(source)
    assert len(str(error.value)) < 500


def test_files_and_folders_of_other_kinds(tmp_path):
    (tmp_path / "notes.doc").write_text("hello")
    with pytest.raises(DataError, match=r"notes\.doc.*give a \.csv or \.npz"):
        load_dataset(tmp_path / "notes.doc")
    with pytest.raises(DataError, match="no data in this folder"):
        load_dataset(tmp_path)


def test_a_path_is_made_absolute_and_a_name_short(tmp_path, monkeypatch):
    write_csv(tmp_path / "my own: digits.csv", IMAGES, LABELS)
    monkeypatch.chdir(tmp_path)
    dataset = load_dataset("my own: digits.csv")
    assert dataset.name == "my-own-digits"
    assert dataset.source == str(tmp_path / "my own: digits.csv")
    shutil.move("my own: digits.csv", "...csv")
    assert load_dataset("./...csv").name == "data"


def test_a_known_data_set_has_classes_of_its_own() -> None:
    with pytest.raises(DataError, match="digits: its 10 classes are 0 to 9, not "):
        load_dataset("digits", classes=5)


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.npz", "loop.csv", "loop", "a\0b.csv"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, name):
    for kind in ("csv", "npz"):
        os.mkfifo(tmp_path / f"pipe.{kind}")
    for link in ("loop.csv", "loop"):
        (tmp_path / link).symlink_to(link)
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)
