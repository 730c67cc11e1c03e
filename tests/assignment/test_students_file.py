"""What a submission cannot do, and what comes back from it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glassnet.assignment.submission import CallError, Submission

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is kept from a submission is told on Linux")

CODE = """
import numpy as np
import os, socket, subprocess, sys, threading

def give(x): return [x * 2, (x.sum(), 3), None, "text", object()]
def loop():
    while True: pass
def fork_bomb():
    while True: os.fork()
def thread():
    threading.Thread(target=print).start()
def run(): subprocess.run(["true"])
def huge(): return np.ones(10 << 27)
def remove(path): os.remove(path)
def rename(path): os.rename(path, path + "2")
def overwrite(path): open(path, "w").write("x")
def append(path): os.open(path, os.O_RDWR | os.O_APPEND)
def permit(path): os.chmod(path, 0o777)
def read(path): return open(path).read()
def write_here(): open("here", "w").write("x")
def connect(): socket.create_connection(("127.0.0.1", 9))
def kill(): os.kill(os.getppid(), 9)
def look(): return open(f"/proc/{os.getppid()}/mem", "rb").read(1)
def say():
    for _ in range(1000): print("x" * 1_000_000)
    return 1
def leave(): sys.exit(0)
def leave_at_once(): os._exit(0)
def crash():
    import ctypes
    ctypes.string_at(0)
def deep(): return deep()
def other(): import glassnet.textbook
def scipy(): return float(__import__("decimal").Decimal(2))
def flood(): return [np.ones(1 << 24)] * 20
def forge():
    for descriptor in range(3, 20):
        try: os.write(descriptor, b"\\xff" * 5000)
        except OSError: pass
    return 1
def broad(): return np.float32(1.5), True, np.array([1, 2], np.uint8)
def words(): return np.array(["a", "b"])
"""


@pytest.fixture(scope="module")
def submission() -> Iterator[Submission]:
    with Submission([("repair.py", CODE)]) as started:
        assert started.error == ""
        yield started


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "victim"
    file.write_text("precious")
    file.chmod(0o600)
    yield file
    assert file.read_text() == "precious"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_arrays_come_back(submission: Submission) -> None:
    x = np.arange(3.0)
    doubled, (total, three), nothing, text, other = submission.call("give", x)
    np.testing.assert_array_equal(doubled, 2 * x)
    assert (float(total), three, nothing, text, other.name) == (3.0, 3, None, "text", "object")
    half, true, small = submission.call("broad")
    assert (half.dtype, true, small.dtype) == (np.float32, True, np.uint8)
    assert submission.call("words").name == "ndarray"


@pytest.mark.parametrize("attack", ["remove", "rename", "overwrite", "append", "permit", "read"])
def test_files_elsewhere_are_out_of_reach(submission: Submission, victim: Path, attack: str) -> None:
    with pytest.raises(CallError, match="PermissionError"):
        submission.call(attack, str(victim))


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("fork_bomb", "PermissionError"),
        ("thread", "can't start new thread"),
        ("run", "PermissionError"),
        ("huge", "MemoryError"),
        ("write_here", "PermissionError"),
        ("connect", "PermissionError"),
        ("kill", "PermissionError"),
        ("look", "PermissionError"),
        ("leave", "line 27: SystemExit: 0"),
        ("leave_at_once", "it ended its process"),
        ("crash", "ended by signal"),
        ("deep", "RecursionError"),
        ("other", "ModuleNotFoundError"),
        ("flood", "the result is too large"),
        ("forge", "not an answer|too large"),
    ],
)
def test_what_is_refused_is_one_line(submission: Submission, attack: str, message: str) -> None:
    with pytest.raises(CallError, match=message) as raised:
        submission.call(attack)
    assert "\n" not in str(raised.value)
    assert submission.call("give", np.ones(1))[1][1] == 3  # and it goes on, in another process if need be


def test_an_endless_loop_is_stopped(submission: Submission) -> None:
    start = time.monotonic()
    with pytest.raises(CallError, match="took longer than 1 s"):
        submission.call("loop", seconds=1.0)
    assert time.monotonic() - start < 10


def test_a_gigabyte_of_output_goes_nowhere(submission: Submission, capfd: pytest.CaptureFixture[str]) -> None:
    assert submission.call("say", seconds=60.0) == 1
    assert capfd.readouterr() == ("", "")


def test_the_standard_library_can_be_imported(submission: Submission) -> None:
    assert submission.call("scipy") == 2.0


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Submission([("repair.py", "import os\nwhile True: os.fork()\n")]) as started:
        assert "PermissionError" in started.error
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_arguments_are_copies() -> None:
    code = "def f(x):\n    x[0] = 9\n    return x\n"
    with Submission([("repair.py", code)]) as started:
        x = np.zeros(2)
        assert started.call("f", x)[0] == 9
        assert x[0] == 0
