"""What a submission cannot do, and what comes back from it."""

import os
import subprocess
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
import ctypes, fcntl, os, socket, struct, subprocess, sys, threading, time

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
def named(): raise type("Many\\nlines" * 999, (Exception,), {})("and\\nmore")
def other(): import glassnet.textbook
def scipy(): return float(__import__("decimal").Decimal(2))
def flood(): return [np.ones(1 << 24)] * 20
def long_list(): return list(range(1_000_000))
def forge():
    for descriptor in range(3, 1000):
        try: os.write(descriptor, b"\\xff" * 5000)
        except OSError: pass
    return 1
def close():
    os.closerange(3, 1000)
    time.sleep(1000)
def own(): fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())
def choose_signal(): fcntl.fcntl(3, fcntl.F_SETSIG, 15)
def own_by_ioctl(): fcntl.ioctl(3, 0x8901, struct.pack("i", os.getppid()))
def lease(): fcntl.fcntl(os.open(os.__file__, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
def lock(): fcntl.flock(os.open(os.__file__, os.O_RDONLY), fcntl.LOCK_EX)
def flags(): return fcntl.fcntl(0, fcntl.F_GETFL)
def by_libc(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    done = getattr(libc, name)(*arguments)
    return [done, ctypes.get_errno()]
def answers():
    folders = [path + "/glassnet/assignment/pages" for path in sys.path]
    files = [f"{folder}/{name}" for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
    return [open(file).read() for file in files]
def plot():
    import matplotlib.pyplot as plt
    plt.plot([1, 2])
    plt.show()
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
        ("own", "PermissionError"),
        ("choose_signal", "PermissionError"),
        ("own_by_ioctl", "PermissionError"),
        ("lease", "PermissionError"),
        ("lock", "PermissionError"),
        ("answers", "PermissionError"),
        ("close", "it closed what its answers go through"),
        ("leave", "line 27: SystemExit: 0"),
        ("leave_at_once", "it ended its process"),
        ("crash", "ended by signal"),
        ("deep", "RecursionError"),
        ("named", "Many linesMany lines.*: and more"),
        ("other", "ModuleNotFoundError"),
        ("flood", "the result is too large, more than 4 million numbers"),
        ("long_list", "the result is too large, lists"),
        ("forge", "not an answer|too large"),
    ],
)
def test_what_is_refused_is_one_line(submission: Submission, attack: str, message: str) -> None:
    with pytest.raises(CallError, match=message) as raised:
        submission.call(attack)
    assert "\n" not in str(raised.value)
    assert submission.call("give", np.ones(1))[1][1] == 3  # and it goes on, in another process if need be


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("shmat", (0, None, 0)), ("shmctl", (0, 0, None)), ("semctl", (0, 0, 0)), ("msgctl", (0, 0, None)),
     ("msgsnd", (0, None, 0, 0)), ("mq_unlink", ("/queue",)), ("prctl", (1, 0))],
)  # fmt: skip
def test_what_processes_share_is_refused(submission: Submission, name: str, arguments: tuple[object, ...]) -> None:
    done, error = submission.call("by_libc", name, *arguments)
    assert (done, error) in ((-1, 1), (-1, 13))  # EPERM, of which the C library makes EACCES for mq_unlink


def test_what_is_harmless_is_not_refused(submission: Submission) -> None:
    assert submission.call("flags") >= 0
    assert submission.call("by_libc", "prctl", 3, 0)[0] == 1  # PR_GET_DUMPABLE


def test_a_plot_can_be_drawn(submission: Submission) -> None:
    assert submission.call("plot", seconds=60.0) == 1


ORPHAN = """
import os, sys
from glassnet.assignment.submission import Submission
with Submission([("repair.py", "import time\\ndef sleep(): time.sleep(1000)\\n")]) as started:
    print(started._process.pid, flush=True)
    started.call("sleep", seconds=100.0)
"""


def test_it_ends_with_the_process_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True) as glassnet:
        assert glassnet.stdout
        state = Path("/proc", str(int(glassnet.stdout.readline())), "stat")
        assert state.exists()
        glassnet.kill()
    end = time.monotonic() + 10
    while state.exists() and " Z " not in state.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


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


def test_a_process_that_cannot_be_started_leaves_no_pipe_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError), Submission([("repair.py", "")]):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_process_with_many_open_files_can_check_too() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("this machine allows fewer than 2,000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Submission([("repair.py", "def f(x): return x")]) as started:
            assert started.call("f", 3) == 3
    finally:
        for each in opened:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_arguments_are_copies() -> None:
    code = "def f(x):\n    x[0] = 9\n    return x\n"
    with Submission([("repair.py", code)]) as started:
        x = np.zeros(2)
        assert started.call("f", x)[0] == 9
        assert x[0] == 0
