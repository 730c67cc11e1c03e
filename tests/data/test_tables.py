import gzip
import io
import re
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
from complaints import only_complaints_about
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import glassnet.data.tables as tables
from glassnet.data.sources import load_dataset
from glassnet.data.tables import read_csv
from glassnet.errors import DataError

HEADER = "label,pixel0,pixel1,pixel2,pixel3"
IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def write(tmp_path, text):
    path = tmp_path / "train.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def table(tmp_path, text):
    images, labels, *_ = read_csv(write(tmp_path, text))
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
    images, labels, maximum, first_line, _ = read_csv(write(tmp_path, text))
    assert np.array_equal(images.reshape(len(rows), -1), np.rint(rows[:, 1:] * (255 / maximum)))
    assert maximum == 255 or maximum == rows[:, 1:].max() <= 16
    assert first_line == 2
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
    assert table(tmp_path, "pixel0\n7\n") == ([[255]], None)


@pytest.mark.parametrize(
    "cell", ["", "256", "1000", "-1", "1.5", "x", "1e3", "999999999999", "1_0", "٣", "0x5", "nan", "\0"]
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
        ("label,pixel0,pixel1,pixel2\n1,2,3,4\n", "3 columns of pixels, pixel0 to pixel2, are not a square image"),
        ("pixel0,pixel1,pixel2,pixel3,pixel4\n1,2,3,4,5\n", "5 columns of pixels"),
        ("label,1x1,1x2,2x2,3x1,3x2,3x3,1x3,2x3,4x4\n" + "1," * 9 + "1\n", "1x4 is missing"),
        ("label,r0c0,r0c1,r1c0\n1,2,3,4\n", "r1c1 is missing"),
        ("label,pixel0,pixel0,pixel1,pixel2\n1,2,3,4,5\n", "same name"),
        ("label,class,pixel0\n1,1,2\n", "'label' and 'class' both look like labels"),
        ("1,2,3,4,5,6,7\n" * 2, "no header, and 7 numbers in a row; expected a square number of pixels"),
        ("name,age\nx,3\n", "no columns of pixels in its first line .there are: 'name', 'age'"),
        ("label;pixel0;pixel1;pixel2;pixel3\n1;2;3;400;5\n", "line 2, column pixel2: '400' is not a whole number"),
        (
            "letter,pixel0\n1,2\n",
            "'letter' is neither label nor one of the pixels pixel0, …; remove it, or call it label",
        ),
        ("label,pixel0\n7,20\nseven,20\n", "line 3, column label: 'seven' is not"),
        ("label,pixel0\n0.5,20\n", "line 2, column label: '0.5' is not a whole number"),
        ("label,pixel0\n1,-0.5\n2,0.5\n", "line 2, column pixel0: '-0.5' is not .*fractions from 0 to 1"),
        (gzip.compress(HEADER.encode(), mtime=0)[:-9], "cannot be unpacked"),
        (zipped({"a.csv": HEADER, "b.csv": HEADER}), "an archive of a.csv, b.csv; unpack it"),
        (zipped({}), "not a CSV file of text"),
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
    rows[0, 1] = 255
    text = "\n".join([HEADER, *(",".join(map(str, row)) for row in rows)])
    monkeypatch.setattr(tables, "BLOCK", 64)
    assert table(tmp_path, text) == (rows[:, 1:].tolist(), rows[:, 0].tolist())


def parses(monkeypatch):
    calls = []
    parse = tables._parse
    monkeypatch.setattr(tables, "_parse", lambda *given: (calls.append(1), parse(*given))[1])
    return calls


def test_the_cache_is_used_and_notices_that_a_file_changed(tmp_path, monkeypatch):
    calls = parses(monkeypatch)
    assert table(tmp_path, HEADER + "\n1,20,3,4,5\n") == table(tmp_path, HEADER + "\n1,20,3,4,5\n")
    assert len(calls) == 1
    assert table(tmp_path, HEADER + "\n1,20,3,4,6\n") == ([[20, 3, 4, 6]], [1])
    assert len(calls) == 2
    assert table(tmp_path, "pixel0\n1\n") == table(tmp_path, "pixel0\n1\n") == ([[255]], None)


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
    assert table(tmp_path, HEADER + "\n1,20,3,4,5\n") == ([[20, 3, 4, 5]], [1])


SEPARATORS = [",", ";", "\t", "|", " "]
NEWLINES = ["\n", "\r\n", "\r"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
LABELS = ["label", "Label", "LABEL", "labels", "class", "target", "y", "Digit"]
IDS = [None, "", "id", "ImageId", "Unnamed: 0", "index"]
PIXELS = {
    "pixel0": lambda i, side: f"pixel{i}",
    "pixel1": lambda i, side: f"pixel{i + 1}",
    "Pixel_0": lambda i, side: f"Pixel_{i}",
    "1x1": lambda i, side: f"{i // side + 1}x{i % side + 1}",
    "r0c0": lambda i, side: f"r{i // side}c{i % side}",
    "x0": lambda i, side: f"x{i}",
    "0": lambda i, side: str(i),
}
PACKINGS = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "zip": lambda content: zipped({"train.csv": content}),
    "zip with a folder for macOS": lambda content: zipped({"a/train.csv": content, "__MACOSX/a/._train.csv": b"\0"}),
}


def numbers(count, side):
    """Return labels, and images in which a corner is always 0, as it is in MNIST."""
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, side * side))
    images[:, [0, -1]], images[0, 1] = 0, 255
    return rng.permutation(np.arange(count) % 10), images


