"""Data sets by name, from a mirror on this machine with small files of the same form as the real ones."""

import bz2
import gzip
import hashlib
import io
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from glassnet.cli import main
from glassnet.data import card, load_dataset, needs_download, qmnist_writers
from glassnet.data.catalogue import NAMED_FILES
from glassnet.data.idx import FILES
from glassnet.errors import DataError

RNG = np.random.default_rng(0)
SIDE = 28
TRAINING, TEST = 40, 12


def idx(array: np.ndarray, code: int = 8) -> bytes:
    content = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(content + array.tobytes(), 1, mtime=0)


def images(n: int) -> np.ndarray:
    made = np.zeros((n, SIDE, SIDE), np.uint8)
    made[:, 3:25, 10:14] = RNG.integers(100, 256, (n, 22, 4))  # an upright stroke
    return made


def labels(n: int, classes: int = 10, first: int = 0) -> np.ndarray:
    return (np.arange(n) % classes + first).astype(np.uint8)


TRUE = {"train": images(TRAINING), "test": images(TEST)}
COUNTS = {"train": TRAINING, "test": TEST}


def like_mnist() -> dict[str, bytes]:
    made = {}
    for part in COUNTS:
        made[f"{FILES[f'{part} images']}.gz"] = idx(TRUE[part])
        made[f"{FILES[f'{part} labels']}.gz"] = idx(labels(COUNTS[part]))
    return made


