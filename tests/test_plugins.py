"""What another installed package brings by its entry points: data, callbacks, engines and mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from glassnet import load_dataset, open_model, train
from glassnet.cli import main
from glassnet.clinic import MISTAKES
from glassnet.engines import ENGINES
from glassnet.errors import ConfigError, DataError
from glassnet.plugins import make_plugin, plugin_names
from glassnet.training import Run
from glassnet.training.settings import Settings
from glassnet.web import Site, create_app

CODE = """
import sys

import numpy as np
from glassnet import load_dataset
from glassnet.clinic import Mistake
from glassnet.nn import Engine
from glassnet.training import Callback

products = 0

def load():
    rng = np.random.default_rng(0)
    return load_dataset((rng.integers(0, 256, (100, 8, 8)), np.arange(100) % 10))

def wrong():
    return 3

def broken():
    raise OSError("the file is gone")

def leaves():
    sys.exit("no licence")

class Note(Callback):
    def on_end(self, run):
        print("noted", run.state.epoch)

class Fails(Callback):
    def on_epoch(self, run, row):
        raise RuntimeError("the server\\ndoes not answer")

class Counting(Engine):
    name = "counting"

    def affine(self, *arguments, **how):
        global products
        products += 1
        return super().affine(*arguments, **how)

class Zeros(Mistake):
    name = "zero-weights"
    summary = "All weights are zero, so that no unit differs from another."
    wrong = "W = 0"
    right = "W ~ N(0, 2 / fan_in)        b = 0"
    effect = "Units of a layer stay equal."
    symptom = "The loss stays at ln k."
    check = "whether the weights differ"
    replaces = "the first weights"
    from_the_start = True

    def initialize(self, network, rng):
        network.parameters[...] = 0

class NoLicence(Engine):
    def __init__(self, threads, products):
        sys.exit("no\\nlicence")

class Silent(Mistake):
    name = "silent"

class Unchecked(Zeros):
    name = "unchecked"
    check = " "

class Pageless(Zeros):
    name = "pageless"
    tutorial = None

class Strange(Zeros):
    name = "strange"
    circumstances = {"learning_rte": 0.1}

class Unchanging(Zeros):
    name = "unchanging"

    @classmethod
    def changes(cls, settings):
        raise KeyError("rate")

class Renamed(Zeros):
    name = "another-name"
"""
ENTRIES = """
[glassnet.data]
their-digits = their_package:load
their-three = their_package:wrong
their-broken = their_package:broken
their-missing = their_package:nowhere

[glassnet.callbacks]
note = their_package:Note
note-fails = their_package:Fails
note-leaves = their_package:leaves
note-three = their_package:wrong

[glassnet.engines]
counting = their_package:Counting
no-engine = their_package:Note
no-licence = their_package:NoLicence
engine-missing = their_second_package:Engine

