import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from glassnet.data import load_dataset, read_picture
from glassnet.errors import DataError


def stroke(height, width, tilt=0):
    """A dark slanted line on white."""
    picture = np.full((height, width), 255, np.uint8)
    for y in range(height // 5, height - height // 5):
        x = width // 2 + tilt * (y - height // 2) // height
        picture[y, x : x + max(2, width // 10)] = 0
    return picture


def write(folder, name, picture, kind="png"):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"{name}.{kind}")


def test_small_pictures_of_one_size_are_taken_as_they_are(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 9, 7), np.uint8)
    for i, picture in enumerate(pictures):
        write(tmp_path / "set" / ["10", "2", "x"][i % 3], f"{i}", picture)
    (tmp_path / "set" / ".hidden").mkdir()
    (tmp_path / "set" / "2" / ".DS_Store").write_text("")
    (tmp_path / "set" / "2" / "._1.png").write_text("")
    (tmp_path / "set" / "2" / "notes.txt").write_text("")
    with pytest.warns(UserWarning, match="set: left out 1 other file "):
        dataset = load_dataset(tmp_path / "set")
    assert dataset.classes == ("2", "10", "x")
    assert (dataset.name, dataset.official_test, dataset.image_shape) == ("set", False, (9, 7))
    found = {
        (image.tobytes(), dataset.classes[label])
        for part in (dataset.train, dataset.test)
        for image, label in zip(part.images, part.labels, strict=True)
    }
    assert found == {(picture.tobytes(), ["10", "2", "x"][i % 3]) for i, picture in enumerate(pictures)}
    (tmp_path / "set" / "2" / "notes.txt").unlink()
    assert load_dataset(dataset.source).fingerprint == dataset.fingerprint


def test_every_form_of_picture_is_read(tmp_path):
    for label in "01":
        for kind in ("png", "bmp", "gif", "tif", "webp"):
            write(tmp_path / label, kind, np.full((4, 4), 100, np.uint8), kind)
    dataset = load_dataset(tmp_path)
    assert len(dataset.train) + len(dataset.test) == 10


def test_files_are_sorted_by_the_numbers_in_their_names(tmp_path):
    for i in (10, 9, 1, 2):
        for name in "ab":
            write(tmp_path / "train" / name, f"{i}", np.full((3, 3), i, np.uint8))
            write(tmp_path / "test" / name, f"{i}", np.full((3, 3), i, np.uint8))
    assert load_dataset(tmp_path).train.images[:4, 0, 0].tolist() == [1, 2, 9, 10]


@pytest.mark.parametrize("names", [("train", "test"), ("training", "testing"), ("Train", "TEST")])
def test_train_and_test_folders_are_an_official_split(tmp_path, names):
    for name, levels in zip(names, ((10, 20), (30,)), strict=True):
        for level in levels:
            for label in "01":
                write(tmp_path / name / label, f"{level}", np.full((4, 4), level + int(label), np.uint8), "jpg")
    dataset = load_dataset(tmp_path)
    assert dataset.official_test
    assert dataset.train.images[:, 0, 0].tolist() == [10, 20, 11, 21]
    assert dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert dataset.test.images[:, 0, 0].tolist() == [30, 31]
    assert dataset.test.labels.tolist() == [0, 1]


def test_other_pictures_are_brought_into_mnists_form_together(tmp_path):
    for label in "01":
        write(tmp_path / "train" / label, "a", stroke(20, 20))
        write(tmp_path / "test" / label, "a", stroke(120, 200, tilt=30), "jpeg")
    dataset = load_dataset(tmp_path)
    assert dataset.image_shape == (28, 28)
    for image in (*dataset.train.images, *dataset.test.images):
        rows = np.flatnonzero(image.max(axis=1) > 64)
        assert image.max() > 200
        assert 19 <= rows[-1] - rows[0] + 1 <= 20


def test_bad_pictures_are_named(tmp_path):
    for label in "01":
        write(tmp_path / label, "a", stroke(100, 100))
    write(tmp_path / "1", "blank", np.full((100, 100), 255, np.uint8))
    with pytest.raises(DataError, match=f"no digit found in {re.escape(str(tmp_path / '1' / 'blank.png'))}"):
        load_dataset(tmp_path)
    (tmp_path / "1" / "blank.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"blank\.png: not a PNG, JPEG, BMP"):
        load_dataset(tmp_path)


def test_one_class_or_an_unknown_one(tmp_path):
    write(tmp_path / "one" / "5", "a", stroke(9, 9))
    with pytest.raises(DataError, match="only one class"):
        load_dataset(tmp_path / "one")
    for label in "01":
        write(tmp_path / "two" / "train" / label, "a", stroke(9, 9))
    write(tmp_path / "two" / "test" / "2", "a", stroke(9, 9))
    with pytest.raises(DataError, match="not a class of the training images"):
        load_dataset(tmp_path / "two")


def test_validation_folders_join_the_training_images(tmp_path):
    for part, level in (("Train", 10), ("valid", 20), ("Test", 30)):
        for label in "01":
            write(tmp_path / part / label, "a", np.full((4, 4), level + int(label), np.uint8))
    dataset = load_dataset(tmp_path)
    assert sorted(dataset.train.images[:, 0, 0].tolist()) == [10, 11, 20, 21]
    assert dataset.test.images[:, 0, 0].tolist() == [30, 31]
    write(tmp_path / "training" / "0", "a", stroke(9, 9))
    with pytest.raises(DataError, match="Train and training are both train images; join them"):
        load_dataset(tmp_path)


def test_what_is_left_out_is_counted_and_named(tmp_path):
    for label in "01":
        write(tmp_path / "train" / label, "a", stroke(9, 9))
    for name in ("one.txt", "two.json", "three.svg", "four.npy"):
        (tmp_path / "train" / "1" / name).write_text("")
    (tmp_path / "train" / "labels.csv").write_text("")
    (tmp_path / "train" / "1" / "Thumbs.db").write_text("")
    (tmp_path / "train" / "7").mkdir()
    with pytest.warns(UserWarning, match="left out") as found:
        load_dataset(tmp_path)
    assert str(found[0].message) == (
        f"{tmp_path / 'train'}: left out 5 other files (train/labels.csv, 1/four.npy, 1/one.txt, …) "
        "and 1 folder without pictures (train/7)"
    )


def test_the_shell_says_what_is_left_out_in_one_line(tmp_path):
    for label in "01":
        write(tmp_path / label, "a", stroke(9, 9))
        write(tmp_path / label, "b", stroke(9, 9))
    (tmp_path / "notes.txt").write_text("")
    command = [sys.executable, "-m", "glassnet", "data", tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == f"glassnet: {tmp_path}: left out 1 other file ({tmp_path.name}/notes.txt)\n"


def parts(folder):
    """The contents of the training and of the test images; each picture here has its own."""
    dataset = load_dataset(folder)
    return tuple({image.tobytes() for image in part.images} for part in (dataset.train, dataset.test))


def test_of_a_folder_that_changes_no_other_picture_changes_its_part(tmp_path):
    pictures = np.random.default_rng(5).integers(0, 256, (250, 8, 8), np.uint8)
    for i, picture in enumerate(pictures[:200]):
        write(tmp_path / "34"[i % 2], f"{i:03}", picture)
    train, test = parts(tmp_path)
    assert 25 <= len(test) <= 55  # a fifth; 40 ± 5.7
    for i, picture in enumerate(pictures[200:], 200):
        write(tmp_path / "34"[i % 2], f"{i:03}", picture)
    more_train, more_test = parts(tmp_path)
    assert train < more_train
    assert test < more_test
    for i in range(50, 200, 5):
        (tmp_path / "34"[i % 2] / f"{i:03}.png").unlink()
    for i in range(51, 200, 5):
        (tmp_path / "34"[i % 2] / f"{i:03}.png").rename(tmp_path / "43"[i % 2] / f"{i:03}.png")
    less_train, less_test = parts(tmp_path)
    assert less_train < more_train
    assert less_test < more_test


def test_not_even_the_first_picture_of_a_class_decides_about_others(tmp_path):
    pictures = np.random.default_rng(7).integers(0, 256, (81, 8, 8), np.uint8)
    for i, picture in enumerate(pictures[:80]):
        write(tmp_path / "34"[i % 2], f"{i:03}", picture)
    train, test = parts(tmp_path)
    for i in range(0, 20, 2):
        (tmp_path / "3" / f"{i:03}.png").rename(tmp_path / "4" / f"0-{20 - i:02}.png")  # before all others
        assert parts(tmp_path) == (train, test)
    for i in range(20, 60, 2):
        (tmp_path / "3" / f"{i:03}.png").unlink()
        less_train, less_test = parts(tmp_path)
        assert less_train < train or less_test < test
        assert (less_train | less_test) < (train | test)
        assert not less_train & test
        assert not less_test & train
    write(tmp_path / "3", "0", pictures[80])
    more_train, more_test = parts(tmp_path)
    assert less_train <= more_train
    assert less_test <= more_test


def test_pictures_of_one_content_are_in_one_part(tmp_path):
    for i, picture in enumerate(np.random.default_rng(8).integers(0, 256, (20, 8, 8), np.uint8)):
        for copy in "ab":
            write(tmp_path / "34"[i % 2], f"{i:03}{copy}", picture)
    train, test = parts(tmp_path)
    assert train
    assert test
    assert not train & test


def meanwhile(monkeypatch, change):
    """Let a folder change while its first picture is read."""
    changes = iter([change])

    def read(*args):
        next(changes, lambda: None)()
        return read_picture(*args)

    monkeypatch.setattr("glassnet.data.folder.read_picture", read)


@pytest.mark.parametrize("names", [("{label}",), ("train/{label}", "test/{label}")])
def test_a_picture_kept_while_the_folder_is_read_comes_the_next_time(tmp_path, monkeypatch, names):
    pictures = iter(np.random.default_rng(9).integers(0, 256, (41, 8, 8), np.uint8))
    places = [tmp_path / name.format(label=label) for name in names for label in "34"]
    for place in places:
        for i in range(40 // len(places)):
            write(place, f"{i:03}", next(pictures))
    expected = parts(tmp_path)
    meanwhile(monkeypatch, lambda: write(places[-1], "0", next(pictures)))
    assert parts(tmp_path) == expected
    assert sum(map(len, parts(tmp_path))) == 41


def test_a_picture_deleted_while_the_folder_is_read_is_whole_or_gets_a_line(tmp_path, monkeypatch):
    for i, picture in enumerate(np.random.default_rng(9).integers(0, 256, (10, 8, 8), np.uint8)):
        write(tmp_path / "34"[i % 2], f"{i:03}", picture)
    expected = parts(tmp_path)
    meanwhile(monkeypatch, (tmp_path / "3" / "000.png").unlink)  # which has just been read
    assert parts(tmp_path) == expected
    meanwhile(monkeypatch, (tmp_path / "4" / "009.png").unlink)
    with pytest.raises(DataError, match=r"4/009\.png: no such file"):
        load_dataset(tmp_path)
    assert sum(map(len, parts(tmp_path))) == 8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_a_few_pictures_each_class_keeps_one_and_one_is_held_out(tmp_path, count):
    for i, picture in enumerate(np.random.default_rng(6).integers(0, 256, (2 * count, 8, 8), np.uint8)):
        write(tmp_path / "34"[i % 2], f"{i:03}", picture)
    dataset = load_dataset(tmp_path)
    assert set(dataset.train.labels) == {0, 1}
    assert bool(len(dataset.test)) == (count > 1)
    assert not dataset.official_test
