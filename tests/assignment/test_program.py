"""A submission runs to its end as a program, too: where it stops, it is not repaired."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glassnet.assignment import Assignment, Verdict, check, draw
from glassnet.assignment.formats import formatted

Changed = Callable[..., Verdict]
LATER = 'if __name__ == "__main__":\n'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('load("digits.csv")', 'laod("digits.csv")', "NameError: name 'laod' is not defined"),
        ("skiprows=1", "skiprows=0", "ValueError: could not convert string 'label'"),
        (LATER, f"{LATER}    raise ValueError\n", "ValueError"),
        (LATER, f"{LATER}    raise SystemExit(3)\n", "SystemExit: 3"),
        (LATER, f'{LATER}    np.save("weights.npy", np.eye(2))\n', "PermissionError"),
        (LATER, f'{LATER}    open("digits.csv", "a")\n', "PermissionError"),
    ],
)
def test_a_page_that_stops_in_its_own_training_is_not_repaired(
    checked: Changed, columns: Assignment, old: str, new: str, told: str
) -> None:
    verdict = checked(columns, (old, new), repaired=True)
    assert verdict.loading.startswith("repair.py, line ")
    assert told in verdict.loading
    assert (len(verdict.gone), verdict.new, verdict.training, verdict.repaired) == (2, (), "", False)


def test_a_notebook_that_stops_in_its_last_cell_is_not_repaired(tmp_path: Path) -> None:
    assignment = draw(1, 1, 0, "dense-rows")
    text = assignment.page.text().replace('load("digits.csv")', 'laod("digits.csv")')
    file = tmp_path / "repair.ipynb"
    file.write_bytes(formatted(text, "ipynb"))
    verdict = check(file, assignment.key)
    assert verdict.loading == "cell 6, line 2: NameError: name 'laod' is not defined"
    assert not verdict.repaired


def test_a_page_may_end_as_programs_do(checked: Changed, columns: Assignment) -> None:
    begin = "    import sys\n    from pathlib import Path\n    from __main__ import load as same\n"
    verdict = checked(
        columns,
        (LATER, f"{LATER}{begin}    assert same is load\n"),
        ('load("digits.csv")', 'load(Path(__file__).with_name("digits.csv"))'),
        ('    print(f"accuracy: {final_accuracy(params, parts):.3f}")\n', "    sys.exit(0)\n"),
        repaired=True,
    )
    assert (verdict.loading, verdict.repaired) == ("", True)


def test_what_is_defined_before_an_endless_loop_is_checked(
    checked: Changed, columns: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassnet.assignment.submission.LOADING", 1.0)
    loop = "while True:\n    try:\n        pass\n    except Exception:\n        pass\n"
    verdict = checked(columns, (LATER, loop + LATER), repaired=True)
    assert verdict.loading == "repair.py took longer than 1 s"
    assert (len(verdict.gone), verdict.new, verdict.training, verdict.repaired) == (2, (), "", False)
    assert verdict.accuracy is not None
    assert verdict.accuracy >= verdict.expected


def test_an_endless_loop_at_the_end_is_told(
    checked: Changed, columns: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassnet.assignment.submission.RUNNING", 1.0)
    verdict = checked(columns, (LATER, f"{LATER}    while True: pass\n"), repaired=True)
    assert verdict.loading == "repair.py took longer than 1 s"
    assert (len(verdict.gone), verdict.new, verdict.repaired) == (2, (), False)
