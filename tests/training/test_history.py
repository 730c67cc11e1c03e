"""The one reader of a run's JSON lines."""

import json
from pathlib import Path

import pytest

from glassnet.errors import FileError
from glassnet.training.history import best_row, is_better, parse_steps, read_history, read_steps

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
    assert parse_steps(b'{"epoch": 7, "seconds": 0}', "epoch") == [{"epoch": 7, "seconds": 0}]
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
