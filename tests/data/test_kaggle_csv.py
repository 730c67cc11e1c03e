import re
import shutil

import numpy as np
import pytest
from complaints import only_complaints_about
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import glassnet.data.kaggle_csv as kaggle_csv
from glassnet.data.kaggle_csv import read_csv
from glassnet.errors import DataError

HEADER = "label,pixel0,pixel1,pixel2,pixel3"
IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def write(tmp_path, text):
    path = tmp_path / "train.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(tmp_path, text):
    images, labels = read_csv(write(tmp_path, text))
    return images.reshape(len(images), -1).tolist(), None if labels is None else labels.tolist()


@IN_ONE_FOLDER
@given(st.data(), st.integers(1, 3), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.randoms())
def test_what_was_written_is_read(tmp_path, data, side, newline, last, quoted, random):
    rows = data.draw(arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(1 + side * side))))
    names = ["label", *(f"pixel{i}" for i in range(side * side))]
    order = list(range(len(names)))
    random.shuffle(order)
    cells = [[names[i] for i in order], *([str(row[i]) for i in order] for row in rows)]
    text = newline.join(",".join(f'"{cell}"' if quoted else cell for cell in row) for row in cells) + newline * last
    images, labels = read_csv(write(tmp_path, text))
    assert np.array_equal(images.reshape(len(rows), -1), rows[:, 1:])
    assert np.array_equal(labels, rows[:, 0])


@IN_ONE_FOLDER
@given(st.data())
def test_damage_is_an_error_or_other_numbers_but_never_a_crash(tmp_path, data):
    content = bytearray(f"{HEADER}\n1,0,20,255,3\n7,1,2,3,4\n".encode())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path, bytes(content[: data.draw(st.integers(0, len(content)))]))
    with only_complaints_about(path):
        assert read_csv(path).images.shape[1:] in {(2, 2), (1, 1)}


def test_forms_that_are_right(tmp_path):
    right = ([[0, 20, 255, 3], [9, 8, 7, 6]], [1, 2])
    for text in (
        f"{HEADER}\n1,0,20,255,3\n2,9,8,7,6\n",
        f"\ufeff{HEADER}\n1,0,20,255,3\n2,9,8,7,6",
        f"{HEADER}\n1,0, 20,255 ,3\n\n2,9,8,7,6\n\n",
        f"{HEADER}\n1,000,020,255,3\n2,0009,8,7,6\n",
        "pixel3,pixel1,label,pixel0,pixel2\n3,20,1,0,255\n6,8,2,9,7\n",
    ):
        assert table(tmp_path, text) == right
    assert table(tmp_path, "pixel0\n7\n") == ([[7]], None)


@pytest.mark.parametrize(
    "cell", ["", "256", "1000", "-1", "1.5", "x", "1e2", "999999999999", "1_0", "٣", "0x5", "nan", "\0"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_bad_cell_is_named_by_line_and_column(tmp_path, cell, newline):
    path = write(tmp_path, newline.join([HEADER, "1,0,20,255,3", f"2,9,8,{cell},6", ""]))
    if cell == "\0":
        with pytest.raises(DataError, match="line"):
            read_csv(path)
        return
    shown = re.escape(repr(cell))
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: line 3, column pixel2: {shown}"):
        read_csv(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        (HEADER, "no rows"),
        (HEADER + "\n", "no rows"),
        ("label,pixel0,pixel1,pixel3\n1,2,3,4\n", "pixel2 is missing"),
        ("label,pixel0,pixel1,pixel2\n1,2,3,4\n", "pixel3 is missing"),
        ("label,pixel1,pixel2,pixel3,pixel4\n1,2,3,4,5\n", "pixel0 is missing"),
        ("label,pixel0,pixel0,pixel1,pixel2\n1,2,3,4,5\n", "same name"),
        ("1,2,3,4,5\n1,2,3,4,5\n", "no columns pixel0"),
        ("label;pixel0;pixel1;pixel2;pixel3\n1;2;3;4;5\n", "no columns pixel0"),
        ("id,label,pixel0\n1,2,3\n", "'id' is neither"),
        (HEADER + "\n1,2,3,4,5\n1,2,3,4\n", "line 3 has 4 cells, but the header has 5"),
        (HEADER + "\n1,2,3,4,5,6\n", "line 2 has 6 cells"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a CSV file of text"),
    ],
)
def test_bad_files_are_named_and_explained(tmp_path, text, what):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{what}"):
        read_csv(path)


def test_a_file_that_is_too_large_is_not_opened(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(DataError, match="2,147,483,649 bytes"):
        read_csv(path)


def test_text_of_many_blocks_is_read_like_one(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).integers(0, 256, (200, 5))
    text = "\n".join([HEADER, *(",".join(map(str, row)) for row in rows)])
    monkeypatch.setattr(kaggle_csv, "BLOCK", 64)
    assert table(tmp_path, text) == (rows[:, 1:].tolist(), rows[:, 0].tolist())


def parses(monkeypatch):
    calls = []
    parse = kaggle_csv._parse
    monkeypatch.setattr(kaggle_csv, "_parse", lambda *given: (calls.append(1), parse(*given))[1])
    return calls


def test_the_cache_is_used_and_notices_that_a_file_changed(tmp_path, monkeypatch):
    calls = parses(monkeypatch)
    assert table(tmp_path, HEADER + "\n1,2,3,4,5\n") == table(tmp_path, HEADER + "\n1,2,3,4,5\n")
    assert len(calls) == 1
    assert table(tmp_path, HEADER + "\n1,2,3,4,6\n") == ([[2, 3, 4, 6]], [1])
    assert len(calls) == 2
    assert table(tmp_path, "pixel0\n1\n") == table(tmp_path, "pixel0\n1\n") == ([[1]], None)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:40], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b"", lambda b: b"{}" * 50]
)
def test_a_damaged_cache_is_made_again(tmp_path, cache, monkeypatch, damage):
    calls = parses(monkeypatch)
    right = table(tmp_path, HEADER + "\n1,2,3,4,5\n")
    (kept,) = cache.rglob("*.safetensors")
    kept.write_bytes(damage(kept.read_bytes()))
    assert table(tmp_path, HEADER + "\n1,2,3,4,5\n") == right
    assert len(calls) == 2
    assert table(tmp_path, HEADER + "\n1,2,3,4,5\n") == right
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path, cache):
    shutil.rmtree(cache)
    cache.write_text("a file where a folder should be")
    assert table(tmp_path, HEADER + "\n1,2,3,4,5\n") == ([[2, 3, 4, 5]], [1])
