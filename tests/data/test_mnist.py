import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest

from glassnet.data import load_dataset, mnist
from glassnet.data.idx import FILES
from glassnet.errors import DataError

DEAD = "http://127.0.0.1:9/"  # the discard port, at which nobody listens


class Quiet(SimpleHTTPRequestHandler):
    requests: list[str] = []  # noqa: RUF012  # one list for the handlers of one test

    def log_message(self, *message):
        self.requests.append(self.path)


@pytest.fixture
def mirror(mnist_folder, monkeypatch) -> Iterator[str]:
    """A mirror on this machine of the small MNIST, whose sums are now the right ones."""
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in mnist_folder.iterdir()}
    sums |= {
        path.name.removesuffix(".gz"): hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        for path in mnist_folder.iterdir()
    }
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Quiet.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mnist_folder)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(mnist, "MIRRORS", (address,))
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_is_downloaded_once(mirror, cache, capfd):
    dataset = load_dataset("mnist")
    assert (len(dataset.train), len(dataset.test), dataset.official_test) == (50, 20, True)
    assert (dataset.name, dataset.source) == ("mnist", "mnist")
    assert load_dataset("mnist").fingerprint == dataset.fingerprint
    assert len(Quiet.requests) == 4
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(f"{name}.gz" for name in FILES.values())
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_in_the_cache_is_downloaded_again(mirror, cache):
    before = load_dataset("mnist").fingerprint
    (cache / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(b"rubbish")
    assert load_dataset("mnist").fingerprint == before
    assert len(Quiet.requests) == 5


def test_a_second_mirror_helps(mirror, monkeypatch, mnist_folder):
    monkeypatch.setattr(mnist, "MIRRORS", (DEAD, mirror + "no-such-folder/", mirror))
    assert load_dataset("mnist").fingerprint == load_dataset(mnist_folder).fingerprint


def test_no_network(mirror, monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", (DEAD,))
    with pytest.raises(DataError, match=r"are you online\?.*GLASSNET_DATA") as error:
        load_dataset("mnist")
    assert "\n" not in str(error.value)


def test_a_mirror_that_sends_something_else(mirror, mnist_folder, cache):
    (mnist_folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match="wrong checksum"):
        load_dataset("mnist")
    assert not (cache / "mnist" / "t10k-labels-idx1-ubyte.gz").exists()


def test_a_mirror_that_sends_without_end(mirror, mnist_folder, cache, monkeypatch):
    monkeypatch.setattr(mnist, "LARGEST_DOWNLOAD", 20_000)
    with (mnist_folder / "train-images-idx3-ubyte.gz").open("r+b") as file:
        file.truncate(10**9)
    with pytest.raises(DataError, match="cannot download MNIST"):
        load_dataset("mnist")
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 40_000


def test_a_cache_that_cannot_be_written(mirror, cache, monkeypatch):
    (cache / "file").write_text("")
    monkeypatch.setenv("GLASSNET_CACHE", str(cache / "file"))
    with pytest.raises(DataError, match=r"cannot save MNIST in .*GLASSNET_CACHE"):
        load_dataset("mnist")


def test_a_person_sees_a_bar(mirror, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert len(load_dataset("mnist").train) == 50
    assert "images-idx3-ubyte" in capsys.readouterr().err


@pytest.mark.parametrize("zipped", [True, False])
def test_glassnet_data_comes_first_and_is_checked(mirror, tmp_path, monkeypatch, write_mnist, zipped):
    folder = write_mnist(tmp_path / "data" / "mnist", zipped=zipped)
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(mnist, "MIRRORS", (DEAD,))
    assert load_dataset("mnist").fingerprint == load_dataset(folder).fingerprint
    path = next(folder.glob("train-images*"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match="SHA-256"):
        load_dataset("mnist")


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw"])
def test_files_gzipped_anew_are_the_same_files(mirror, tmp_path, monkeypatch, write_mnist, place):
    folder = write_mnist(tmp_path / "data" / place)
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(mnist, "MIRRORS", (DEAD,))
    right = load_dataset("mnist").fingerprint
    for path in folder.iterdir():
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9, mtime=1))
    assert load_dataset("mnist").fingerprint == right
    path = next(folder.glob("train-images*"))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"!"))
    with pytest.raises(DataError, match="SHA-256"):
        load_dataset("mnist")


def test_an_incomplete_glassnet_data_is_passed_over(mirror, tmp_path, monkeypatch, write_mnist):
    write_mnist(tmp_path / "data" / "mnist", test=False)
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "data"))
    assert len(load_dataset("mnist").test) == 20
    assert len(Quiet.requests) == 4


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_mnist_itself(monkeypatch, request):
    monkeypatch.setenv("GLASSNET_DATA", REAL)
    dataset = load_dataset("mnist")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (60_000, 10_000, (28, 28))
    assert np.bincount(dataset.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert load_dataset(Path(REAL) / "mnist").fingerprint == dataset.fingerprint


REAL = os.environ.get("GLASSNET_DATA", "")


def openml(monkeypatch, answer):
    calls = []

    def fetch_openml(name, **settings):
        calls.append((name, settings["version"]))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    return calls


def test_openml_is_fetched_once_and_its_last_rows_are_the_test(monkeypatch):
    monkeypatch.setattr("glassnet.data.sources.OPENML_TRAINING", 30)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 784)).astype(float)
    labels = np.array([str(i % 10) for i in range(40)], object)
    calls = openml(monkeypatch, SimpleNamespace(data=pixels, target=labels))
    for source in ("openml", "mnist_784"):
        dataset = load_dataset(source)
        assert (len(dataset.train), len(dataset.test), dataset.official_test) == (30, 10, True)
        assert np.array_equal(dataset.test.images.reshape(10, 784), pixels[30:])
        assert dataset.test.labels.tolist() == list(range(10))
    assert calls == [("mnist_784", 1)]


def test_openml_without_a_network(monkeypatch):
    openml(monkeypatch, URLError("no\nroute"))
    with pytest.raises(DataError, match=r"no route.*are you online\?") as error:
        load_dataset("openml")
    assert "\n" not in str(error.value)
