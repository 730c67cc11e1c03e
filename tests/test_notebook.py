"""What objects show in a notebook, and a run in a real kernel."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from glassnet import Dataset, Model, Run, evaluate, load_dataset, train
from glassnet.clinic import examine
from glassnet.data import Examples, Preprocessing
from glassnet.evaluation import Evaluation
from glassnet.explain import explain
from glassnet.nn import Conv2D, Dense, Flatten, Network, Reshape
from glassnet.notebook import card, curves, signed


class Reader(HTMLParser):
    """The text and the pictures of HTML whose tags are closed in the right order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.images = "", []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "style", "svg")  # what a notebook that is not trusted leaves out
        if tag == "img":
            self.images.append(dict(attributes)["src"] or "")
        elif tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def run(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(digits, "small", epochs=3, out=tmp_path_factory.mktemp("runs") / "<run>", seed=0)


def content(url: str) -> bytes:
    return base64.b64decode(url.partition("base64,")[2])


def picture(url: str) -> np.ndarray:
    assert url.startswith("data:image/png;")
    return np.asarray(Image.open(io.BytesIO(content(url))))


def test_a_data_set_shows_an_image_of_each_class(digits: Dataset) -> None:
    shown = Reader(digits._repr_html_())
    first = [int(np.flatnonzero(digits.train.labels == digit)[0]) for digit in range(10)]
    np.testing.assert_array_equal([picture(url) for url in shown.images], digits.train.images[first])
    assert "training images 1,438" in shown.text
    assert repr(digits) == "Dataset('digits': 1,438 + 359 images of 8×8 pixels)"


def test_a_data_set_without_labels_shows_its_numbers(digits: Dataset) -> None:
    nothing = Examples(digits.train.images[:0], np.zeros(0, np.int64))
    empty = Dataset("test", "", nothing, nothing, digits.classes, False, digits.train.images)
    assert Reader(empty._repr_html_()).images == []


def test_a_model_shows_its_first_weights(run: Run) -> None:
    model = run.model
    shown = Reader(model._repr_html_())
    assert len(shown.images) == 10
    W = model.network.layers[0].W[:, 0].reshape(8, 8)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(picture(shown.images[0]), signed(W))
    assert f"parameters {model.size:,}" in shown.text
    form = Preprocessing(8, 8, 1 / 255, 0.0, 8, False)
    layers = [Reshape((8, 8, 1)), Conv2D(4, 3), Flatten(), Dense(10)]
    other = Model(Network(layers, 64), form, tuple("0123456789"))
    assert [picture(url).shape for url in Reader(other._repr_html_()).images] == [(3, 3, 3)] * 4


def test_signed() -> None:
    expected = [[[0, 114, 178], [255, 255, 255], [234, 174, 127]]]
    assert signed(np.array([[2.0, 0.0, -1.0]])).tolist() == expected
    assert signed(np.zeros((1, 1))).tolist() == [[[255, 255, 255]]]


def test_a_run_shows_its_losses(run: Run) -> None:
    shown = Reader(run._repr_html_())
    [url] = shown.images
    drawing = ElementTree.fromstring(content(url))
    lines = [line.get("points", "") for line in drawing.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(line.split()) for line in lines] == [3, 3]
    heights = [float(point.split(",")[1]) for point in lines[0].split()]
    losses = [row["loss"] for row in run.history]
    assert np.corrcoef(heights, losses)[0, 1] == pytest.approx(-1, abs=1e-3)  # down is more in a picture
    assert f"{run.best['validation_accuracy']:.2%}" in shown.text
    assert "<run>" in shown.text  # and is no tag


def test_an_ensemble_shows_its_own_accuracy(digits: Dataset, tmp_path: Path) -> None:
    ensemble = train(digits, "small", epochs=2, members=2, out=tmp_path / "run", seed=0)
    text = " ".join(Reader(ensemble._repr_html_()).text.split())
    accuracy = f"{ensemble.history[-1]['validation_accuracy']:.2%}"
    assert f"members 2 best validation accuracy {accuracy} (ensemble of 2)" in text


def test_no_losses_no_picture() -> None:
    assert curves([]) == curves([{"epoch": 1, "loss": None, "validation_loss": None}]) == ""
    Reader(curves([{"epoch": 1, "loss": 0.0, "validation_loss": None}]))


def test_an_evaluation_shows_what_is_confused(run: Run, digits: Dataset) -> None:
    evaluation = evaluate(run.model, digits.test)
    shown = Reader(evaluation._repr_html_())
    true, said, count = evaluation.most_confused(1)[0]
    assert f"{true} {said} {count}" in " ".join(shown.text.split())
    assert repr(evaluation) == f"Evaluation(359 images, accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4f})"
    perfect = Evaluation(np.array([0, 1]), np.eye(2), ("<i>a</i>", "b"))
    assert "true class" not in Reader(perfect._repr_html_()).text


def test_a_diagnosis_shows_evidence_and_cure(digits: Dataset) -> None:
    X, y = digits.train.images[:100].reshape(100, 64) / 255, digits.train.labels[:100]

    def forward(parameters: list[np.ndarray], X: np.ndarray) -> np.ndarray:
        E = np.exp(X @ parameters[0] + parameters[1])
        return np.asarray(E / E.sum(axis=1, keepdims=True))

    diagnosis = examine(parameters=[np.zeros((64, 10)), np.zeros(10)], X=X, y=y, forward=forward)
    assert repr(diagnosis).startswith("Diagnosis(softmax-without-maximum; ")
    text = Reader(diagnosis._repr_html_()).text
    assert "Diagnosis: 1 found" in text
    assert diagnosis.findings[0].evidence in text


def test_an_explanation_shows_its_stages(run: Run, digits: Dataset) -> None:
    explanation = explain(run.model, digits.test.images[0], int(digits.test.labels[0]))
    shown = Reader(explanation._repr_html_())
    np.testing.assert_array_equal(picture(shown.images[0]), digits.test.images[0])
    assert explanation["dW1"].equation in shown.text
    assert "The loss fell" in repr(explanation)
    assert "array(" not in repr(explanation)


def test_what_is_shown_is_small(run: Run, digits: Dataset) -> None:
    for shown in (digits, run, run.model, evaluate(run.model, digits.test)):
        assert len(shown._repr_html_()) < 20_000


def test_text_is_escaped() -> None:
    assert "<script>" not in card("<script>", {"<script>": "<script>"})


CELLS = [
    "from glassnet import load_dataset, train",
    "run = train(load_dataset('digits'), 'small', epochs=3, seed=0, out='run')",
    "run",
    "ensemble = train(load_dataset('digits'), 'small', epochs=2, members=2, seed=0, out='two')",
]


def test_in_a_real_kernel(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, trained, shown, ensemble = notebook.cells
    [output] = trained.outputs  # one, which was updated
    html = Reader(output["data"]["text/html"])
    assert "Trained: 3 of 3 epochs" in html.text
    assert len(html.images) == 1
    assert output["data"]["text/plain"] == "Trained: 3 of 3 epochs"
    [output] = shown.outputs
    assert re.match(r"Run\('run'\)", output["data"]["text/plain"])
    assert len(Reader(output["data"]["text/html"]).images) == 1
    [output] = ensemble.outputs
    html = Reader(output["data"]["text/html"])
    assert re.match(r"Ensemble of 2 folder two validation accuracy [\d.]+% seconds", " ".join(html.text.split()))
    assert len(html.images) == 1
    assert len(nbformat.writes(notebook)) < 50_000


def test_outside_of_a_notebook_nothing_is_shown(
    digits: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(digits, "small", epochs=1, out=tmp_path / "run")
    assert capfd.readouterr() == ("", "")
