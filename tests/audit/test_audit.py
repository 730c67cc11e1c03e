"""Labels changed on purpose, and images put into both parts, are found."""

import csv
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassnet import Dataset, load_dataset
from glassnet.audit import Audit, audit, confident_mistakes, near_duplicates, out_of_fold, write_audit
from glassnet.audit.duplicates import identical
from glassnet.cli import main
from glassnet.data import Examples
from glassnet.errors import ConfigError, DataError


def changed(examples: Examples, share: float, seed: int = 0) -> tuple[Examples, np.ndarray]:
    """The examples with a share of the labels replaced by others, and which these are."""
    rng = np.random.default_rng(seed)
    labels = examples.labels.copy()
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[chosen] = (labels[chosen] + rng.integers(1, 10, len(chosen))) % 10
    return examples.relabelled(labels), chosen


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def duplicated(digits: Dataset) -> Audit:
    return audit(with_duplicates(digits))


def test_changed_labels_come_first(digits: Dataset) -> None:
    train, chosen = changed(digits.train, 0.02)
    found = audit(replace(digits, train=train))
    first = found.order[: len(found.examples) * 3 // 100]
    assert np.isin(chosen, first).mean() >= 0.9
    assert np.isin(chosen, np.flatnonzero(found.wrong)).mean() >= 0.8
    assert found.wrong.sum() < 3 * len(chosen)
    assert len(found.rows()) == max(found.wrong.sum(), 36)
    row = found.rows()[0]
    index = int(found.order[0])
    assert row["label"] == str(found.examples.labels[index])
    assert row["label_probability"] == pytest.approx(found.probabilities[index, int(row["label"])], abs=1e-6)


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_one_percent_of_mnist() -> None:
    train, chosen = changed(load_dataset("mnist").train.take(np.arange(15_000)), 0.01)
    probabilities = out_of_fold(train, 10)
    own = probabilities[np.arange(len(train)), train.labels]
    assert np.isin(chosen, np.argsort(own)[: len(train) // 50]).mean() >= 0.9


def test_confident_mistakes_by_hand() -> None:
    # The thresholds are the means of the own class: 0.6 for class 0 (rows 0 to 2), 0.5 for class 1 (rows 3 and 4).
    P = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.9, 0.1]])
    assert confident_mistakes(P, np.array([0, 0, 0, 1, 1])).tolist() == [False, False, True, False, True]
    # A class that is the most probable, but less than its images usually are, says nothing.
    P = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.0, 1.0]])
    assert confident_mistakes(P, np.array([0, 0, 0, 1])).tolist() == [False] * 4


def test_no_network_has_seen_the_images_that_it_predicts(digits: Dataset) -> None:
    # With labels that are noise, nothing can be predicted of an image that was not seen.
    noise = digits.train.relabelled(np.random.default_rng(0).integers(0, 10, len(digits.train)))
    probabilities = out_of_fold(noise, 10)
    assert (probabilities.argmax(axis=1) == noise.labels).mean() < 0.2
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def with_duplicates(digits: Dataset) -> Dataset:
    """Test images 0 and 1 are training images 5 and 6, the second with another label; 2 is almost training image 7."""
    images, labels = digits.test.images.copy(), digits.test.labels.copy()
    images[:3] = digits.train.images[5:8]
    images[2] = np.clip(images[2] * 0.97, 0, 255).astype(np.uint8)
    labels[:3] = digits.train.labels[5:8]
    labels[1] = (labels[1] + 1) % 10
    return replace(digits, test=Examples(images, labels))


def test_duplicates(digits: Dataset, duplicated: Audit) -> None:
    found = duplicated
    border = len(digits.train)
    assert found.across == found.duplicates == [[5, border], [6, border + 1]]
    assert found.contradictory == [[6, border + 1]]
    assert [(pair.train, pair.test) for pair in found.near] == [(7, 2)]
    assert "2 groups of duplicates, 1 near-duplicates" in repr(found)


