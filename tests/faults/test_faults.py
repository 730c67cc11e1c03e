"""A small part of what `make faults` does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from counts import Counts
from kills import shares_of


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="the shim is for Linux, and needs gcc")
@pytest.mark.parametrize(
    "part",
    [
        ["--kills", "16", "--errors", "16", "--cuts", "6"],
        ["--processes", "1"],
        ["--files", "300"],
        ["--submissions", "4"],
        ["--requests", "120"],
    ],
)
def test_a_part_of_it(part: list[str], tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).parent), "--share", "0", *part]
    done = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| what | tried |" in done.stdout


def test_what_is_wrong_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts()
    counts.tried("kills", 1000)
    assert counts.is_right
    counts.wrong("kills", "lost", "operation 3", "a\nb")
    assert not counts.is_right
    assert "| kills | 1,000 | 1 | 0 | 0 | 0 | 0 |" in counts.table()
    assert capsys.readouterr().err == "lost: operation 3: a | b\n"


def test_what_one_cannot_take_the_others_get() -> None:
    assert shares_of(100, [3, 1000, 60, 20]) == [3, 39, 38, 20]
    assert shares_of(100, [3, 40, 2]) == [3, 40, 2]
    assert shares_of(2, [3, 40, 2]) == [0, 1, 1]
