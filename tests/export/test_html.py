"""A model as a page: what is in the file, and what is refused. tests/web/test_html_page.py opens it in a browser."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_models import CLASSES, MODELS, around, form, network

from glassnet import DigitClassifier, Model, load_dataset, train
from glassnet.cli import main
from glassnet.data import Preprocessing
from glassnet.errors import ConfigError
from glassnet.evaluation import Evaluation
from glassnet.export import html_page, html_record, past_of, record_of
from glassnet.export.bundle import bundle
from glassnet.export.html_record import Record
from glassnet.nn import Dense, Network, ReLU
from glassnet.training.history import write_rows


def data(page: bytes) -> dict[str, Any]:
    text = page.decode().partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_bundled_models_page_is_small_and_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new folder" / "digits.html"
    assert main(["export", "--html", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}  {path.stat().st_size:,} bytes\n"
    assert path.stat().st_size < 4_000_000
    docs = (Path(__file__).parents[2] / "docs/use/export-and-kaggle.md").read_text("utf-8")
    assert f"the bundled model, {path.stat().st_size / 1e6:.1f} MB" in docs
    text = path.read_text("utf-8")
    assert "<title>The bundled model · glassnet</title>" in text
    assert "import " not in text.partition('<script type="module">')[2].replace("// ", "")
    assert "default-src 'none'" in text


def test_nobodys_folders_are_told() -> None:
    model = around(ReLU)
    assert model.trained_on == "/home/somebody/digits"
    page = html_page(model, record_of(model, "mine"))
    assert b"somebody" not in page
    assert "trained on digits" in data(page)["about"]


def test_a_page_of_a_site_leads_to_others() -> None:
    page = html_page(around(ReLU), links={"Tutorial & more": "docs/index.html"})
    assert b'<a href="docs/index.html">Tutorial &amp; more</a>' in page


def test_an_existing_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    assert main(["export", "--html", str(path)]) == 0
    assert path.read_bytes().startswith(b"<!DOCTYPE html>")


def test_wrong_use_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    rows = Model(Network([Dense(10)], 12), Preprocessing(1, 12, 1.0, 0.0, 12, False), CLASSES)
    rows.save(tmp_path / "rows.safetensors")
    for arguments, words in (
        (["--html", "page.htm"], "--html page.htm: give a name that ends in .html"),
        (["--html", str(tmp_path / "file/page.html")], f"cannot write {tmp_path}/file/page.html"),
        (["--html", str(tmp_path / "folder.html")], f"cannot write {tmp_path}/folder.html"),
        ([str(tmp_path / "none"), "--html", "page.html"], f"{tmp_path}/none: no run folder or model file there"),
        ([str(tmp_path / "rows.safetensors"), "--html", "page.html"], "takes rows of 12 numbers, not pictures"),
        ([], "or --html FILE.html"),
    ):
        assert main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_wrong_use_from_python() -> None:
    class Cube(ReLU):
        pass

    with pytest.raises(ConfigError, match="a DigitClassifier cannot be exported to a page; give a Model"):
        html_page(DigitClassifier())
    with pytest.raises(ConfigError, match="Cube: not supported by the export to a page"):
        html_page(Model(Network([Dense(10), Cube()], 784), form(), CLASSES))
    with pytest.raises(ConfigError, match="has learned nothing"):
        html_page(Model(Network([ReLU()], 784), form(), tuple(map(str, range(784)))))


def test_a_run_tells_how_it_learned(tmp_path: Path) -> None:
    run = train(load_dataset("digits"), "small", epochs=3, out=tmp_path / "run", threads=1)
    (run.path / "steps.jsonl").unlink()  # as where a full disk did not take it
    found = record_of(run.model, "mine", run)
    loss, accuracy = found.curves
    assert (loss["unit"], accuracy["percent"]) == ("epoch", True)
    assert loss["lines"][0]["x"] == [1, 2, 3]
    for line, key in zip(loss["lines"], ("loss", "validation_loss"), strict=True):
        assert line["y"] == pytest.approx([row[key] for row in run.history], rel=1e-4)
    assert found.facts["epochs"] == "3"
    assert found.evaluation is not None
    assert found.facts["test accuracy"] == f"{100 * found.evaluation.accuracy:.2f} %"


def test_the_training_curve_is_that_of_the_steps(tmp_path: Path) -> None:
    run = train(load_dataset("digits"), "small", epochs=1, out=tmp_path / "run", threads=1)
    last = run.history[-1]["step"]
    steps = np.linspace(1, last, 1000).round().astype(int).tolist()
    rows = [{"step": step, "seconds": 1, "loss": 1000 - i, "accuracy": None} for i, step in enumerate(steps)]
    write_rows(run.path / "steps.jsonl", rows)
    loss, accuracy = record_of(run.model, "mine", run).curves
    training, validation = loss["lines"]
    assert 200 < len(training["x"]) <= 301
    assert (training["x"][0], training["y"][0]) == (pytest.approx(1 / last, abs=1e-3), 1000)
    assert (training["x"][-1], training["y"][-1]) == (1, 1)
    assert validation["x"] == [1]
    assert accuracy["lines"][0]["y"] == [pytest.approx(run.history[-1]["accuracy"], rel=1e-4)]


def test_a_page_of_a_run_has_its_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(load_dataset("digits"), "small", epochs=2, batch_norm=True, out=tmp_path / "run", threads=1)
    assert list(past_of(run, run.model)) == run.snapshots
    assert main(["export", str(run.path), "--html", str(tmp_path / "page.html")]) == 0
    weights = data((tmp_path / "page.html").read_bytes())["model"]["weights"]
    assert [each["step"] for each in weights] == [*run.snapshots, None]
    assert {each["parameters"]["type"] for each in weights[:-1]} == {"float16"}

    (run.path / "snapshots" / f"{run.snapshots[1]}.safetensors").write_bytes(b"damaged")
    assert list(past_of(run, run.model)) == [run.snapshots[0], *run.snapshots[2:]]
    monkeypatch.setattr(html_record, "MOST_BYTES", 5.5 * len(weights[0]["parameters"]["numbers"]))
    some = list(past_of(run, run.model))
    assert len(some) in (4, 5)
    assert {some[0], some[-1]} == {run.snapshots[0], run.snapshots[-1]}


def test_a_snapshot_is_named_by_its_run_and_its_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(load_dataset("digits"), "small", epochs=2, out=tmp_path / "mine", threads=1)
    snapshot, page = run.path / "snapshots" / f"{run.snapshots[-1]}.safetensors", tmp_path / "page.html"
    run.model.save(tmp_path / "kept.v2.safetensors")
    for path, name in (
        (run.path, "mine"),
        (snapshot, f"mine at step {run.snapshots[-1]:,}"),
        (tmp_path / "kept.v2.safetensors", "kept.v2"),
    ):
        assert main(["export", str(path), "--html", str(page)]) == 0
        assert data(page.read_bytes())["name"] == name
        capsys.readouterr()
        assert main(["explain", str(path)]) == 0
        assert capsys.readouterr().out.startswith(f"Test image 0 of {name}\n")


def test_few_mistakes_are_told_from_many_by_their_colour() -> None:
    labels = np.repeat([0, 1], [1000, 40])
    answers = labels.copy()
    answers[[0, *range(1, 6), *range(1000, 1021)]] = [1, *[2] * 5, *[0] * 21]
    evaluation = Evaluation(labels, np.eye(10)[answers], CLASSES)
    page = html_page(around(ReLU), Record(evaluation=evaluation)).decode()
    share = {int(n): float(s) for s, n in re.findall(r'class="wrong" style="--share:([\d.]+)">(\d+)<', page)}
    assert share[21] == 1
    assert share[21] - share[5] > 0.3
    assert share[5] - share[1] > 0.3


def test_an_ensemble_has_a_point_for_each_member(tmp_path: Path) -> None:
    run = train(load_dataset("digits"), "small", epochs=1, members=2, out=tmp_path / "run", threads=1)
    found = record_of(run.model, "mine", run)
    assert [(curve["unit"], curve["lines"][0]["x"]) for curve in found.curves] == [("member", [1, 2])] * 2
    assert found.facts["networks"] == "2"


@pytest.mark.parametrize("options", [{"all_data": True}, {"validation": 0}])
def test_what_a_run_has_not_is_not_told(options: dict[str, Any], tmp_path: Path) -> None:
    run = train(load_dataset("digits"), "small", epochs=1, out=tmp_path / "run", threads=1, **options)
    found = record_of(run.model, "mine", run)
    assert ("test accuracy" in found.facts) is ("all_data" not in options)
    assert "validation accuracy" not in found.facts
    html_page(run.model, found)


def test_arrays_in_memory(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    run = train(load_dataset((images, np.arange(60) % 3)), "small", epochs=1, out=tmp_path / "run", threads=1)
    assert record_of(run.model, "mine", run).evaluation is None
    assert main(["export", str(run.path), "--html", str(tmp_path / "page.html")]) == 0


def test_each_layer_of_each_model_is_described() -> None:
    for name, make in MODELS.items():
        model = make()
        described = data(html_page(model))["model"]
        for kind, vector in (("parameters", model.network.parameters), ("statistics", model.network.statistics)):
            assert sum(sum(layer[kind].values()) for layer in described["layers"]) == vector.size, name
        assert described["members"] == len(model.networks)


def test_modules_become_one_script(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { two as b } from "./b.js";\nexport const a = b;\nconst hidden = 1;\n')
    (tmp_path / "b.js").write_text("export const two = 2;\nexport function f() {}\nconst hidden = 2;\n")
    assert bundle(tmp_path / "a.js") == (
        "const module0 = (() => {\nexport".replace("export", "const two = 2;\nfunction f() {}\nconst hidden = 2;\n")
        + "\nreturn { two, f };\n})();\n"
        "const module1 = (() => {\nconst { two: b } = module0;\nconst a = b;\nconst hidden = 1;\n\nreturn { a };\n})();"
    )


@pytest.mark.parametrize(
    "line", ['import "./b.js";', 'import * as b from "./b.js";', "export default 1;", "import('x')"]
)
def test_other_modules_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"a\.js: cannot be bundled: "):
        bundle(tmp_path / "a.js")


def test_float16_where_nothing_is_lost() -> None:
    exact = Model(network([Dense(10)]), form(), CLASSES)
    assert data(html_page(exact))["model"]["weights"][0]["parameters"]["type"] == "float32"
    exact.network.parameters[:] = exact.network.parameters.astype(np.float16)
    assert data(html_page(exact))["model"]["weights"][0]["parameters"]["type"] == "float16"
