"""The commands as a person or a program types them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassnet import Dataset, Model, Run, load_dataset, open_model, train, training
from glassnet.cli import main
from glassnet.data import read_csv
from glassnet.errors import ConfigError
from glassnet.files import write_atomically
from glassnet.training import Config, Settings


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--recipe", "small", "--epochs", "15", "--out", str(folder)]) == 0
    return folder


def write_png(path: Path, image: np.ndarray) -> Path:
    Image.fromarray(image).save(path)
    return path


def test_train_says_where_the_run_is_and_what_next(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", "--hidden", "20", "--epochs", "2", "--out", str(tmp_path / "r")]) == 0
    out, err = capsys.readouterr()
    assert f"evaluate {tmp_path / 'r'}" in out
    assert len(err.splitlines()) == 11
    assert max(map(len, err.splitlines())) <= 80


def test_suggested_commands_can_be_pasted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "my runs" / "it's one"
    assert main(["train", "--hidden", "20", "--epochs", "1", "--out", str(folder)]) == 0
    suggested = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("next"))
    assert shlex.split(suggested)[-2:] == ["evaluate", str(folder)]
    assert main(shlex.split(suggested)[-2:]) == 0
    assert main(["train", "--out", str(folder)]) == 2
    suggested = capsys.readouterr().err.strip().partition("continue with: ")[2]
    assert shlex.split(suggested) == ["glassnet", "resume", str(folder)]


def test_a_tilde_is_the_home_folder_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.toml").write_text("epochs = 1\n")
    assert main(["train", "digits", "--recipe=~/mine.toml", "--out=~/run"]) == 0
    assert main(["export", "~/run", "--numpy=~/digits.py"]) == 0
    assert {"run", "digits.py"} <= {path.name for path in tmp_path.iterdir()}
    trained = train(load_dataset("digits"), "~/mine.toml", out="~/other")
    trained.model.save("~/model.safetensors")
    assert Run("~/other").path == tmp_path / "other"
    assert Model.load("~/model.safetensors").classes == open_model("~/other").classes
    (tmp_path / "one.csv").write_text("pixel0\n20\n")
    assert read_csv("~/one.csv").images.tolist() == [[[20]]]
    write_atomically(Path("~/text"), b"written")
    assert (tmp_path / "text").read_bytes() == b"written"


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"jobs": "2"}, "jobs: must be a whole number of at least 1, not '2'"),
        ({"jobs": 2.0, "members": 2}, "jobs: must be a whole number of at least 1, not 2.0"),
        ({"out": 5}, "out: must be a path, not 5"),
        ({"recipe": 5}, "recipe: must be the name of a recipe or the path of a TOML file, not 5"),
    ],
)
def test_arguments_of_the_wrong_type_are_named(digits: Dataset, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        train(digits, **settings)


@pytest.mark.parametrize(
    ("flag", "meant"),
    [("--lr", "--learning-rate"), ("--batch", "--batch-size"), ("--bs=3", "--batch-size"), ("-e", "--epochs")],
)
def test_short_names_from_other_tools_get_the_right_hint(
    flag: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "digits", flag, "3"]) == 2
    assert capsys.readouterr().err == f"glassnet: no flag called {flag.partition('=')[0]} (did you mean {meant}?)\n"


def test_a_finished_run_says_so_and_what_would_continue_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(run)]) == 0
    assert capsys.readouterr().err == f"{run}: is finished; for more epochs than 15, give --epochs\n"


def test_show_has_all_settings(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    facts = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}
    assert set(Settings.model_fields) <= set(facts)
    assert facts["epochs"] == "15 *"  # the recipe has 30
    assert (facts["state"], facts["recipe"], facts["dropout"], facts["batch_norm"]) == (
        "finished",
        "small",
        "0.3",
        "false",
    )
    assert main(["show", str(run), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["settings"] == json.loads(json.dumps(Run(run).config.model_dump()))
    assert shown["state"] == "finished"


def test_data_says_what_is_unusual_in_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "digits"]) == 0
    assert "8×8 pixels, 0 to 16 stretched to 255\n" in capsys.readouterr().out
    images = load_dataset("digits").train.images
    np.savez(tmp_path / "dark.npz", x=255 - images, y=np.arange(len(images)) % 10)
    assert main(["data", str(tmp_path / "dark.npz")]) == 0
    assert "8×8 pixels, dark on light\n" in capsys.readouterr().out


def test_train_json_is_json_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", "--epochs", "2", "--out", str(tmp_path / "r"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["run"] == str(tmp_path / "r")
    assert result["best"]["epoch"] in (1, 2)


def test_a_run_gets_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "--epochs", "1"]) == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(names) == 2
    assert all("-digits-small" in name for name in names)


def test_flags_reach_the_run(tmp_path: Path) -> None:
    flags = "--hidden 12 8 --activation tanh gelu --optimizer sgd --batch-norm --seed 5 --epochs 1 --threads 1"
    assert main(["train", "digits", *flags.split(), "--out", str(tmp_path / "r")]) == 0
    text = (tmp_path / "r" / "config.toml").read_text()
    for line in ('activation = [\n    "tanh",\n    "gelu",\n]', 'optimizer = "sgd"', "batch_norm = true", "seed = 5"):
        assert line in text


def test_evaluate_json(run: Path, digits: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] > 0.93
    assert np.sum(figures["confusion"]) == len(digits.test)
    assert np.trace(figures["confusion"]) / len(digits.test) == pytest.approx(figures["accuracy"])
    assert set(figures) >= {"accuracy", "loss", "per_class", "confusion", "calibration_error"}
    assert main(["evaluate", str(run / "model.safetensors"), "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures


def test_an_ensemble_is_used_as_any_other_model(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ensemble"
    assert main(["train", "--members", "2", "--epochs", "8", "--threads", "1", "--out", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert "ensemble of 2: " in out
    assert [line for line in err.splitlines() if line.startswith("member")] == ["member 1", "member 2"]
    model = Model.load(folder / "model.safetensors")
    expected = float(np.mean(model.predict(digits.test.images) == digits.test.labels))
    for place in (folder, folder / "model.safetensors"):
        assert main(["evaluate", str(place), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["accuracy"] == expected
    picture = write_png(tmp_path / "p.png", digits.test.images[0])
    for flags, shifts in (([], 0), (["--shifts", "1"], 1)):
        assert main(["predict", str(folder), str(picture), *flags, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)[0]["probabilities"]
        np.testing.assert_allclose(list(answer.values()), model.predict_proba(digits.test.images[0], shifts)[0])
    assert main(["evaluate", str(folder), "--shifts", "1", "--json"]) == 0
    shifted = float(np.mean(model.predict(digits.test.images, shifts=1) == digits.test.labels))
    assert json.loads(capsys.readouterr().out)["accuracy"] == shifted
    assert main(["explain", str(folder)]) == 0
    assert "ensemble of 2 networks; this is the first" in " ".join(capsys.readouterr().out.split())
    assert main(["resume", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 16
    assert main(["report", str(folder)]) == 0
    page = (folder / "report" / "report.html").read_text()
    assert "One point per member" in page
    assert f"{model.size:,}" in page


def test_evaluate_for_a_person(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run)]) == 0
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert max(map(len, out.splitlines())) <= 80


def test_predict_pictures(run: Path, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = digits.test.labels[:20]
    paths = [
        str(write_png(tmp_path / f"{i}.png", np.kron(255 - image, np.ones((9, 9), np.uint8))))
        for i, image in enumerate(digits.test.images[:20])
    ]
    assert main(["predict", str(run), *paths, "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)
    assert [p["input"] for p in predictions] == paths
    assert all(len(p["probabilities"]) == 10 and abs(sum(p["probabilities"].values()) - 1) < 1e-5 for p in predictions)
    assert np.mean([int(p["label"]) == t for p, t in zip(predictions, truth, strict=True)]) >= 0.8
    assert main(["predict", str(run), *paths[:3]]) == 0
    assert paths[0] in capsys.readouterr().out


def test_one_bad_picture_does_not_cost_the_others(
    run: Path, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_png(tmp_path / "good.png", digits.test.images[0])
    blank = write_png(tmp_path / "blank.png", np.full((50, 50), 255, np.uint8))
    assert main(["predict", str(run), str(blank), str(good), "--json"]) == 2
    out, err = capsys.readouterr()
    assert [p["input"] for p in json.loads(out)] == [str(good)]
    assert len(err.splitlines()) == 1
    assert "blank.png" in err


def test_a_terminal_without_unicode_is_no_error() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "glassnet", "data"]
    result = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"8?8 pixels" in result.stdout


def test_predict_csv(run: Path, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = digits.test.images.reshape(-1, 64)
    header = ",".join(f"pixel{i}" for i in range(64))
    np.savetxt(tmp_path / "test.csv", rows, fmt="%d", delimiter=",", header=header, comments="")
    assert main(["predict", str(run), "--csv", str(tmp_path / "test.csv"), "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)
    assert len(predictions) == len(digits.test)
    assert np.mean([int(p["label"]) == t for p, t in zip(predictions, digits.test.labels, strict=True)]) > 0.93


def test_a_csv_of_another_size_is_brought_into_the_models(
    run: Path, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.kron(digits.test.images[:40], np.ones((1, 3, 3), np.uint8)).reshape(40, -1)
    header = ",".join(f"pixel{i}" for i in range(rows.shape[1]))
    np.savetxt(tmp_path / "test.csv", rows, fmt="%d", delimiter=",", header=header, comments="")
    assert main(["predict", str(run), "--csv", str(tmp_path / "test.csv"), "--json"]) == 0
    labels = [int(p["label"]) for p in json.loads(capsys.readouterr().out)]
    assert np.mean(labels == digits.test.labels[:40]) > 0.8


def test_evaluate_refuses_data_that_has_changed_since(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "label," + ",".join(f"pixel{i}" for i in range(64))
    rows = np.column_stack([digits.train.labels, digits.train.images.reshape(-1, 64)])[:600]
    for count in (599, 600):
        np.savetxt(tmp_path / "t.csv", rows[:count], "%d", ",", header=header, comments="")
        if count == 599:
            assert main(["train", str(tmp_path / "t.csv"), "--epochs", "1", "--out", str(tmp_path / "r")]) == 0
            assert main(["evaluate", str(tmp_path / "r")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "r")]) == 2
    assert "has changed since" in capsys.readouterr().err


def test_a_file_of_settings_may_name_its_data(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (run / "config.toml").read_text().replace("epochs = 15", "epochs = 1")
    (tmp_path / "mine.toml").write_text(settings.replace('data = "digits"', 'data = "nothing-such"'))
    assert main(["train", "--recipe", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "r")]) == 2
    assert "nothing-such" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--recipe", "mine.toml"]) == 0
    assert [folder.name.partition("-digits-")[2] for folder in (tmp_path / "runs").iterdir()] == ["mine"]


def test_report(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    page = Path(capsys.readouterr().out.split()[0])
    assert page.is_file()
    assert len(list(page.parent.glob("*.png"))) >= 6


def test_data(capsys: pytest.CaptureFixture[str], digits: Dataset) -> None:
    assert main(["data"]) == 0
    text = capsys.readouterr().out
    assert f"{len(digits.train):,}" in text
    assert max(map(len, text.splitlines())) <= 80
    assert main(["data", "digits", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert sum(c["train"] + c["test"] for c in figures["classes"].values()) == 1797


def test_recipes_can_be_printed_changed_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out
    assert "default" in listed
    assert max(map(len, listed.splitlines())) <= 80
    assert main(["recipes", "fast"]) == 0
    Path("mine.toml").write_text(capsys.readouterr().out)
    for recipe in ("fast", "mine.toml"):
        assert main(["train", "--recipe", recipe, "--threads", "1"]) == 0
    copy, fast = (Run(folder) for folder in sorted(Path("runs").iterdir(), key=lambda folder: "fast" in folder.name))
    assert copy.path.name.endswith("-digits-mine")
    assert copy.config == fast.config.model_copy(update={"recipe": "mine.toml"})
    np.testing.assert_array_equal(copy.model.network.parameters, fast.model.network.parameters)
    capsys.readouterr()
    assert main(["compare", "runs", "--json"]) == 0
    assert {row["recipe"] for row in json.loads(capsys.readouterr().out)} == {"fast", "mine.toml"}
    Path("mine.toml").unlink()
    assert main(["resume", str(copy.path)]) == 0


def test_a_file_is_printed_as_it_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('recipe = "best"\noptimizer = "sgd"\n')
    assert main(["recipes", "mine.toml"]) == 0
    printed = capsys.readouterr().out
    assert "batch_norm = true" in printed
    assert "learning_rate = 0.1" in printed
    Path("printed.toml").write_text(printed)
    assert Config.resolve("printed.toml") == Config.resolve("mine.toml").model_copy(update={"recipe": "printed.toml"})


def test_info_and_check_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["processors"] >= 1
    assert main(["check-gradients", "--recipe", "best", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"]
    assert max(result["errors"].values()) < 1e-6


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "r")]) == 0
    out = capsys.readouterr().out
    accuracy = float(out.partition("not used for training: ")[2].partition(" %")[0])
    assert accuracy >= 96
    assert len([line for line in out.partition("Next, try:")[2].splitlines() if line.strip()]) == 3
    assert (tmp_path / "r" / "model.safetensors").exists()
    assert list((tmp_path / "r" / "report").glob("*.html"))


WRONG = {
    "train mnis": "did you mean 'mnist'",
    "train --recipe fats": "did you mean 'fast'",
    "train --epoch 3": "--epochs",
    "trian": "train",
    "train --epochs 0": "--epochs",
    "train --epochs 10000000000000000000000": "--epochs: must be at most 1,000,000,000",
    "train --warmup-epochs 1e308": "--warmup-epochs: must be at most 1,000,000,000",
    "train --schedule step --step-epochs 1e308": "--step-epochs: must be at most 1,000,000,000",
    "train --clip-norm much": "--clip-norm: must be a number, not 'much'",
    "train --epochs many": "--epochs: must be a whole number, not 'many'",
    "predict {run} .": "no pictures in this folder",
    "train --learning-rate -1": "--learning-rate",
    "train --batch-size 100000": "batch_size: 100000 is more than",
    "train --members 0": "--members: must be at least 1",
    "train --members 101": "--members: must be at most 100",
    "train --threads 0": "--threads: must be at least 1, not '0'",
    "train --threads 2147483648": "--threads: must be at most 1,024, not '2147483648'",
    "train --threads 99999999999999999999": "--threads: must be at most 1,024",
    "train --members 2 --recipe notebook-000 --as-written": "leave out members, or the mistakes",
    "evaluate {run} --shifts 4": "shifts: must be a whole number from 0 to 3, not 4",
    "evaluate {run} --shifts -1": "shifts: must be a whole number from 0 to 3, not -1",
    "train --activation rely": "did you mean 'relu'",
    "train --activation leaky_rel": "--activation: 'leaky_rel' is unknown (did you mean 'leaky_relu'?)",
    "train --hidden 100000 100000": "use fewer units",
    "train --out {run}/" + "x" * 300: "File name too long",
    "train no/such/folder": "no/such/folder",
    "train digits mnist": "mnist",
    "resume nowhere": "nowhere: no run here",
    "evaluate nowhere": "nowhere",
    "predict nowhere a.png": "nowhere",
    "predict {run}": "give either pictures",
    "predict {run} none.png": "none.png",
    "predict {run} --csv none.csv": "none.csv",
    "report nowhere": "nowhere: no run here",
    "recipes fats": "did you mean 'fast'",
    "check-gradients --recipe fats": "did you mean 'fast'",
    "train --out {run}": "has a run already",
    "evaluate {run} mnis": "did you mean 'mnist'",
    "lr-find mnis": "did you mean 'mnist'",
    "lr-find --batch-size 100000": "batch_size: 100000 is more than",
    "lr-find --learning-rat 1": "--learning-rate",
    "lr-find --initializer-scale 1e30": "--initializer-scale: must be at most 1,000,000, not '1e30'",
    "lr-find --plot curve.pdf": "give a name that ends in .png",
    "lr-find --plot {run}/config.toml/curve.png": "cannot write",
    "train --ema 1": "--ema: must be less than 1, not '1'",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_gets_one_line_and_status_2(
    line: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.format(run=run).split()) == 2
    out, err = capsys.readouterr()
    last = err.strip().splitlines()
    assert len(last) == 1
    assert WRONG[line] in last[0]
    assert last[0].startswith("glassnet: ")
    assert not out
    assert list(tmp_path.iterdir()) == []


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for command in [
        "train",
        "resume",
        "evaluate",
        "predict",
        "report",
        "lr-find",
        "data",
        "recipes",
        "info",
        "check-gradients",
        "demo",
    ]:
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"glassnet {command}" in text
        assert max(map(len, text.splitlines())) <= 80
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for flag in [
        "--recipe",
        "--hidden",
        "--activation",
        "--optimizer",
        "--learning-rate",
        "--epochs",
        "--batch-size",
        "--seed",
        "--threads",
        "--out",
    ]:
        assert flag in text


def test_a_closed_pipe_is_no_error(run: Path) -> None:
    script = f'"{sys.executable}" -m glassnet data 2>err | true; cat err; rm err'
    result = subprocess.run(["bash", "-c", script], cwd=run, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_importing_glassnet_brings_nothing_heavy() -> None:
    heavy = ("sklearn", "matplotlib", "scipy", "PIL", "numpy")
    code = f"import sys, glassnet; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.strip() == "[]"


def test_the_command_has_the_threads_of_numpys_blas_sleep_sooner_and_importing_does_not() -> None:
    code = "import os, sys, glassnet.cli; before = dict(os.environ); glassnet.cli.main(['--version']); "
    code += "print('numpy' in sys.modules, dict(os.environ.items() - before.items()))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.splitlines()[-1] == "False {'OPENBLAS_THREAD_TIMEOUT': '20'}"


def test_a_labelled_csv_is_predicted_in_its_own_order(
    run: Path, digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = np.argsort(digits.train.labels, kind="stable")[:200]
    images, labels = digits.train.images[order].reshape(-1, 64), digits.train.labels[order]
    header = "label," + ",".join(f"pixel{i}" for i in range(64))
    np.savetxt(tmp_path / "t.csv", np.column_stack([labels, images]), "%d", ",", header=header, comments="")
    assert main(["predict", str(run), "--csv", str(tmp_path / "t.csv"), "--json"]) == 0
    predictions = [int(p["label"]) for p in json.loads(capsys.readouterr().out)]
    assert np.mean(predictions == labels) > 0.95


def test_more_classes_than_ten(tmp_path: Path, digits: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    labels = digits.train.labels + 10 * (np.arange(len(digits.train)) % 2)
    header = "label," + ",".join(f"pixel{i}" for i in range(64))
    rows = np.column_stack([labels, digits.train.images.reshape(-1, 64)])
    np.savetxt(tmp_path / "t.csv", rows, "%d", ",", header=header, comments="")
    assert main(["train", str(tmp_path / "t.csv"), "--epochs", "1", "--out", str(tmp_path / "r")]) == 2
    assert (
        main(["train", str(tmp_path / "t.csv"), "--classes", "20", "--epochs", "1", "--out", str(tmp_path / "r")]) == 0
    )
    assert main(["resume", str(tmp_path / "r")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "r"), "--json"]) == 0
    assert np.shape(json.loads(capsys.readouterr().out)["confusion"]) == (20, 20)


def test_a_resumed_run_that_is_saved_needs_its_data_no_more(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folder = tmp_path / "digits.csv", tmp_path / "r"
    rows = np.column_stack([digits.train.labels, digits.train.images.reshape(-1, 64)])[:200]
    np.savetxt(data, rows, "%d", ",", header="label," + ",".join(f"pixel{i}" for i in range(64)), comments="")
    assert main(["train", str(data), "--epochs", "1", "--out", str(folder)]) == 0
    resume = training.resume

    def resumed(*given: Any, **options: Any) -> Run:
        run = resume(*given, **options)
        data.unlink()
        return run

    monkeypatch.setattr(training, "resume", resumed)
    capsys.readouterr()
    assert main(["resume", str(folder), "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert "best" in out
    assert f"evaluate {folder}" in out


@pytest.mark.parametrize("command", ["train", "lr-find", "search"])
def test_settings_are_shown_in_groups_with_their_defaults(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    panels = capsys.readouterr().out.split("╭─ ")[1:]
    groups = {panel.partition(" ─")[0]: " ".join(re.sub("[│╭╮╰╯─]", " ", panel).split()) for panel in panels}
    assert list(groups) == ["Arguments", "Recipe", "Data", "Augmentation", "Network", "Optimization", "Run"]
    for group, flag, default in [
        ("Data", "validation", "0.1"),
        ("Augmentation", "rotation", "0"),
        ("Network", "hidden", "128 64"),
        ("Network", "batch-norm", "--no-batch-norm"),
        ("Optimization", "shuffle", "--shuffle"),
        ("Optimization", "optimizer", "adam"),
        ("Run", "seed", "0"),
    ]:
        assert re.search(rf"--{flag} [^\[]*\[default: {re.escape(default)}\]", groups[group])
    text = " ".join(groups.values())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert field.description
        assert field.description in text


def test_help_is_the_docstring_and_the_list_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "--help"]) == 0
    assert "A model trained on any of them is" in capsys.readouterr().out


def test_training_starts_with_all_that_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--recipe best --epochs 1 --hidden 20 9 --dropout 0.1 --l2 0.01 --clip-norm 1 --ema 0.9 --threads 1"
    assert main(["train", *flags.split(), "--out", str(tmp_path / "r")]) == 0
    start = capsys.readouterr().err.partition("\n\n")[0]
    assert max(map(len, start.splitlines())) <= 80
    assert [line.split()[0] for line in start.splitlines() if line[0] != " "] == [
        "data",
        "augment",
        "network",
        "training",
        "engine",
    ]
    parts = ", ".join(" ".join(start.split()).split(", "))
    for part in [
        "digits, 1,294 training images, 144 validation images",
        "rotation 12, zoom 0.12, shear 0.12, shift 1.5, elastic 0.7, smoothness 4",
        "64-20-9-10, 1,647 parameters, batch normalisation, relu, dropout 0.1",
        "adam, learning rate 0.006, schedule one_cycle, L2 0.01, gradient norm at most 1, EMA 0.9",
        "label smoothing 0.05, batch size 256, 1 epoch, seed 0",
        "numpy, float32, 1 thread",
    ]:
        assert part in parts
