"""Compiled code on the disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glassnet.engines import kept

CODE = """
import sys
import numpy as np
from glassnet.engines.crew import Crew
from glassnet.engines.kernels import centred
X = np.ones((3, 4), np.float32)
centred(Crew(1).state, 1, X, np.full(4, 3, np.float32), X)
assert (X == -2).all()
"""
NOTICE = "Compiling what is needed for the first time, which may take ten seconds.\n"


def said_by(cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
    )
    return done.stderr


def test_a_person_sees_once_that_code_is_compiled_and_damaged_files_are_made_anew(tmp_path: Path) -> None:
    assert said_by(tmp_path) == NOTICE
    assert said_by(tmp_path) == ""
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for content in (b"", b"no pickle", files[0].read_bytes()[:40]):
        for file in files:
            file.write_bytes(content)
        assert said_by(tmp_path) == NOTICE
        assert said_by(tmp_path) in ("", NOTICE)
        assert said_by(tmp_path) == ""


RULES = """
import sys
import numpy as np
from glassnet.engines.compiled import CompiledEngine
from glassnet.nn import formulas
z = np.linspace(-2, 2, 9, dtype=np.float32)
for name in sys.argv[1:]:
    rule = getattr(formulas, name)
    a = CompiledEngine().apply(rule, (z,), (), np.empty_like(z))
    np.testing.assert_allclose(a, rule(z), atol=1e-6, err_msg=name)
"""


def test_code_that_was_compiled_in_several_processes_is_not_mixed_up(tmp_path: Path) -> None:
    for names in (["relu"], ["sigmoid"], ["gelu"], ["relu", "sigmoid", "gelu"], ["gelu", "relu", "sigmoid"]):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", RULES, *names], check=True, env=environment)


def test_where_no_folder_can_be_written_to_it_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(kept, "SourceCache", refuse)
    kept._tell.cache_clear()

    def twice(x: np.ndarray) -> None:
        x *= 2

    x = np.ones(3)
    kept.keep(twice)(x)
    assert (x == 2).all()
    assert "It cannot be kept: no cache folder can be written to; NUMBA_CACHE_DIR says" in capsys.readouterr().err