@settings(IN_ONE_FOLDER, max_examples=300)
@given(
    side=st.sampled_from([3, 8, 16, 28]),
    count=st.integers(2, 30),
    separator=st.sampled_from(SEPARATORS),
    newline=st.sampled_from(NEWLINES),
    encoding=st.sampled_from(ENCODINGS),
    packing=st.sampled_from(sorted(PACKINGS)),
    header=st.booleans(),
    label=st.sampled_from(LABELS),
    last=st.booleans(),
    ids=st.sampled_from(IDS),
    pixels=st.sampled_from(sorted(PIXELS)),
    cell=st.sampled_from(["{:d}", "{:.1f}", '"{:d}"', "{:.6e}"]),
    ending=st.sampled_from(["", "\n", "\n\n"]),
    trailing=st.booleans(),
)
def test_the_forms_in_which_people_have_tables(
    tmp_path,
    side,
    count,
    separator,
    newline,
    encoding,
    packing,
    header,
    label,
    last,
    ids,
    pixels,
    cell,
    ending,
    trailing,
):
    labels, images = numbers(count, side)
    rows = np.column_stack([images, labels] if last else [labels, images])
    names = [PIXELS[pixels](i, side) for i in range(side * side)]
    names = [*names, label] if last else [label, *names]
    if header and ids is not None:
        rows, names = np.column_stack([np.arange(count) + 1000, rows]), [ids, *names]
    lines = [[f'"{name}"' if "i" in cell else name for name in names]] if header else []
    lines += [[cell.format(int(number) if "d" in cell else float(number)) for number in row] for row in rows]
    end = separator if trailing and separator not in " " else ""
    if separator == " ":
        lines = [[part.replace(" ", "_") or '""' for part in line] for line in lines]
    text = (end + newline).join(separator.join(line) for line in lines) + end + ending.replace("\n", newline)
    found = read_csv(write(tmp_path, PACKINGS[packing](text.encode(encoding))))
    assert np.array_equal(found.images.reshape(count, -1), images)
    assert np.array_equal(found.labels, labels)


@pytest.mark.parametrize("side", [8, 28])
def test_a_table_without_labels_or_header(tmp_path, side):
    _, images = numbers(5, side)
    text = "\n".join(",".join(map(str, row)) for row in images.tolist())
    assert table(tmp_path, text) == (images.tolist(), None)


def test_a_column_that_counts_the_rows_of_a_table_without_header_is_left_out(tmp_path):
    labels, images = numbers(30, 4)
    for number in (range(30), range(1, 31)):
        rows = np.column_stack([number, labels, images])
        text = "\n".join(",".join(map(str, row)) for row in rows.tolist())
        assert table(tmp_path, text) == (images.tolist(), labels.tolist())


def test_what_pandas_and_r_and_excel_write(tmp_path):
    labels, images = numbers(20, 4)
    rows = np.column_stack([labels, images]).tolist()

    def text(header, separator=",", number=False):
        lines = [separator.join(map(str, [i, *row] if number else row)) for i, row in enumerate(rows, 1)]
        return "\n".join([header, *lines])

    right = images.tolist(), labels.tolist()
    assert table(tmp_path, text("," + ",".join(map(str, range(17))), number=True)) == right  # DataFrame.to_csv()
    assert table(tmp_path, text(",".join(map(str, range(17))))) == right
    assert table(tmp_path, text(",".join(f'"V{i}"' for i in range(1, 18)), number=True)) == right  # R's write.table
    assert table(tmp_path, "sep=;\n" + text(";".join(["label", *(f"pixel{i}" for i in range(16))]), ";")) == right
    decimal = text(";".join(["label", *(f"pixel{i}" for i in range(16))]), ",0;") + ",0"
    assert table(tmp_path, decimal) == right
    assert table(tmp_path, "# " + text(",".join(["label", *(f"pixel{i}" for i in range(16))]))) == right  # savetxt


def test_what_stands_in_columns_that_are_left_out_does_not_matter(tmp_path):
    text = f"id,{HEADER}\nfirst.png,1,0,20,255,3\n,2,9,8,7,6\n"
    assert table(tmp_path, text) == ([[0, 20, 255, 3], [9, 8, 7, 6]], [1, 2])
    path = write(tmp_path, text.replace("9,8,7,6", "9,8,x,6"))
    with pytest.raises(DataError, match=r"line 3, column pixel2: 'x' is not"):
        read_csv(path)
    for wrong in (text.replace("9,8,7,6", "9,8,7"), text.replace("9,8,7,6", "9,8,7,6,5")):
        with pytest.raises(DataError, match=r"line 3 has \d cells, but the header has 6"):
            read_csv(write(tmp_path, wrong))


