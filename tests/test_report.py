import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from glassnet.data import Dataset, Examples
from glassnet.errors import DataError, FileError
from glassnet.report import write_report
from glassnet.training import train

FIGURES = {
    "learning-curves",
    "confusion-matrix",
    "hardest-images",
    "calibration",
    "first-layer-weights",
    "samples",
}
SETTINGS = {"hidden": (9,), "epochs": 2, "batch_size": 8}


def dataset(classes=("ant", "bee", "cat"), source="digits"):
    """Images of noise, of three classes however many names there are."""
    rng = np.random.default_rng(0)
    parts = [
        Examples(rng.integers(0, 256, (n, 3, 4), dtype=np.uint8), np.arange(n, dtype=np.int64) % 3) for n in (60, 30)
    ]
    return Dataset("noise", source, *parts, classes, official_test=True, unlabelled=np.empty((0, 3, 4), np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(dataset(), out=tmp_path_factory.mktemp("runs") / "a <run>", **SETTINGS)


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    """The report of the run, in a folder that had to be made."""
    return write_report(run, dataset().test, tmp_path_factory.mktemp("report") / "new" / "folder")


class Page(HTMLParser):
    """What a page consists of: its tags, the text of its table rows, and whether every tag is closed in order."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.open = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_report_holds_every_figure_and_writes_each_beside_it(report):
    assert report.parts[-3:] == ("new", "folder", "report.html")
    assert {file.name for file in report.parent.iterdir()} == {f"{name}.png" for name in FIGURES} | {"report.html"}
    page = Page(report.read_text("utf-8"))
    names = [figure["id"] for figure in page.all("figure")]
    assert set(names) == FIGURES
    for name, image in zip(names, page.all("img"), strict=True):
        kind, content = image["src"].split(",")
        assert kind == "data:image/png;base64"
        png = base64.b64decode(content, validate=True)
        assert png == (report.parent / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG\r\n")
        assert len(image["alt"]) > 10


def test_report_needs_nothing_from_outside(report):
    text = report.read_text("utf-8")
    page = Page(text)
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    assert not re.search(r"url\(|@import|https?:|//[a-z]", re.sub(r"base64,[^\"]+", "", text))


def test_report_says_the_figures_of_the_evaluation_and_the_configuration(run, report):
    test = dataset().test
    right = int(np.sum(run.model.predict(test.images) == test.labels))
    text = report.read_text("utf-8")
    assert "<h1>digits</h1>" in text
    assert "a &lt;run&gt;" in text
    assert f"Of 30 test images, {right} were classified correctly and {30 - right} incorrectly." in text
    assert f"<dt>accuracy</dt><dd>{100 * right / 30:.2f} %</dd>" in text
    # 12 · 9 + 9 for the first layer and 9 · 3 + 3 for the second
    assert "<dt>parameters</dt><dd>147</dd>" in text
    assert "<dt>epochs</dt><dd>2</dd>" in text
    rows = Page(text).rows
    assert [row[0] for row in rows[1:4]] == ["ant", "bee", "cat"]
    assert [row[4] for row in rows[1:4]] == ["10", "10", "10"]
    assert ["hidden", "9"] in rows
    assert ["batch_size", "8"] in rows
    assert "clip_norm" not in [row[0] for row in rows]  # it is not set


def test_names_are_escaped(tmp_path):
    data = dataset(("<script>alert(1)</script>", 'a "b" & c', "$title"), "<img onerror=x>")
    run = train(data, out=tmp_path / "run", **SETTINGS)
    text = write_report(run, data.test, tmp_path).read_text("utf-8")
    page = Page(text)
    assert not page.all("script")
    assert len(page.all("img")) == 6
    assert [row[0] for row in page.rows[1:4]] == list(data.classes)
    assert "<h1>&lt;img onerror=x&gt;</h1>" in text


def test_class_without_images_run_without_validation_and_data_from_a_path(tmp_path):
    data = dataset(("ant", "bee", "cat", "dog"), "/somewhere/far/train.csv")
    run = train(data, out=tmp_path / "run", **SETTINGS | {"validation": 0.0, "epochs": 1})
    text = write_report(run, data.test, tmp_path).read_text("utf-8")
    assert ["dog", "–", "–", "–", "0"] in Page(text).rows
    assert "<h1>train.csv</h1>" in text


def test_a_run_that_distorted_its_images_shows_how(tmp_path):
    data = dataset()
    run = train(data, out=tmp_path / "run", **SETTINGS, shift=1, elastic=0.5)
    for name, training in (("with", data.train), ("without", None)):
        text = write_report(run, data.test, tmp_path / name, training).read_text("utf-8")
        assert {figure["id"] for figure in Page(text).all("figure")} == FIGURES | {"augmentation"}
        assert ["elastic", "0.5"] in Page(text).rows
    pictures = [(tmp_path / name / "augmentation.png").read_bytes() for name in ("with", "without")]
    assert pictures[0] != pictures[1]


def test_images_that_do_not_fit_leave_nothing_behind(run, tmp_path):
    wide = Examples(np.zeros((3, 4, 3), np.uint8), np.arange(3))
    with pytest.raises(DataError, match="4×3"):
        write_report(run, wide, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_folder_that_is_a_file_is_an_error(run, tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(FileError, match="report"):
        write_report(run, dataset().test, tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"
