"""The one reader of a run's JSON lines."""

import json
import os
from pathlib import Path

import pytest

from glassnet.errors import FileError
from glassnet.training.history import best_row, is_better, read_history, read_steps

ROW = {
    "epoch": 1,
    "step": 12,
    "seconds": 0.5,
    "learning_rate": 0.1,
    "loss": 2.0,
    "accuracy": 0.5,
    "validation_loss": None,
    "validation_accuracy": None,
}
BAD = [
    {"epoch": 1.5},
    {"epoch": True},
    {"step": None},
    {"seconds": "1"},
    {"accuracy": None},
    {"loss": float("nan")},
    {"validation_loss": float("inf")},
    {"learning_rate": [0.1]},
    {"step": 10**400},
    {"seconds": 2**63},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "history.jsonl"
    good, bad = json.dumps(ROW), json.dumps(ROW | change)
    path.write_text(f"{good}\n{bad}\n{good}\n")
    with pytest.raises(FileError, match=r"history\.jsonl, line 2: not a row of a history; delete the line"):
        read_history(path)
    path.write_text(f"{good}\n{bad}")  # as a crash leaves it
    assert read_history(path) == [ROW]


@pytest.mark.parametrize("garbage", [b"null\n", b'{"epoch": 1e999}\n', b"\0" * 500, b"\0" * 500 + b"\n", b"\xff\n"])
def test_garbage_behind_what_is_wanted_is_left_out(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "history.jsonl"
    rows = [json.dumps(ROW | {"epoch": epoch}).encode() + b"\n" for epoch in (1, 2, 3)]
    path.write_bytes(b"".join([*rows[:2], garbage, rows[2]]))
    assert [row["epoch"] for row in read_history(path, until=2)] == [1, 2]
    with pytest.raises(FileError, match="line 3"):
        read_history(path, until=3)
    path.write_bytes(garbage)
    assert read_history(path, until=0) == []


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for read in (read_history, read_steps):
        with pytest.raises(FileError, match=r"cannot be read \(not a regular file\)"):
            read(tmp_path / "pipe.jsonl")


def test_every_key_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for key in ROW:
        path.write_text(json.dumps({name: value for name, value in ROW.items() if name != key}) + "\n")
        with pytest.raises(FileError, match="line 1"):
            read_history(path)


def test_lines_of_steps_that_are_none_are_left_out(tmp_path: Path) -> None:
    lines = ['{"step": 1, "seconds": 1}', "3", '"step"', "[" * 100_000, '{"step": 2}', '{"step": 2.5, "seconds": 1}']
    lines += ['{"step": 2, "seconds": NaN}', '{"step": 3, "seconds": 2, "accuracy": null}', '{"step": 4, "sec']
    path = tmp_path / "steps.jsonl"
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\n")
    assert [row["step"] for row in read_steps(path)] == [1, 3]
    assert read_steps(tmp_path / "gone.jsonl") == []


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("validation_loss", [0.5, 0.3, 0.3, 0.4], 1),
        ("validation_accuracy", [0.5, 0.7, 0.7, 0.6], 1),
        ("validation_loss", [None, None, None, None], 3),
    ],
)
def test_the_best_is_the_first_of_the_best_and_without_validation_the_last(
    monitor: str, values: list[float | None], best: int
) -> None:
    rows = [ROW | {monitor: value} for value in values]
    assert best_row(rows, monitor) is rows[best]
    broken = [*rows, ROW | {"loss": None, monitor: values[-1]}]
    assert best_row(broken, monitor) is rows[best]
    assert best_row(broken[-1:], monitor) is broken[-1]
    assert is_better(monitor, values[0], None)
