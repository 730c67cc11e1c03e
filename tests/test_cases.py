"""Inputs as people have them, from a folder ``cases`` beside the data: what 0.1.0 refused needlessly or got wrong.

Its README says what each is and what is right.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from glassnet import Config, load_dataset, open_model, train
from glassnet.data import frame_picture, read_picture
from glassnet.errors import ConfigError, DataError

CASES = Path(os.environ.get("GLASSNET_CASES") or Path(os.environ.get("GLASSNET_DATA") or os.devnull).parent / "cases")

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="no folder cases beside GLASSNET_DATA, and GLASSNET_CASES does not say where it is"
)

ROWS = {"index_column_300_rows.csv": 300}  # of a table; the others have 30


def files(folder: str, pattern: str = "*") -> list[Path]:
    return sorted((CASES / folder).glob(pattern))


@pytest.mark.parametrize("path", files("pictures", "*_true[0-9].*"), ids=lambda path: path.stem)
def test_a_picture_is_read_as_a_person_reads_it(path: Path) -> None:
    model = open_model()
    if path.stem.startswith("two_digits"):
        assert len(model.read(path).digits) == 2
        return
    image = frame_picture(read_picture(path), model.preprocessing)
    assert model.classes[model.predict(image[None])[0]] == path.stem[-1]


def test_a_faint_digit_beside_a_black_dot_is_read() -> None:
    model = open_model()
    image = frame_picture(read_picture(CASES / "pictures/faint_digit_and_dot.png"), model.preprocessing)
    assert model.predict_proba(image[None]).max() > 0.9


def test_a_picture_without_its_palette_is_damaged() -> None:
    with pytest.raises(DataError, match=r"no_palette\.png: cannot be read as an image"):
        read_picture(CASES / "pictures/no_palette.png")


@pytest.mark.parametrize("path", files("csv"), ids=lambda path: path.name)
def test_a_table_is_read_whole(path: Path) -> None:
    dataset = load_dataset(path)
    assert dataset.image_shape == (28, 28)
    assert len(dataset.train) + len(dataset.test) == ROWS.get(path.name, 30)
    images = np.concatenate([dataset.train.images, dataset.test.images])
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    assert np.mean(open_model().predict(images) == labels) > 0.95  # so labels and pixels are where they belong


def test_all_pictures_of_a_folder_count() -> None:
    dataset = load_dataset(CASES / "folders/mixed_bmp")
    assert len(dataset.train) + len(dataset.test) == 50
    assert dataset.classes == tuple("0123456789")


def test_settings_of_windows_editors() -> None:
    assert Config.resolve(CASES / "toml/notepad_bom.toml")
    with pytest.raises(ConfigError, match=r"is UTF-16.*save it as UTF-8"):
        Config.resolve(CASES / "toml/powershell_utf16.toml")


def test_counts_from_0_to_16_are_the_images_that_they_count(tmp_path: Path) -> None:
    """What traps.py shows: the same pictures on another scale were silently taken as nearly black."""
    digits = load_dataset("digits")
    model = train(digits, epochs=5, out=tmp_path / "run").model
    counts = np.rint(digits.test.images * (16 / 255)).astype(np.uint8)
    right = np.mean(model.predict(digits.test.images) == digits.test.labels)
    assert np.mean(model.predict(counts) == digits.test.labels) == pytest.approx(right, abs=0.01)
    assert np.mean(model.predict(counts / 16) == digits.test.labels) == pytest.approx(right, abs=0.01)