[glassnet.mistakes]
zero-weights = their_package:Zeros
no-mistake = their_package:wrong
silent = their_package:Silent
renamed = their_package:Renamed
unchecked = their_package:Unchecked
pageless = their_package:Pageless
strange = their_package:Strange
unchanging = their_package:Unchanging
one-bias-gradient = their_package:Zeros
"""
LEFT_OUT = {"no-mistake", "silent", "renamed", "unchecked", "pageless", "strange", "unchanging"}
CANNOT = "of the package their-package 1.0 cannot be used: "


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_package.py").write_text(CODE)
    information = tmp_path / "their_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_package", raising=False)


def test_their_data() -> None:
    dataset = load_dataset("their-digits")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (80, 20, (8, 8))
    assert "their-digits" in plugin_names("glassnet.data")


def test_their_callback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", "their-digits", "--epochs", "2", "--callback", "note", "--out", run]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "noted 2"


@pytest.mark.filterwarnings("always")
def test_a_callback_that_fails_leaves_the_training_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    words = ["train", "digits", "--epochs", "3", "--callback", "note-fails", "--callback", "note", "--out", run]
    assert main(words) == 0
    out, error = capsys.readouterr()
    line = f"note-fails: their_package:Fails {CANNOT}the server does not answer; training continues without it"
    assert [each for each in error.splitlines() if "note-fails" in each] == [f"glassnet: {line}"]
    assert out.splitlines()[0] == "noted 3"
    assert Run(run).finished


def test_their_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", "digits", "--epochs", "2", "--engine", "counting", "--seed", "3", "--out", run]) == 0
    assert sys.modules["their_package"].products > 2 * 40  # steps, of two layers each
    assert "engine    counting, float32" in capsys.readouterr().err
    own = train(load_dataset("digits"), "small", epochs=2, seed=3, engine="numpy", out=tmp_path / "own")
    assert np.array_equal(Run(run).model.network.parameters, own.model.network.parameters)
    assert main(["resume", run, "--epochs", "3"]) == 0
    assert Run(run).config.engine == "counting"


def test_their_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(load_dataset("digits"), "small", epochs=1, mistakes=["zero-weights"], out=tmp_path / "run")
    assert run.history[-1]["validation_accuracy"] < 0.2
    assert Run(run.path).config.mistakes == ("zero-weights",)
    assert main(["clinic", "zero-weights"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("zero-weights\nAll weights are zero, so that no unit differs from another.\n")
    assert "read more" not in out


def test_settings_list_their_engines() -> None:
    with pytest.warns(UserWarning, match="left out"):
        assert Settings.model_json_schema()["properties"]["engine"]["enum"] == [
            "auto",
            "numpy",
            "compiled",
            "counting",
            "no-licence",
        ]


@pytest.mark.filterwarnings("always")
def test_what_cannot_be_used_is_left_out_of_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clinic", "--json"]) == 0
    out, error = capsys.readouterr()
    listed = json.loads(out)["mistakes"]
    assert "zero-weights" in listed
    assert not LEFT_OUT & listed.keys()
    assert listed["one-bias-gradient"]["summary"] == MISTAKES["one-bias-gradient"].summary != listed["zero-weights"]
    assert sorted(error.splitlines()) == [
        f"glassnet: {line}; it is left out"
        for line in (
            f"no-mistake: their_package:wrong {CANNOT}it is not a subclass of glassnet.clinic.Mistake",
            f"pageless: their_package:Pageless {CANNOT}it has no text 'tutorial'",
            f"renamed: their_package:Renamed {CANNOT}its name is 'another-name'; the entry point's has to be the same",
            f"silent: their_package:Silent {CANNOT}it has no text 'summary'",
            f"strange: their_package:Strange {CANNOT}no setting called 'learning_rte' (did you mean 'learning_rate'?)",
            f"unchanging: their_package:Unchanging {CANNOT}'rate'",
            f"unchecked: their_package:Unchecked {CANNOT}it has no text 'check'",
        )
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--callback", "note-leaves"], f"note-leaves: their_package:leaves {CANNOT}no licence"),
        (
            ["--callback", "note-three"],
            f"note-three: their_package:wrong {CANNOT}it returns a int, not a glassnet.training.Callback",
        ),
        (
            ["--engine", "no-engine"],
            f"no-engine: their_package:Note {CANNOT}it is not a subclass of glassnet.nn.Engine",
        ),
        (
            ["--engine", "engine-missing"],
            f"engine-missing: their_second_package:Engine {CANNOT}No module named 'their_second_package'",
        ),
        (["--engine", "no-licence"], f"no-licence: their_package:NoLicence {CANNOT}no licence"),
        (["--engine", "no-licence", "--threads", "1"], f"no-licence: their_package:NoLicence {CANNOT}no licence"),
        (["--engine", "countin"], "--engine: 'countin' is unknown (did you mean 'counting'?)"),
        (
            ["--engine", "counting", "--precision", "bfloat16"],
            "precision: bfloat16 is not possible with engine counting; use float32",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*left out")
def test_what_cannot_be_used_is_one_line_before_anything_is_done(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "digits", *words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"glassnet: {complaint}")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:.*left out")
def test_the_page_has_the_mistakes_that_can_be_used(tmp_path: Path) -> None:
    app = create_app(Site(tmp_path / "runs", None, tmp_path / "drawings"))
    client = TestClient(app, base_url="http://127.0.0.1:80")
    listed = {mistake["name"] for mistake in client.get("/api/mistakes").json()}
    assert listed == {*MISTAKES} - LEFT_OUT
    assert "zero-weights" in listed


@pytest.mark.parametrize("name", ["strange", "unchanging"])
def test_a_mistake_with_settings_that_cannot_be_used_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clinic", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"glassnet: {name}: their_package:{name.title()} {CANNOT}")
    assert error.count("\n") == 1


def test_a_mistake_that_cannot_change_settings_is_one_line_of_a_training() -> None:
    with pytest.raises(ConfigError, match=f"unchanging: their_package:Unchanging {CANNOT}"):
        train(load_dataset("digits"), mistakes=["unchanging"])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("their-three", f"their-three: their_package:wrong {CANNOT}it returns a int, not a Dataset"),
        ("their-broken", f"their-broken: their_package:broken {CANNOT}the file is gone"),
        ("their-missing", f"their-missing: their_package:nowhere {CANNOT}"),
    ],
)
def test_data_that_cannot_be_used(name: str, complaint: str) -> None:
    with pytest.raises((ConfigError, DataError), match=complaint):
        load_dataset(name)
    with pytest.raises(ConfigError, match=f"renamed: their_package:Renamed {CANNOT}"):
        MISTAKES["renamed"]


def test_an_unknown_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--callback", "not", "--out", str(tmp_path / "run")]) == 2
    assert "did you mean 'note'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"known: .*mlflow.*note.*trackio"):
        make_plugin("glassnet.callbacks", "zzz")
    assert "zzz" not in ENGINES
    assert [1] not in ENGINES


def test_a_run_whose_engine_is_gone_has_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(load_dataset("digits"), "small", epochs=1, engine="counting", out=tmp_path / "run").path
    (tmp_path / "their_package-1.0.dist-info" / "entry_points.txt").write_text("")
    assert open_model(run).predict(np.zeros((1, 8, 8))).shape == (1,)
    assert main(["resume", str(run), "--epochs", "2"]) == 2
    assert "engine: 'counting' is unknown" in capsys.readouterr().err


def test_an_import_loads_nothing_of_theirs(tmp_path: Path) -> None:
    code = (
        "import glassnet.training, glassnet.web.app, glassnet.cli.train, sys; assert 'their_package' not in sys.modules"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
