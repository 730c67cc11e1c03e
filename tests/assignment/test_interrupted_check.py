"""Ctrl-C while a submission is loaded leaves neither its process nor its folder behind."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from glassnet.assignment.submission import Submission


def children() -> set[str]:
    """The processes that this one has started and that are still there."""
    stats = {path.parent.name: path.read_text() for path in Path("/proc").glob("[0-9]*/stat")}
    return {pid for pid, stat in stats.items() if int(stat.rpartition(")")[2].split()[1]) == os.getpid()}


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, handler = children(), signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(KeyboardInterrupt), Submission([("page.py", "while True: pass")]):
            pass
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert not list(tmp_path.iterdir())
    assert children() == before
