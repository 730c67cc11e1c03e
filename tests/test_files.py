import errno
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from glassnet import files
from glassnet.errors import ConfigError, FileError
from glassnet.files import advice, as_path, make_folder, read_regular, write_atomically, write_together


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_write_one_file_and_neither_spoils_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=10)
    monkeypatch.setattr(os, "fsync", lambda descriptor: both.wait())  # both have written before either renames
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(write_atomically, tmp_path / "file"), (b"one" * 1000, b"other")))
    assert (tmp_path / "file").read_bytes() in (b"one" * 1000, b"other")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_path_that_cannot_be_one_gets_a_line() -> None:
    class OfBytes:
        def __fspath__(self) -> bytes:
            return b"a"

    for bad in ("a\0b", Path("a\0b"), b"a", OfBytes(), 3):
        with pytest.raises(ConfigError, match="model: must be a path, not"):
            as_path(bad, "model")


def test_a_file_has_the_ordinary_permissions(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("bad", ["folder", "file/b"])
def test_of_files_that_belong_together_all_are_written_or_none(tmp_path: Path, bad: str) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a", "file"):
        (tmp_path / name).write_bytes(b"old")
    with pytest.raises(FileError, match=rf"cannot write {tmp_path / bad}: .*; choose another place"):
        write_together({tmp_path / "a": b"new", tmp_path / bad: b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "a", "file"}
    write_together({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"new"


def test_only_a_regular_file_within_the_limit_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"12345")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("pipe", "loop", "socket", "none", ".", "a\0b", "/dev/zero"):
            with pytest.raises(OSError, match=r".") as caught:
                read_regular(tmp_path / name, 100)
            assert caught.value.strerror, name
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, more than the 4 allowed"):
        read_regular(tmp_path / "file", 4)


def test_folders_are_made_and_the_folders_that_hold_their_names_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert (tmp_path / "a" / "b" / "c").is_dir()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EACCES, "change its permissions"),
        (errno.EMFILE, "raise the limit of open files"),
        (errno.EIO, "choose another place"),
    ],
)
def test_each_fault_has_its_own_advice(number: int, what: str) -> None:
    assert what in advice(OSError(number, os.strerror(number)))
