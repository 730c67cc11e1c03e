import errno
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from glassnet import files
from glassnet.errors import ConfigError, FileError
from glassnet.files import (
    advice,
    as_path,
    make_folder,
    open_tensors,
    read_regular,
    write_atomically,
    write_tensors,
    write_together,
)


@pytest.fixture
def tensor_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"W": np.arange(6.0).reshape(2, 3)}, {"kind": "thing", "note": "42"})
    return path


def test_what_was_written_is_read(tensor_file: Path) -> None:
    with open_tensors(tensor_file, "thing") as file:
        assert file.metadata["note"] == "42"
        assert file.shapes == {"W": (2, 3)}
        np.testing.assert_array_equal(file.read("W", (2, 3), "float64"), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open")
def test_the_file_that_was_checked_is_the_one_that_is_read(tensor_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(path: Path, limit: int) -> BinaryIO:
        file = open_checked(path, limit)
        write_tensors(path, {"W": np.zeros(2)}, {"kind": "another"})
        return file

    open_checked = files.open_regular
    monkeypatch.setattr(files, "open_regular", replaced)
    with open_tensors(tensor_file, "thing") as file:
        np.testing.assert_array_equal(file.read("W", (2, 3), "float64"), [[0, 1, 2], [3, 4, 5]])


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    metadata = {"kind": "thing"} | {name: name for name in "abcdefgh"}
    for name in ("a", "b"):
        write_tensors(tmp_path / name, {"W": np.zeros(2), "b": np.ones(1)}, metadata)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_transposed_view_is_written_as_it_looks(tmp_path: Path) -> None:
    W = np.arange(6.0).reshape(2, 3).T
    write_tensors(tmp_path / "t", {"W": W}, {"kind": "thing"})
    with open_tensors(tmp_path / "t", "thing") as file:
        np.testing.assert_array_equal(file.read("W", (3, 2), "float64"), W)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "complaint"),
    [
        ("V", (2, 3), "float64", "'V' is missing"),
        ("W", (3, 2), "float64", r"shape \(2, 3\), expected \(3, 2\)"),
        ("W", (2, 3), "float32", "holds F64, expected float32"),
    ],
)
def test_a_tensor_that_is_not_as_expected(
    tensor_file: Path, name: str, shape: tuple, dtype: str, complaint: str
) -> None:
    with open_tensors(tensor_file, "thing") as file, pytest.raises(FileError, match=complaint):
        file.read(name, shape, dtype)


FORM = {"W": ((2, 3), "float64")}


def test_a_bit_that_has_changed_is_noticed_wherever_it_is(tensor_file: Path) -> None:
    content = tensor_file.read_bytes()
    with open_tensors(tensor_file, "thing") as file:
        np.testing.assert_array_equal(file.read_all(FORM)["W"], [[0, 1, 2], [3, 4, 5]])
    noticed = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        tensor_file.write_bytes(changed)
        try:
            with open_tensors(tensor_file, "thing") as file:
                tensors = file.read_all(FORM)
                note = file.metadata["note"]
        except (FileError, KeyError):
            noticed += 1
        else:  # it was in white space, say, and of what was written nothing has changed
            np.testing.assert_array_equal(tensors["W"], [[0, 1, 2], [3, 4, 5]])
            assert note == "42"
    assert noticed > len(content) - 40


def test_a_file_without_a_digest_is_taken_only_where_it_may_have_none(tensor_file: Path) -> None:
    save_file(load_file(tensor_file), tensor_file, {"glassnet": '{"kind": "thing"}'})
    with open_tensors(tensor_file, "thing") as file:
        np.testing.assert_array_equal(file.read_all(FORM, undigested=True)["W"], [[0, 1, 2], [3, 4, 5]])
        with pytest.raises(FileError, match="has changed since it was written"):
            file.read_all(FORM)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite(tmp_path: Path, value: float) -> None:
    write_tensors(tmp_path / "a", {"W": np.array([1, value])}, {"kind": "thing"})
    with open_tensors(tmp_path / "a", "thing") as file, pytest.raises(FileError, match="not finite"):
        file.read("W", (2,), "float64")


def test_files_that_are_not_ours(tmp_path: Path, tensor_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def complaint(path: Path) -> str:
        with pytest.raises(FileError) as error, open_tensors(path, "thing"):
            pass
        assert "\n" not in str(error.value)
        return str(error.value)

    os.mkfifo(tmp_path / "pipe")
    assert "is the path right?" in complaint(tmp_path / "none")
    (tmp_path / "empty").touch()
    assert "not a safetensors file" in complaint(tmp_path / "empty")
    (tmp_path / "cut").write_bytes(tensor_file.read_bytes()[:-1])
    assert "not a safetensors file" in complaint(tmp_path / "cut")
    write_tensors(tmp_path / "other", {"W": np.zeros(1)}, {})
    assert "not a glassnet thing" in complaint(tmp_path / "other")
    for name, what in ((".", "Is a directory"), ("pipe", "not a regular file"), ("\ud800", "there is no such name")):
        assert f"cannot be read ({what}); give a thing file" in complaint(tmp_path / name)
    monkeypatch.setattr(files, "MAX_TENSOR_FILE_BYTES", 10)
    assert "more than the 10" in complaint(tensor_file)


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
