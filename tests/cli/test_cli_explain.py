"""``glassnet explain`` as a person or a program types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet import Model, load_dataset, train
from glassnet.cli import main
from glassnet.data import Examples
from glassnet.explain import images_to_explain, top_images, trace
from glassnet.training import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(load_dataset("digits"), "small", epochs=2, hidden=[24], out=folder)
    return folder


def test_a_run_for_a_person(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--image", "7"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith("Test image 7 of run\n")
    for text in (
        "@",
        "Z₁ = X W₁ + b₁",
        "(64, 24)",
        "dW₁ = Xᵀ dZ₁",
        "inactive",
        "trained with optimizer adam",
        "The loss fell",
    ):
        assert text in out


def test_one_image_is_copied_and_not_all(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(*arguments: Any) -> Examples:
        seen.append(images_to_explain(*arguments))
        return seen[-1]

    monkeypatch.setattr("glassnet.cli.explain.images_to_explain", spy)
    assert main(["explain", str(run), "--image", "7"]) == 0
    (examples,) = seen
    assert "images" not in vars(examples)  # where a copy of all would stay


def test_json_is_the_image_and_every_stage(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--image", "7", "--learning-rate", "0.01", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    test = load_dataset("digits").test
    assert result["image"] == test.images[7].tolist()
    assert result["label"] == str(test.labels[7])
    assert result["learning_rate"] == 0.01
    stages = {stage["name"]: stage["array"] for stage in result["stages"]}
    assert np.shape(stages["dW1"]) == (64, 24)
    probabilities = Model.load(run / "model.safetensors").predict_proba(test.images[7])
    np.testing.assert_allclose(stages["P"], probabilities, rtol=1e-4, atol=1e-6)
    assert stages["L after"] < stages["L"]


def test_a_model_file_knows_its_data_but_not_its_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for path in (run, run / "model.safetensors"):
        assert main(["explain", str(path), "--json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert outputs[0]["stages"] == outputs[1]["stages"]
    assert len(outputs[0]["notes"]) == len(outputs[1]["notes"]) + 1


def test_planted_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = ["one-bias-gradient", "random-biases"]
    train(load_dataset("digits"), "small", epochs=1, hidden=[10], mistakes=planted, out=tmp_path / "run")
    assert main(["explain", str(tmp_path / "run"), "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert notes[-1] == (
        "The run was trained with planted mistakes (one-bias-gradient, random-biases); "
        "what is shown here is the right step."
    )


def test_tiny(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--tiny"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "z₁ = 1·0.3 + 0.2·(−0.3) + 0·0.7 + 0.4·0.6 + 0.2 = 0.68" in out
    page = (Path(__file__).parents[2] / "docs/use/explain.md").read_text("utf-8")
    shown = page.partition("The first begins\n\n```text\n")[2].partition("```")[0]
    assert shown
    assert shown in out
    assert main(["explain", "--tiny", "--json", "--learning-rate", "0.25"]) == 0
    assert json.loads(capsys.readouterr().out)["learning_rate"] == 0.25


def test_report_writes_a_page(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(run)], ["--tiny"]):
        folder = tmp_path / arguments[0].strip("-/").replace("/", "-")
        assert main(["explain", *arguments, "--report", str(folder)]) == 0
        assert str(folder / "explain.html") in capsys.readouterr().out.splitlines()[-1]
        assert (folder / "explain.html").is_file()
        assert main(["explain", *arguments, "--report", str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["page"] == str(folder / "explain.html")


WRONG = {
    "{run} --tiny": "give either a run folder or model file, or --tiny",
    "nowhere": "nowhere",
    ".": "no run here",
    "{run} --image 359": "--image 359: there are 359 test images, 0 to 358",
    "{run} --image -1": "--image -1: there are 359 test images",
    "{run} --image one": "--image",
    "{run} --learning-rate 0": "must be more than 0",
    "--tiny --learning-rate -2": "must be more than 0",
    "--tiny --learning-rate 1e300": "give a smaller one",
    "--tiny --image 0": "--image 0: not used with --tiny",
    "{gone}": "there is no test image to explain",
    "{memory}": "learned from arrays in memory",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_gets_one_line_and_status_2(
    line: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, files = Model.load(run / "model.safetensors"), {}
    for name, source in (("gone", str(tmp_path / "gone.csv")), ("memory", "")):
        model.trained_on = source
        files[name] = tmp_path / f"{name}.safetensors"
        model.save(files[name])
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *line.format(run=run, **files).split()]) == 2
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert err.startswith("glassnet: ")
    assert WRONG[line] in err
    assert not out


def test_help_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for flag in ("--image", "--tiny", "--learning-rate", "--report", "--json"):
        assert flag in out


def test_in_a_pipe_it_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-W", "error", "-m", "glassnet", "explain", "--tiny"]
    result = subprocess.run(command, capture_output=True, check=True)
    assert main(["explain", "--tiny"]) == 0
    assert result.stdout.decode() == capsys.readouterr().out
    assert not result.stderr


def test_a_unit_and_the_images_that_excite_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--image", "7", "--layer", "1", "--unit", "5"]) == 0
    text = capsys.readouterr().out
    one = Run(run)
    own = trace(one.model, load_dataset("digits").test.images[7]).unit(1, 4)
    assert str(own) in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "training images it is excited most by" in text
    assert main(["explain", str(run), "--image", "7", "--layer", "1", "--unit", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["activation"] == own.activation
    assert found["weights"] == own.connections.weights.tolist()
    training, _ = load_dataset("digits").split(one.config.validation, one.config.split_seed)
    best = top_images(one.model, training)[1].indices[4]
    assert found["top"]["labels"] == [str(label) for label in training.labels[best]]


def test_a_pixel_and_the_images_where_it_is_darkest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--layer", "0", "--unit", "44", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    training, _ = load_dataset("digits").split(Run(run).config.validation, Run(run).config.split_seed)
    best = np.argsort(-training.images.reshape(-1, 64)[:, 43].astype(int), kind="stable")[:9]
    assert found["top"]["labels"] == [str(label) for label in training.labels[best]]


def test_a_map_is_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "map.png"
    assert main(["explain", str(run), "--map", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert "359 test images" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--layer", "1"], "give both"),
        (["--unit", "1"], "give both"),
        (["--layer", "1", "--unit", "25"], "--unit 25: hidden layer 1 has units 1 to 24"),
        (["--layer", "1", "--unit", "0"], "--unit 0: hidden layer 1 has units 1 to 24"),
        (["--layer", "3", "--unit", "1"], "--layer 3: there are 0 (the input) to 2 (the output)"),
        (["--layer", "1", "--unit", "1", "--image", "999"], "--image 999"),
        (["--layer", "1", "--unit", "1", "--learning-rate", "1"], "give them with a run or a model"),
        (["--map", "map.png", "--image", "7"], "--image 7: not used with --map, which shows many"),
        (["--map", "map.jpg"], "give a name that ends in .png"),
        (["--map", "map.png", "--method", "umpa"], "did you mean 'umap'"),
    ],
)
def test_a_unit_or_map_that_cannot_be(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", str(run), *flags]) == 2
    out, err = capsys.readouterr()
    assert line in err
    assert err.count("\n") == 1
    assert not out
    assert not list(tmp_path.iterdir())
