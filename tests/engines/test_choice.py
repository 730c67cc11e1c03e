"""Which engine a run gets, and what a person reads where it cannot be had."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glassnet import Dataset, DigitClassifier, load_dataset, resume, train
from glassnet.cli import main
from glassnet.engines import choice, choose_engine, make_engine, why_not_compiled
from glassnet.errors import ConfigError
from glassnet.training import Callback, Config, LoopUnderWay, Run, TrainingInterrupted, run_loop

SETTINGS = {"hidden": [16], "epochs": 3, "batch_size": 100, "dropout": 0.2, "batch_norm": True, "rotation": 10}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def table(digits: Dataset) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return digits.train.images.reshape(len(digits.train), -1) / np.float32(16), digits.train.labels


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_auto_is_compiled_where_that_is_worth_while_and_there() -> None:
    assert choose_engine("auto", choice.WORTHWHILE - 1) == "numpy"
    assert choose_engine("auto", choice.WORTHWHILE) == "compiled"
    assert choose_engine("numpy", choice.WORTHWHILE) == "numpy"
    assert choose_engine("compiled", 1) == "compiled"


def test_auto_is_numpy_where_compiled_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_not_compiled", lambda: "it is Sunday")
    assert choose_engine("auto", choice.WORTHWHILE) == "numpy"
    with pytest.raises(ConfigError, match="engine: compiled cannot be used: it is Sunday; or train with engine numpy"):
        choose_engine("compiled", choice.WORTHWHILE)


@pytest.mark.parametrize(
    ("before", "environment", "reason"),
    [
        ("sys.modules['numba'] = None", {}, "it needs numba, which is missing; pip install "),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "numba is switched off by NUMBA_DISABLE_JIT; unset it"),
        (
            "import types; sys.modules['numba'] = old = types.ModuleType('numba'); old.__version__ = '0.1'; "
            "old.config = types.SimpleNamespace(DISABLE_JIT=0)",
            {},
            "it does not work with numba 0.1 (cannot import name 'njit'",
        ),
    ],
)
def test_a_numba_that_does_not_serve_is_one_line_and_no_traceback(
    before: str, environment: dict[str, str], reason: str, tmp_path: Path
) -> None:
    code = f"import sys; {before}\nfrom glassnet.cli import main\nsys.exit(main(sys.argv[1:] or ['train', 'digits', "
    code += f"'--hidden', '8', '--epochs', '1', '--out', {str(tmp_path / 'run')!r}, '--engine', 'ENGINE']))"
    done = run(code.replace("ENGINE", "compiled"), **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"glassnet: engine: compiled cannot be used: {reason}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()
    assert run(code.replace("ENGINE", "auto"), **environment).returncode == 0


def test_an_engine_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--engine", "compile"]) == 2
    assert capsys.readouterr().err == "glassnet: --engine: 'compile' is unknown (did you mean 'compiled'?)\n"


def test_info_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert why_not_compiled() == ""
    assert "compiled       numba " in capsys.readouterr().out


def test_a_run_keeps_its_engine_and_says_it(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["train", "digits", "--hidden", "8", "--epochs", "1", "--engine", "compiled", "--out", str(tmp_path)]) == 0
    )
    assert "engine    compiled, float32, " in capsys.readouterr().err
    assert Run(tmp_path).config.engine == "compiled"
    assert train(digits, out=tmp_path / "auto", **SETTINGS).config.engine == "numpy"  # it is short


def test_engines_are_equal_to_rounding(digits: Dataset, tmp_path: Path) -> None:
    settings = SETTINGS | {"dropout": 0, "precision": "float64"}
    numpy, compiled = (train(digits, out=tmp_path / name, engine=name, **settings) for name in ("numpy", "compiled"))
    for ours, theirs in zip(compiled.history, numpy.history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)  # a distorted pixel may be rounded otherwise
        assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], rel=1e-6)


class StopAt(Callback):
    """Stops a run in the middle of an epoch."""

    def on_step(self, run: LoopUnderWay, loss: float) -> None:
        if run.state.step == 20:
            run.stop("enough")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
def test_half_a_run_and_its_other_half_are_the_whole_one(
    digits: Dataset, tmp_path: Path, threads: int, dtype: str
) -> None:
    settings = SETTINGS | {
        "engine": "compiled",
        "threads": threads,
        "precision": dtype,
        "hidden": [200, 100],
        "ema": 0.9,
    }
    whole = train(digits, out=tmp_path / "whole", **settings)
    train(digits, out=tmp_path / "half", callbacks=[StopAt()], **settings)
    resumed = resume(tmp_path / "half")
    np.testing.assert_array_equal(resumed.model.network.parameters, whole.model.network.parameters)
    assert [row["loss"] for row in resumed.history] == [row["loss"] for row in whole.history]


def test_a_run_of_before_there_were_engines_goes_on_with_numpy(digits: Dataset, tmp_path: Path) -> None:
    path = train(digits, out=tmp_path / "run", **SETTINGS).path / "config.toml"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("engine")), "utf-8")
    assert Config.load(path).engine == "numpy"


def test_an_estimator_takes_it(digits: Dataset) -> None:
    X, y = table(digits)
    of = {
        name: DigitClassifier([20], epochs=3, random_state=0, engine=name).fit(X, y) for name in ("numpy", "compiled")
    }
    np.testing.assert_allclose(of["compiled"].predict_proba(X), of["numpy"].predict_proba(X), atol=1e-4)
    with pytest.raises(ConfigError, match="engine: 'gpu' is unknown"):
        DigitClassifier(engine="gpu").fit(X, y)


def test_engines_are_made_by_name() -> None:
    assert [make_engine(name, 2).name for name in ("numpy", "compiled")] == ["numpy", "compiled"]
    assert make_engine("compiled", 2).threads == 2


def test_a_run_that_is_stopped_while_code_is_compiled_is_saved(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_loop, "warm_up", lambda config, engine: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingInterrupted):
        train(digits, out=tmp_path / "run", **SETTINGS)
    monkeypatch.undo()
    assert len(resume(tmp_path / "run").history) == 3


def test_threads_end_with_the_fits_that_began_them(digits: Dataset) -> None:
    before = threading.active_count()
    gc.disable()
    try:
        for _ in range(5):
            DigitClassifier([300], epochs=1, batch_size=200, engine="compiled").fit(*table(digits))
        end = time.monotonic() + 10
        while threading.active_count() > before:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        gc.enable()


def test_a_fit_in_another_thread_is_computed_by_the_engine_it_asks_for(digits: Dataset) -> None:
    X, y = table(digits)
    of = [DigitClassifier([20], epochs=2, dropout=0.2, random_state=0, engine="compiled") for _ in range(3)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda classifier: classifier.fit(X, y), of[1:]))
    expected = of[0].fit(X, y).predict_proba(X)
    for classifier in of[1:]:
        np.testing.assert_allclose(classifier.predict_proba(X), expected, atol=1e-4)