@pytest.mark.parametrize("top", [1, 16, 1.0])
def test_the_scale_is_told_from_the_whole_table(tmp_path, top):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, int(top) + 1, (20, 4))
    counts[0, 0] = top
    rows = rng.random((20, 4)).round(4) if isinstance(top, float) else counts
    text = "\n".join([HEADER, *(",".join(map(str, [1, *row])) for row in rows.tolist())])
    found = read_csv(write(tmp_path, text))
    assert found.maximum == top
    assert np.array_equal(found.images.reshape(20, 4), np.rint(rows * (255 / top)))


def test_the_line_of_a_label_counts_what_stands_before_it(tmp_path):
    assert read_csv(write(tmp_path, HEADER + "\n1,20,3,4,5\n")).first_line == 2
    assert read_csv(write(tmp_path, "1,20,3,4,5\n2,20,3,4,6\n")).first_line == 1
    path = write(tmp_path, "sep=,\n" + HEADER + "\n1,20,3,4,5\n")
    assert read_csv(path).first_line == 3
    assert read_csv(path).first_line == 3  # from the cache


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("header", [False, True])
def test_labels_may_be_words(tmp_path, header, last):
    rng, words = np.random.default_rng(0), ["two", "ten", "a b"]
    images, labels = rng.integers(0, 256, (30, 3, 3), np.uint8), [words[i % 3] for i in range(30)]
    images[:, 0] = 0  # ground
    names = [f"pixel{i}" for i in range(9)]
    rows = [names] * header + [list(map(str, image.ravel())) for image in images]
    cells = ["label"] * header + labels
    order = (lambda word, row: [*row, word]) if last else (lambda word, row: [word, *row])
    path = tmp_path / "words.csv"
    path.write_text("\n".join(",".join(order(word, row)) for word, row in zip(cells, rows, strict=True)) + "\n")
    for _ in range(2):  # also from the cache
        dataset = load_dataset(path)
        assert dataset.classes == ("a b", "ten", "two")
        found = {
            image.tobytes(): dataset.classes[label]
            for part in (dataset.train, dataset.test)
            for image, label in zip(part.images, part.labels, strict=True)
        }
        assert found == {image.tobytes(): word for image, word in zip(images, labels, strict=True)}
    assert load_dataset(path, classes=["two", "ten", "a b"]).classes == ("two", "ten", "a b")
    with pytest.raises(DataError, match=r"the label 'a b' at line .* is not one of the 2 classes"):
        load_dataset(path, classes=["two", "ten"])


@pytest.mark.parametrize("column", [0, 300, 600, 784])
def test_words_take_little_more_memory_than_the_file(tmp_path, monkeypatch, column):
    monkeypatch.setattr(tables, "BLOCK", 2**16)  # so that a small file has many, as a large one has
    pixels, words = np.random.default_rng(0).integers(0, 256, (300, 784)), ["two", "ten", "a"]
    names = [f"pixel{i}" for i in range(784)]
    names.insert(column, "label")
    lines = [names]
    for i, row in enumerate(pixels):
        lines.append([str(pixel) for pixel in row])
        lines[-1].insert(column, words[i % 3])
    path = write(tmp_path, "".join(",".join(line) + "\n" for line in lines))
    tracemalloc.start()
    found = read_csv(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.names == ("a", "ten", "two")
    assert found.labels.tolist() == [("a", "ten", "two").index(words[i % 3]) for i in range(300)]
    np.testing.assert_array_equal(found.images.reshape(300, -1), pixels)
    assert peak < 6 * path.stat().st_size


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", [False, True])
def test_a_cell_in_quotation_marks_may_hold_the_separator(tmp_path, separator, header):
    words = ["a", f"b{separator}c", f"d{separator}{separator}e", "f's"]
    rows = [["label", *(f"pixel{i}" for i in range(9))]] * header
    rows += [[f'"{word}"', *(["0"] * 4), f'"{i}"', *(["9"] * 4)] for i, word in enumerate(words)]
    table = read_csv(write(tmp_path, "\n".join(separator.join(row) for row in rows)))
    assert table.names == tuple(words)
    assert table.labels.tolist() == [0, 1, 2, 3]
    assert table.images.shape == (4, 3, 3)


def test_a_mark_too_many_is_left_out(tmp_path):
    assert table(tmp_path, f'{HEADER}\n1",0,20,255,3\n"2","9",8,7,6\n') == ([[0, 20, 255, 3], [9, 8, 7, 6]], [1, 2])


@pytest.mark.parametrize("missing", ["", "NaN", "nan", "<NA>", "null", " "])
@pytest.mark.parametrize("line", [2, 4])
def test_a_word_that_is_missing_is_no_class(tmp_path, missing, line):
    labels = ["cat", "dog", "cat"]
    labels[line - 2] = missing
    path = write(tmp_path, "label,pixel0\n" + "".join(f"{word},20\n" for word in labels))
    told = f"line {line}: the label is missing ({missing.strip()!r}); give it one, or remove the row"
    with pytest.raises(DataError, match=re.escape(told)):
        read_csv(path)
