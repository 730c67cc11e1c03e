"""A model as a Python file, run by a Python that finds NumPy and no glassnet."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported_models import MODELS, SIDE, around, form, noise
from PIL import Image

from glassnet import Model
from glassnet.cli import main
from glassnet.errors import ConfigError
from glassnet.export import numpy_source
from glassnet.nn import Dense, Network, ReLU

# What the interpreter may import: Python's own library, NumPy, and the files.
ALONE = """
import sys
class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy"} and not name.startswith("exported_"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Closed())
sys.path.insert(0, sys.argv[1])
import importlib, json
import numpy as np
images = np.load("images.npy")
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    np.save(name, module.predict_proba(images))
    print(json.dumps(module.predict(images)))
"""


def python(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def export(model: Model, folder: Path, name: str) -> Path:
    model.save(folder / "model.safetensors")
    path = folder / f"{name}.py"
    assert main(["export", str(folder / "model.safetensors"), "--numpy", str(path)]) == 0
    return path


def test_each_predicts_the_same_with_numpy_alone(tmp_path: Path) -> None:
    models = {f"exported_{number}": make() for number, make in enumerate(MODELS.values())}
    for name, model in models.items():
        export(model, tmp_path, name)
    images = noise(1000)
    np.save(tmp_path / "images.npy", images)
    done = python("-c", ALONE, str(tmp_path), *models, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for (name, model), answers in zip(models.items(), done.stdout.splitlines(), strict=True):
        expected, found = model.predict_proba(images), np.load(tmp_path / f"{name}.npy")
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5, err_msg=str(model.network.specification()))
        assert json.loads(answers) == [model.classes[i] for i in found.argmax(axis=1)]
        assert np.ptp(found, axis=0).max() > 0.1  # the answers differ, so that equality says something


@pytest.mark.parametrize("name", ["many layers", "ensemble", "other classes"])
def test_it_is_a_page_long_and_in_good_form(name: str, tmp_path: Path) -> None:
    path = export(MODELS[name](), tmp_path, "exported")
    text = path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    above, _, below = text.partition('\nNUMBERS = """\n')
    assert len((above + below.partition('"""\n')[2]).splitlines()) < 145
    rules = ["--isolated", "--select=E,F,W,I,B,UP,SIM", "--line-length=120"]
    command = [sys.executable, "-m", "ruff", "check", *rules, str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_it_is_a_command_too(tmp_path: Path) -> None:
    model = around(Dense)
    path, images = export(model, tmp_path, "exported"), noise(5)
    np.save(tmp_path / "five.npy", images)
    done = python(str(path), str(tmp_path / "five.npy"))
    assert done.stdout.split() == [str(label) for label in model.predict(images)]
    assert (done.returncode, done.stderr) == (0, "")


def test_help_says_what_it_takes(tmp_path: Path) -> None:
    path = export(around(Dense), tmp_path, "exported")
    for flag in ("--help", "-h"):
        done = python(str(path), flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert "python exported.py PICTURE.png" in done.stdout
    assert "--help" in python(str(path)).stderr


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("labelled", [True, False])
def test_it_reads_a_table(header: bool, labelled: bool, tmp_path: Path) -> None:
    model, images = around(Dense), noise(5)
    path, rows = export(model, tmp_path, "exported"), images.reshape(5, -1)
    names = [f"pixel{i}" for i in range(rows.shape[1])]
    if labelled:
        rows, names = np.column_stack([np.full(5, 7), rows]), ["label", *names]
    lines = [",".join(names)] * header + [",".join(map(str, row)) for row in rows.tolist()]
    (tmp_path / "five.csv").write_text("\n".join(lines))
    done = python(str(path), str(tmp_path / "five.csv"))
    assert done.stdout.split() == [str(label) for label in model.predict(images)]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA"])
def test_it_reads_a_picture_as_pillow_does(mode: str, tmp_path: Path) -> None:
    path = export(around(Dense), tmp_path, "exported")
    smooth = np.add.outer(np.arange(SIDE) * 5, np.arange(SIDE) * 3).astype(np.uint8)  # for which PNG takes its filters
    colours = np.stack([smooth, smooth[::-1], smooth.T, np.full_like(smooth, 200)], axis=-1)
    for number, pixels in enumerate((colours, np.random.default_rng(0).integers(0, 256, colours.shape, np.uint8))):
        picture = Image.fromarray(pixels).convert(mode)
        picture.save(tmp_path / f"{number}.png")
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import exported, json; "
        code += f"print(json.dumps(exported.read({str(tmp_path / f'{number}.png')!r}).tolist()))"
        done = python("-c", code)
        assert done.stderr == ""
        (found,) = json.loads(done.stdout)
        expected = np.asarray(picture.convert("RGB").convert("L") if mode == "P" else picture.convert("L"), int)
        assert np.abs(np.array(found) - expected).max() <= 1
    assert python(str(path), str(tmp_path / "0.png")).returncode == 0


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    path = export(around(Dense), tmp_path, "exported")
    Image.new("L", (SIDE + 1, SIDE)).save(tmp_path / "other.png")
    done = python(str(path), str(tmp_path / "other.png"))
    assert (
        f"give an 8-bit picture of {SIDE}×{SIDE} pixels, not interlaced, in place of {SIDE + 1}×{SIDE}" in done.stderr
    )


@pytest.mark.parametrize("content", [None, b"", b"no array", "fractions", "rows"])
def test_what_it_cannot_read_it_says_in_one_line(content: bytes | str | None, tmp_path: Path) -> None:
    path, given = export(around(Dense), tmp_path, "exported"), tmp_path / "given.npy"
    if isinstance(content, bytes):
        given.write_bytes(content)
    elif content:
        np.save(given, noise(2) / 255 if content == "fractions" else noise(2).reshape(2, -1))
    done = python(str(path), str(given))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert str(given) in done.stderr


def test_a_network_that_has_learned_nothing_is_refused() -> None:
    model = Model(Network([ReLU()], SIDE * SIDE), form(), tuple(map(str, range(SIDE * SIDE))))
    with pytest.raises(ConfigError, match="without parameters"):
        numpy_source(model)
