"""What is refused where there is no seccomp, as on macOS: by Python's own hooks."""

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ATTACKS = [
    "open('victim', 'w')",
    "open('victim', 'r+')",
    "open('new', 'x')",
    "os.remove('victim')",
    "os.rename('victim', 'other')",
    "os.fork()",
    "os.system('true')",
    "os.kill(os.getppid(), 0)",
    "shutil.rmtree('.')",
    "socket.socket()",
    "subprocess.run(['true'])",
    "ctypes.CDLL(None)",
]
HARMLESS = ["np.linalg.svd(np.eye(2))[1].tolist()", "len(os.listdir('.'))", "open(os.__file__).read(1)"]
HOOKED = """
import ctypes, json, os, shutil, socket, subprocess, sys
import numpy as np
from glassnet.assignment import confine
confine._filter_calls = lambda: False
missing, told = confine.confine(), []
for code in sys.argv[1:]:
    try:
        told.append(eval(code))
    except PermissionError as error:
        told.append(str(error))
print(json.dumps([missing, told], default=str))
"""


SIGNALLING = """
import ctypes, json, os, sys
from glassnet.assignment import confine
confine._filter_calls = lambda: True
confine.confine()
try:
    os.kill(os.getppid(), 0)
except PermissionError:
    print("refused")
os.kill(os.getpid(), 0)
"""


def test_landlock_keeps_signals_inside_without_the_filter_too() -> None:
    version = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) if sys.platform == "linux" else -1
    if version < 6:
        pytest.skip("this kernel's Landlock knows nothing of signals (Linux 6.12 does)")
    ran = subprocess.run([sys.executable, "-c", SIGNALLING], capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"


def hooked(folder: Path, *codes: str) -> tuple[list[str], list[Any]]:
    command = [sys.executable, "-c", HOOKED, *codes]
    missing, told = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    return missing, told


def test_hooks_refuse_where_there_is_no_filter(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    missing, told = hooked(tmp_path, *ATTACKS)
    assert "only Linux on x86-64 or ARM64" in missing[0]
    assert [code for code, answer in zip(ATTACKS, told, strict=True) if "a submission may not" not in str(answer)] == []
    assert victim.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [victim]


def test_hooks_let_numpy_and_reading_pass(tmp_path: Path) -> None:
    assert hooked(tmp_path, *HARMLESS)[1] == [[1.0, 1.0], 0, "r"]
