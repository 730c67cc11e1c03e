"""How many threads a run gets where nobody says."""

import json
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset, train
from glassnet.cli import main
from glassnet.training import Config, measured_threads, prepare, thread_choice
from glassnet.training.thread_choice import fastest_threads

SETTINGS = {"hidden": [16], "epochs": 1, "batch_size": 50, "engine": "numpy"}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(autouse=True)
def long_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measure for short runs, too, on a machine of four processors where nothing is kept yet."""
    monkeypatch.setattr(thread_choice, "WORTHWHILE", 1)
    monkeypatch.setattr(thread_choice, "STEPS", 2)
    monkeypatch.setattr(thread_choice, "available_threads", lambda: 4)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))


def choose(digits: Dataset, **settings: object) -> int:
    config = Config.resolve("fast", **SETTINGS | settings)
    return fastest_threads(config, prepare(config, digits), digits)


def measure(monkeypatch: pytest.MonkeyPatch, *found: tuple[dict[int, float], bool]) -> list[int]:
    """Have measurements find this, one after the other, and return a list that grows with each."""
    left, calls = list(found), list[int]()

    def found_next(*_: object) -> tuple[dict[int, float], bool]:
        calls.append(len(calls) + 1)
        return left.pop(0)

    monkeypatch.setattr(thread_choice, "_measure", found_next)
    return calls


def test_the_number_of_threads_with_the_shortest_step_is_taken_or_fewer_that_are_hardly_slower(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seconds, threads in (
        ({1: 1.0, 2: 0.8, 4: 0.7}, 4),
        ({1: 1.0, 2: 0.8, 4: 0.78}, 2),
        ({1: 1.0, 2: 0.97, 4: 1.5}, 1),
        ({1: 1.0, 2: 3.0, 4: 0.5}, 4),
    ):
        monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / str(threads) / str(seconds[2])))
        measure(monkeypatch, (seconds, False))
        assert choose(digits) == threads


def test_it_is_measured_in_three_runs_of_a_kind_and_the_shortest_times_count(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measure(
        monkeypatch, ({1: 1.0, 4: 1.2}, False), ({1: 1.1, 4: 0.6}, False), ({1: 1.1, 4: 1.3}, False), ({1: 0.1}, False)
    )
    assert [choose(digits) for _ in range(5)] == [1, 4, 4, 4, 4]
    assert calls == [1, 2, 3]
    choose(digits, batch_size=60)  # is another kind
    assert calls == [1, 2, 3, 4]
    assert measured_threads() == {
        "numpy float32 64-16-10 batch 50 relu adam": 4,
        "numpy float32 64-16-10 batch 60 relu adam": 1,
    }


def test_what_was_measured_on_a_busy_machine_is_not_kept(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = measure(monkeypatch, ({1: 1.0, 4: 1.2}, True), ({1: 1.0, 4: 0.5}, False), ({1: 1.0, 4: 1.2}, True))
    assert [choose(digits) for _ in range(3)] == [1, 4, 1]
    assert calls == [1, 2, 3]
    assert list(measured_threads().values()) == [4]


def test_who_says_how_many_gets_them_and_short_runs_are_not_measured(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = measure(monkeypatch)
    assert train(digits, "fast", out=tmp_path / "run", threads=2, **SETTINGS).config.threads == 2
    assert choose(digits, batch_size="all") == choose(digits, batch_size=1) == 1
    monkeypatch.setattr(thread_choice, "WORTHWHILE", 10**12)
    assert choose(digits) == 1
    assert calls == []


@pytest.mark.parametrize(
    "content", ["", "[]", '{"a": 1}', '{"a": [1, {}]}', '{"a": [1, {"x": 2}]}', '{"a": [null, {}]}']
)
def test_a_damaged_file_is_none(content: str, digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "cache/threads.json"
    path.parent.mkdir()
    path.write_text(content)
    assert measured_threads() == {}
    measure(monkeypatch, ({1: 1.0, 4: 0.5}, False))
    assert choose(digits) == 4
    assert len(json.loads(path.read_text())) == 1


def test_a_folder_that_cannot_be_written_is_no_error(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "file"))
    measure(monkeypatch, ({1: 1.0, 4: 0.5}, False))
    assert choose(digits) == 4


def test_real_steps_are_measured_and_info_and_config_say_what_came_out(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thread_choice, "BUSY", 0)  # whatever else this machine does
    run = train(digits, "fast", out=tmp_path / "run", **SETTINGS | {"rotation": 10, "batch_norm": True})
    ((runs, seconds),) = json.loads((tmp_path / "cache/threads.json").read_text()).values()
    assert runs == 1
    assert list(seconds) == ["1", "2", "4"]
    assert all(0 < taken < 1 for taken in seconds.values())
    assert measured_threads() == {"numpy float32 64-16-10 batch 50 relu adam batch_norm distorted": run.config.threads}
    assert main(["info"]) == 0
    assert "numpy float32 64-16-10 batch 50 relu adam batch_norm distorted" in capsys.readouterr().out


def test_info_fits_into_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kind = "compiled float32 28×28 pixels, conv 16 5x5, pool 2, conv 32 5x5, pool 2, dense 128, 10 classes batch 128"
    monkeypatch.setattr("glassnet.cli.show.measured_threads", lambda: {kind: 2})
    monkeypatch.setattr("glassnet.cli.show.cache_folder", lambda: Path("cache"))
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert kind in " ".join(out.split())


def test_it_is_measured_for_any_number_of_classes(tmp_path: Path) -> None:
    rng, letters = np.random.default_rng(0), tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    images, labels = rng.integers(0, 256, (520, 8, 8), np.uint8), np.arange(520) % 26
    run = train(load_dataset((images, labels), classes=letters), "fast", out=tmp_path / "run", **SETTINGS)
    assert run.model.classes == letters