def like_emnist() -> dict[str, bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for split, classes, first in (("digits", 10, 0), ("letters", 26, 1)):
            for part, n in COUNTS.items():
                name = f"gzip/emnist-{split}-{part}"
                file.writestr(f"{name}-images-idx3-ubyte.gz", idx(TRUE[part].transpose(0, 2, 1)))
                file.writestr(f"{name}-labels-idx1-ubyte.gz", idx(labels(n, classes, first)))
    return {"gzip.zip": archive.getvalue()}


def like_qmnist() -> dict[str, bytes]:
    made = {}
    for part, n in COUNTS.items():
        table = np.column_stack([labels(n), np.full(n, 4), np.arange(n) + 2000, *[np.zeros(n)] * 5]).astype(">i4")
        made[f"qmnist-{part}-images-idx3-ubyte.gz"] = idx(TRUE[part])
        made[f"qmnist-{part}-labels-idx2-int.gz"] = idx(table, 12)
    return made


def like_usps() -> dict[str, bytes]:
    made = {}
    for part, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        rows = TRUE[part][:, :16, :16].reshape(-1, 256) / 127.5 - 1
        lines = [
            f"{label} " + " ".join(f"{i + 1}:{value:.6g}" for i, value in enumerate(row)) + "\n"
            for label, row in zip(labels(len(rows), 10, 1), rows, strict=True)
        ]
        made[name] = bz2.compress("".join(lines).encode())
    return made


FILES_OF = {
    "fashion-mnist": like_mnist(),
    "kmnist": like_mnist(),
    "emnist-digits": like_emnist(),
    "emnist-letters": like_emnist(),
    "qmnist": like_qmnist(),
    "usps": like_usps(),
}
TORCHVISION = {
    "fashion-mnist": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "emnist-digits": "EMNIST/raw",
    "emnist-letters": "EMNIST/raw",
    "qmnist": "QMNIST/raw",
    "usps": "USPS",
}


class Quiet(SimpleHTTPRequestHandler):
    requests: list[str] = []  # noqa: RUF012  # one list for the handlers of one test

    def log_message(self, *message: object) -> None:
        self.requests.append(self.path)


@pytest.fixture(params=NAMED_FILES)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A data set whose sums are those of the small files."""
    sums = {file: hashlib.md5(content).hexdigest() for file, content in FILES_OF[request.param].items()}
    assert set(sums) == set(NAMED_FILES[request.param].sums)
    monkeypatch.setitem(NAMED_FILES, request.param, NAMED_FILES[request.param]._replace(sums=sums))
    return str(request.param)


@pytest.fixture
def mirror(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "mirror"
    write(folder, name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Quiet.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setitem(NAMED_FILES, name, NAMED_FILES[name]._replace(mirrors=(address,)))
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def write(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    for file, content in FILES_OF[name].items():
        (folder / file).write_bytes(content)


def check(name: str) -> None:
    dataset = load_dataset(name)
    assert (dataset.name, dataset.source, dataset.official_test) == (name, name, True)
    for part, examples in (("train", dataset.train), ("test", dataset.test)):
        expected = TRUE[part][:, :16, :16] if name == "usps" else TRUE[part]
        np.testing.assert_array_equal(examples.images, expected)
        np.testing.assert_array_equal(examples.labels, np.arange(COUNTS[part]) % len(dataset.classes))


def test_it_is_downloaded_once(name: str, mirror: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert needs_download(name)
    check(name)
    asked = len(Quiet.requests)
    assert asked == len(FILES_OF[name])
    assert not needs_download(name)
    check(name)
    assert len(Quiet.requests) == asked
    assert capfd.readouterr() == ("", "")


def test_a_file_with_another_sum_is_refused(name: str, mirror: Path, cache: Path) -> None:
    damaged = next(iter(FILES_OF[name]))
    (mirror / damaged).write_bytes(b"something else")
    with pytest.raises(DataError, match=rf"cannot download .* \({damaged}\).*wrong checksum") as error:
        load_dataset(name)
    assert "\n" not in str(error.value)
    assert not (cache / name / damaged).exists()


@pytest.mark.parametrize("form", ["own", "torchvision"])
def test_folders_on_this_machine_come_first(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED_FILES, name, NAMED_FILES[name]._replace(mirrors=("http://127.0.0.1:9/",)))
    with pytest.raises(DataError, match=r"are you online\?.*set GLASSNET_DATA") as error:
        load_dataset(name)
    told = re.search(r"offline, put (.+) into a folder (\S+) and set", str(error.value))
    assert told
    listed, own = told.groups()
    assert re.split(", | and ", listed) == list(NAMED_FILES[name].sums)
    folder = tmp_path / (own if form == "own" else TORCHVISION[name])
    write(folder, name)
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path))
    assert not needs_download(name)
    check(name)
    file = folder / next(iter(FILES_OF[name]))
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(DataError, match="wrong MD5 checksum"):
        load_dataset(name)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("emnist", "'emnist-digits' or 'emnist-letters'"), ("FASHION-MNIST", "'fashion-mnist'"), ("mnits", "'mnist'")],
)
def test_a_name_that_is_nearly_right(asked: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", asked]) == 2
    assert f"called {asked!r} (did you mean {meant}?)" in capsys.readouterr().err


def test_the_command_shows_the_card(name: str, mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", name]) == 0
    shown, known = capsys.readouterr().out, card(name)
    assert known
    assert known.licence.split()[0] in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_classes_are_its_own(name: str, mirror: Path) -> None:
    classes = load_dataset(name).classes
    assert load_dataset(name, classes=classes).classes == classes
    assert load_dataset(name, classes=len(classes)).classes == classes
    for wrong in (7, [f"class {i}" for i in range(10)]):
        with pytest.raises(
            DataError, match=rf"{name}: its {len(classes)} classes are {classes[0]} to {classes[-1]}, not"
        ):
            load_dataset(name, classes=wrong)


@pytest.mark.parametrize("name", ["qmnist"], indirect=True)
def test_who_wrote_qmnist(name: str, mirror: Path) -> None:
    train, test = qmnist_writers()
    assert train.tolist() == list(range(2000, 2000 + TRAINING))
    assert test.tolist() == list(range(2000, 2000 + TEST))


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where the data sets are")
@pytest.mark.parametrize(
    ("real", "training", "test"),
    [
        ("fashion-mnist", 60_000, 10_000),
        ("kmnist", 60_000, 10_000),
        ("emnist-digits", 240_000, 40_000),
        ("emnist-letters", 124_800, 20_800),
        ("qmnist", 60_000, 60_000),
        ("usps", 7_291, 2_007),
    ],
)
def test_the_data_sets_themselves(real: str, training: int, test: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_DATA", REAL)
    if needs_download(real):
        pytest.skip(f"GLASSNET_DATA has no {real}")
    dataset = load_dataset(real)
    assert (len(dataset.train), len(dataset.test)) == (training, test)


REAL = os.environ.get("GLASSNET_DATA", "")