def test_every_pair_is_compared(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    data = with_duplicates(digits)
    whole = near_duplicates(data.train, data.test, 0.97)
    monkeypatch.setattr("glassnet.audit.duplicates.BLOCK", 100)
    assert [pair[:2] for pair in near_duplicates(data.train, data.test, 0.97)] == [pair[:2] for pair in whole]
    a, b = (part.images.reshape(len(part), -1) for part in (data.train, data.test))
    expected = np.corrcoef(b, a)[: len(b), len(b) :].max(axis=1)
    assert len(whole) == (expected >= 0.97).sum()
    assert whole[0].correlation == pytest.approx(1, abs=1e-5)


def test_blank_images_are_identical_but_like_nothing() -> None:
    blank = Examples(np.zeros((3, 8, 8), np.uint8), np.zeros(3, np.int64))
    assert identical(blank) == [[0, 1, 2]]
    assert near_duplicates(blank, blank, 0.99) == []


def test_every_probably_wrong_label_is_listed(digits: Dataset, duplicated: Audit) -> None:
    count = len(duplicated.examples)
    wrong = np.zeros(count, bool)
    wrong[duplicated.order[[3, 900]]] = True  # a fiftieth is 36
    assert replace(duplicated, wrong=wrong).listed.tolist() == duplicated.order[[*range(35), 900]].tolist()
    wrong[duplicated.order[100:200]] = True
    found = replace(duplicated, wrong=wrong)
    assert sum(row["probably_wrong"] for row in found.rows()) == len(found.rows()) == 102


def test_duplicate_rows_begin_with_those_of_different_labels(digits: Dataset, duplicated: Audit) -> None:
    rows = duplicated.duplicate_rows()
    assert [row["group"] for row in rows] == [1, 1, 2, 2, 3, 3]
    assert [row["kind"] for row in rows] == ["identical"] * 4 + ["near"] * 2
    assert rows[0]["label"] != rows[1]["label"]
    assert [row["part"] for row in rows] == ["train", "test"] * 3


def test_rows_are_those_of_the_source(digits: Dataset, duplicated: Audit) -> None:
    found = replace(duplicated, dataset=digits, examples=digits.train.joined(digits.test))
    whole = {image.tobytes(): i for i, image in enumerate(digits.train._stored)}
    for index in (0, 5, len(digits.train) + 3):
        part, row, _ = found.place(index)
        assert part == ("train" if index < len(digits.train) else "test")
        assert whole[found.examples.images[index].tobytes()] == row


def test_the_page_and_the_table(duplicated: Audit, tmp_path: Path) -> None:
    found = replace(duplicated, dataset=replace(duplicated.dataset, classes=tuple(f"<b>{i}</b>" for i in range(10))))
    page = write_audit(found, tmp_path / "out").read_text("utf-8")
    assert "<b><b>" not in page
    assert "&lt;b&gt;5&lt;/b&gt;" in page
    assert page.count("data:image/png") == len(found.rows()) + 4 + 2
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    with (tmp_path / "out" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == [row["row"] for row in found.rows()]
    assert "labels.csv lists the same images" in page
    with (tmp_path / "out" / "duplicates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == [row["row"] for row in found.duplicate_rows()]


def test_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "digits", "--out", str(tmp_path / "a"), "--folds", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["images"] == 1797
    assert len(told["labels"]) >= 36
    assert Path(told["page"]).is_file()
    assert "training 3 networks" in err
    assert main(["audit", "digits", "--out", str(tmp_path / "a"), "--folds", "3"]) == 0
    assert max(map(len, capsys.readouterr().out.replace(str(tmp_path), "").splitlines())) <= 80


def test_pictures_are_named_by_their_files(digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, by_file = tmp_path / "pictures", {}
    for i, (image, label) in enumerate(zip(digits.train.images[:400], digits.train.labels[:400], strict=True)):
        by_file[f"{label}/{i}.png"] = image
    by_file["0/copy.png"] = digits.train.images[7]
    for name, image in by_file.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)
    label = digits.train.labels[7]
    assert main(["audit", str(folder), "--out", str(tmp_path / "out"), "--folds", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    same = [row["file"] for row in told["duplicate_images"] if row["kind"] == "identical"]
    assert sorted(same) == sorted(["0/copy.png", f"{label}/7.png"])
    assert all(row["file"].startswith(f"{row['label']}/") for row in told["labels"])
    for table in ("labels", "duplicates"):
        with (tmp_path / "out" / f"{table}.csv").open(newline="") as file:
            named = [row["file"] for row in csv.DictReader(file)]
        assert named == [row["file"] for row in told["labels" if table == "labels" else "duplicate_images"]]
    assert f"<span>{label}/7.png</span>" in (tmp_path / "out" / "audit.html").read_text()
    dataset = load_dataset(folder)
    for part in (dataset.train, dataset.test):
        for i in (0, 5, len(part) - 1):
            assert np.array_equal(by_file[part.file_at(i)], part.images[i])
    assert main(["audit", str(folder), "--out", str(tmp_path / "out"), "--folds", "2"]) == 0
    assert told["labels"][0]["file"] in capsys.readouterr().out


@pytest.mark.parametrize("folds", [1, 21])
def test_a_wrong_number_of_folds(folds: int, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match=f"folds: must be from 2 to 20, not {folds}"):
        audit(digits, folds)


def test_too_few_images(digits: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    few = replace(digits, train=digits.train.take(np.arange(5)), test=digits.test.take(np.arange(2)))
    with pytest.raises(DataError, match="digits: 7 images are too few for 5 folds"):
        audit(few)
    rare = replace(digits, train=digits.train.take(np.flatnonzero(digits.train.labels < 3)[:40]))
    labels = rare.train.labels.copy()
    labels[0] = 9  # the only one of its class
    assert len(audit(replace(rare, train=rare.train.relabelled(labels))).examples) == 40 + len(digits.test)
    assert main(["audit", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("glassnet: no data set or path called 'nowhere'")
