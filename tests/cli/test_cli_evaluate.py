"""What `glassnet evaluate` shows besides the plain figures: reliability, and robustness."""

import json

import numpy as np
import pytest
from PIL import Image

from glassnet.cli import main
from glassnet.cli.chart import draw_reliability
from glassnet.corruptions import CORRUPTIONS
from glassnet.evaluation import Evaluation


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--epochs", "5", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Make data of 12 images of 8×8 pixels, each with one bright column."""
    images = np.zeros((12, 8, 8), int)
    images[:, 1:7, 3] = 250
    path = tmp_path_factory.mktemp("data") / "few.csv"
    header = "label," + ",".join(f"pixel{i}" for i in range(64))
    rows = np.column_stack([np.arange(12) % 10, images.reshape(12, -1)])
    np.savetxt(path, rows, "%d", ",", header=header, comments="")
    return path


def test_the_reliability_diagram_as_a_picture(run, tmp_path, capsys):
    path = tmp_path / "new" / "reliability.png"
    assert main(["evaluate", str(run), "--plot", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 800
    path.unlink()
    assert main(["evaluate", str(run), "--plot", str(path), "--json"]) == 0
    bins = json.loads(capsys.readouterr().out)["reliability"]
    assert sum(bins["count"]) == 359
    assert path.exists()


def test_the_reliability_diagram_in_letters():
    # Four images that it is 60 % sure of, one right; two that it is 98 % sure of, both right.
    probabilities = np.array([[0.6, 0.4]] * 4 + [[0.98, 0.02]] * 2)
    lines = draw_reliability(Evaluation(np.array([0, 1, 1, 1, 0, 0]), probabilities, ("a", "b")).reliability())
    head, unsure, sure = lines.splitlines()
    assert head.split() == ["sure", "(%)", "images", "right"]
    assert unsure.split()[:3] == ["53–60", "4", "25%"]
    assert unsure.count("#") == 12  # a quarter of 50, rounded to even
    assert sure.split()[:3] == ["93–100", "2", "100%"]
    bars = len(head) + 2
    assert (unsure.index("|") - bars, sure.index("|") - bars) == (30, 49)  # 60 % and 98 % of 50


def test_the_table_of_corruptions(run, few, capsys):
    assert main(["evaluate", str(run), str(few), "--corruptions"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    assert out.index("accuracy") < out.index("preprocessed as by predict") < out.index("shift")
    for name, corruption in CORRUPTIONS.items():
        row = next(line for line in out.splitlines() if line.startswith(name))
        assert len(row.removeprefix(name).split()[:5]) == 5
        assert row.endswith(" ".join(f"{strength:g}" for strength in corruption.strengths) + f" {corruption.unit}")
    assert len(err.splitlines()) == len(CORRUPTIONS)
    assert main(["evaluate", str(run), str(few), "--corruptions", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["count"] == figures["available"] == 12
    assert list(figures["corruptions"]) == list(CORRUPTIONS)


WRONG = {
    "evaluate {run} --corruptions --first 3": "give only one of them",
    "evaluate {run} --plot x.pdf": "--plot x.pdf: figures are PNG files; give a name that ends in .png",
    "evaluate {few} --corruptions": "8×8 pixels, but this model was trained on 28×28",
    "evaluate nowhere": "it is not a run folder or a model file either",
    "evaluate nowhere digits": "nowhere: no run folder or model file there",
    "evaluate {empty}": "it is not a run folder or a model file either",
    "evaluate {unborn} --corruptions": "no model yet",
    "evaluate {run} --plot {few}/x.png": "cannot write",
    "predict": "give either pictures",
    "predict nowhere": "nowhere: no run folder or model file there",
    "predict none.png": "none.png: no such file",
    "predict {few}": "not a PNG, JPEG, BMP",
    "predict {unborn} none.png": "no model yet",
    "predict none.safetensors none.png": "none.safetensors: no run folder or model file there",
    "explain nowhere": "nowhere: no run folder or model file there",
    "explain {run} --tiny": "give either a run folder or model file, or --tiny",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_gets_one_line(line, run, few, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "unborn"):
        (tmp_path / folder).mkdir()
    (tmp_path / "unborn" / "config.toml").write_text((run / "config.toml").read_text())
    places = {"run": run, "few": few, "empty": tmp_path / "empty", "unborn": tmp_path / "unborn"}
    assert main(line.format(**places).split()) == 2
    out, err = capsys.readouterr()
    assert WRONG[line] in err
    assert len(err.splitlines()) == 1
    assert not out


def test_long_names_of_classes_fit_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng, names = np.random.default_rng(0), ["a" * 150 + "1", "a" * 150 + "2", "c"]
    rows = [",".join([names[i % 3], "0", *map(str, rng.integers(0, 256, 24))]) for i in range(60)]
    (tmp_path / "long.csv").write_text("\n".join([",".join(["label", *(f"pixel{i}" for i in range(25))]), *rows]))
    assert main(["train", "long.csv", "--recipe", "small", "--epochs", "1", "--out", "run"]) == 0
    capsys.readouterr()
    assert main(["data", "long.csv"]) == 0
    assert main(["evaluate", "run"]) == 0
    assert main(["evaluate", "run", "--first", "12"]) == 0
    told = capsys.readouterr().out
    assert max(len(line) for line in told.splitlines() if "long.csv" not in line) <= 80, told
    assert "a" * 31 + "…  " in told
    said = [(pair["predicted"], pair["true"]) for pair in first_answers(capsys)]
    assert f"{sum(one != other for one, other in said)} of 12 wrong" in told


def first_answers(capsys):
    assert main(["evaluate", "run", "--first", "12", "--json"]) == 0
    return json.loads(capsys.readouterr().out)
