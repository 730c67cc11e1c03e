import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from glassnet import tensor_files
from glassnet.errors import FileError
from glassnet.tensor_files import open_tensors, write_tensors


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

    open_checked = tensor_files.open_regular
    monkeypatch.setattr(tensor_files, "open_regular", replaced)
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
    monkeypatch.setattr(tensor_files, "MAX_TENSOR_FILE_BYTES", 10)
    assert "more than the 10" in complaint(tensor_file)
