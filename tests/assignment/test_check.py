"""What a check says of pages as given out, repaired, and repaired wrongly."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glassnet.assignment import PAGES, Assignment, Verdict, check, draw
from glassnet.assignment.cells import read_cells
from glassnet.assignment.submission import Submission
from glassnet.assignment.verdict import UNKNOWN

Changed = Callable[..., Verdict]
BIAS = "db1 = np.full(b1.shape, dZ1.sum())"


def names(verdict: Verdict) -> list[str]:
    return sorted(each.name for each in verdict.remaining)


@pytest.mark.parametrize("page", PAGES)
def test_exactly_what_was_planted_is_found_and_the_solution_is_whole(checked: Changed, page: str) -> None:
    assignment = draw(4, 3, 5, page)
    broken, whole = checked(assignment), checked(assignment, repaired=True)
    assert names(broken) == sorted(plant.mistake for plant in assignment.plants)
    assert all(each.evidence for each in broken.remaining)
    assert (broken.gone, broken.new, broken.hidden, broken.repaired) == ((), (), (), False)
    assert whole.repaired, whole
    assert set(whole.gone) == {plant.mistake for plant in assignment.plants}
    assert whole.accuracy is not None
    assert whole.accuracy >= whole.expected


def test_one_cured_is_gone_and_the_other_remains(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("np.zeros((y.max() + 1, y.size))", "np.zeros((CLASSES, y.size))"))
    assert verdict.gone == ("narrow-one-hot",)
    assert names(verdict) == ["one-bias-gradient"]
    assert "db1 differs by" in verdict.remaining[0].evidence
    assert "dW1" not in verdict.remaining[0].evidence


def test_another_mistake_put_in_is_named(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("E.sum(axis=0, keepdims=True)", "E.sum(axis=1, keepdims=True)"), repaired=True)
    assert len(verdict.gone) == 2
    assert [each.name for each in verdict.new] == ["softmax-wrong-axis"]
    assert not verdict.repaired


def test_a_mistake_of_no_catalogue_is_told_and_hides_those_of_its_function(
    checked: Changed, columns: Assignment
) -> None:
    verdict = checked(columns, (BIAS, "db1 = dZ1.sum(axis=1, keepdims=True) * 1.01"))
    (other,) = verdict.new
    assert (other.name, other.function) == (UNKNOWN, "backward")
    assert [each.name for each in verdict.hidden] == ["one-bias-gradient"]


def test_a_function_emptied_is_told(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("return [dW1, db1, dW2, db2]", "return [0 * p for p in params]"), repaired=True)
    assert [(each.name, each.function) for each in verdict.new] == [(UNKNOWN, "backward")]
    verdict = checked(columns, ("return [dW1, db1, dW2, db2]", "pass"), repaired=True)
    assert "nothing (None)" in verdict.new[0].evidence


@pytest.mark.parametrize(("wrong", "by"), [("(one_hot(y) - P) / n", "-1"), ("2 * (P - one_hot(y)) / n", "2")])
def test_a_wrong_sign_or_scale_is_not_taken_for_a_number_of_rows(
    checked: Changed, columns: Assignment, wrong: str, by: str
) -> None:
    (found,) = checked(columns, ("(P - one_hot(y)) / n", wrong), repaired=True).new
    assert (found.name, found.function) == (UNKNOWN, "backward")
    assert f"all gradients are {by} × the right ones with 32 examples, {by} × the right ones" in found.evidence


def test_a_mean_left_out_is_a_number_of_rows(checked: Changed, columns: Assignment) -> None:
    (found,) = checked(columns, ("(P - one_hot(y)) / n", "P - one_hot(y)"), repaired=True).new
    assert found.name == "wrong-row-count"


def test_all_functions_that_hide_a_mistake_are_named(checked: Changed) -> None:
    assignment = draw(["training-accuracy-reported"], 1, 0, "dense-rows")
    (hidden,) = checked(assignment, ("(Z > 0)", "(Z > 0) * 2"), ("Z - highest", "(Z - highest) * 2")).hidden
    assert hidden.reason == "nothing known explains what relu and softmax return"


def test_a_page_that_stops_at_its_end_is_not_repaired(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ('if __name__ == "__main__":', 'raise RuntimeError("late")\nif True:'), repaired=True)
    assert len(verdict.gone) == 2
    assert "RuntimeError: late" in verdict.loading
    assert verdict.to_json()["loading"] == verdict.loading
    assert verdict.to_row()["error"] == f"stops when it is run: {verdict.loading}"
    assert not verdict.repaired


def test_the_table_that_was_given_out_is_there(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ('if __name__ == "__main__":', "if True:"), repaired=True)
    assert (verdict.loading, verdict.repaired) == ("", True)


LATER = 'if __name__ == "__main__":\n'


def test_a_result_that_is_right_once_and_a_dictionary_later(checked: Changed, columns: Assignment) -> None:
    other = "_right = forward\ndef forward(params, X):\n"
    other += '    return {"P": 1} if X.shape[1] == 50 else _right(params, X)\n'
    verdict = checked(columns, (LATER, other + LATER), repaired=True)
    assert {each.function for each in verdict.new} == {"accuracy"}
    assert "returned a dict; Z1, A1, Z2, P are wanted" in verdict.new[0].evidence


@pytest.mark.parametrize(
    ("page", "params"),
    [
        ("convolution", "np.zeros((500, 500, 1, 6), np.uint8), np.zeros(6), *right[2:]"),
        ("convolution", "np.zeros((3, 3, 1, 65)), np.zeros(65), np.zeros((3, 3, 65, 8)), *right[3:]"),
        ("convolution", "np.zeros((1, 6)), *right[1:]"),
        ("dense-rows", "*right[:2], *[np.zeros((48, 48)), np.zeros(48)] * 30, *right[2:]"),
        ("dense-columns", "*right, *right"),
    ],
)
def test_networks_that_would_take_long_are_not_run(
    checked: Changed, page: str, params: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassnet.assignment.submission.RUNNING", 2.0)  # for the page itself, which runs them
    code = "_train = train\ndef train(images, labels, seed):\n"
    code += f"    right = _train(images[:64], labels[:64], seed)\n    return [{params}]\n"
    verdict = checked(draw(1, 1, 0, page), (LATER, code + LATER), repaired=True)
    assert verdict.accuracy is None
    assert "train does not return the parameters" in verdict.training
    assert not verdict.new


def test_more_rows_than_were_given_are_not_looked_at(checked: Changed, columns: Assignment) -> None:
    code = "def split(images, labels, seed):\n"
    code += "    many = np.tile(images, (9, 1))\n    return many, np.tile(labels, 9), images, labels\n"
    (found,) = checked(columns, (LATER, code + LATER), repaired=True).new
    assert "training images, made of" in found.evidence


def test_right_for_one_shape_only_is_told(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("n = y.size\n", "n = 32\n"), repaired=True)
    assert [each.name for each in verdict.new] == ["wrong-row-count"]
    assert "1 × the right ones with 32 examples, 0.156 × the right ones with 5 examples" in verdict.new[0].evidence
    verdict = checked(
        columns,
        (
            "    W1, b1, W2, b2 = params\n    Z1 = W1 @ X + b1",
            "    W1, b1, W2, b2 = params\n    Z1 = W1 @ X + b1 * (len(X) == 64)",
        ),
        repaired=True,
    )
    (other,) = verdict.new
    assert other.function == "forward"
    assert other.evidence.endswith("right with 32 examples")


def test_answers_written_into_the_file_are_told(checked: Changed, columns: Assignment) -> None:
    answer = "return [np.full(p.shape, 0.01) for p in params]"
    verdict = checked(columns, ("return [dW1, db1, dW2, db2]", answer), repaired=True)
    assert [each.function for each in verdict.new] == ["backward"]
    weights = "return [np.eye(hidden, inputs), np.zeros((hidden, 1)), np.eye(outputs, hidden), np.zeros((outputs, 1))]"
    verdict = checked(
        columns, ("return [W1, np.zeros((hidden, 1)), W2, np.zeros((outputs, 1))]", weights), repaired=True
    )
    assert [each.function for each in verdict.new] == ["init_params"]


def test_a_learning_rate_hides_nothing(checked: Changed) -> None:
    assignment = draw(["times-p-one-minus-p"], 2, 0, "dense-rows")
    verdict = checked(assignment, ("RATE = 0.3", "RATE = 3.0"))
    assert names(verdict) == ["times-p-one-minus-p"]
    assert verdict.accuracy is not None
    assert verdict.accuracy > 0.8  # it would pass if training alone were looked at


def test_functions_that_are_right_in_a_training_that_is_not(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("update(params, grads, RATE)", "update(params, grads, 0)"), repaired=True)
    assert len(verdict.gone) == 2
    assert not verdict.new
    assert verdict.accuracy is not None
    assert verdict.accuracy < 0.5
    assert not verdict.repaired


def test_other_right_ways_pass(checked: Changed, columns: Assignment) -> None:
    verdict = checked(
        columns,
        ("images.T / 255", "(images.T - 40) / 200"),
        ("np.sqrt(2 / inputs)", "np.sqrt(1 / inputs)"),
        ("db2 = dZ2.sum(axis=1, keepdims=True)", "db2 = dZ2 @ np.ones((n, 1))"),
        ("held = len(images) // 5", "held = len(images) // 4"),
        ("dZ1 = dA1 * (Z1 > 0)", "dZ1 = np.where(A1 > 0, dA1, 0)"),
        ("E = np.exp(Z - Z.max(axis=0, keepdims=True))", "E = np.exp((Z - Z.max(axis=0)).astype(np.float64))"),
        repaired=True,
    )
    assert verdict.repaired, verdict


def test_without_a_key_everything_found_remains(tmp_path: Path, columns: Assignment) -> None:
    file = tmp_path / "anything.py"
    file.write_text(columns.text, "utf-8")
    verdict = check(file)
    assert (verdict.page, verdict.planted, names(verdict)) == (
        "dense-columns",
        None,
        ["narrow-one-hot", "one-bias-gradient"],
    )


def test_names_and_arguments_that_were_changed(checked: Changed, columns: Assignment) -> None:
    verdict = checked(columns, ("def backward(params, X, y, cache):", "def backward(params, X, y):"), repaired=True)
    assert "TypeError: backward() takes 3 positional arguments but 4 were given" in verdict.new[0].evidence
    verdict = checked(columns, ("def one_hot(y):", "def onehot(y):"), repaired=True)
    assert "there is no such function (did you mean 'onehot'?)" in verdict.new[0].evidence


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def forward(:\n    pass\n", "SyntaxError: invalid syntax (repair.py, line 1)"),
        ("a = 1\n", "it defines none of the functions of the page"),
        ("raise SystemExit(0)\n", "repair.py, line 1: SystemExit: 0"),
        ("import glassnet\n", "repair.py, line 1: import glassnet failed (ModuleNotFoundError: "),
        ("from random import nothing\n", "failed (ImportError: cannot import name 'nothing' from 'random'"),
        ("1 / 0\n", "repair.py, line 1: ZeroDivisionError: division by zero"),
        ("(" * 100_000, "SyntaxError: too many nested parentheses"),
        ("\0", "source code string cannot contain null bytes"),
        (b"\xff\xfe", "not text in UTF-8"),
    ],
)
def test_what_cannot_be_checked_gets_one_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    file = tmp_path / "repair.py"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    verdict = check(file)
    assert message in verdict.error
    assert "\n" not in verdict.error
    assert not verdict.repaired


FORGED = """
import json, os, struct
def answer(tree):
    header = json.dumps([tree, []]).encode()
    return struct.pack("<I", len(header)) + header
"""


@pytest.mark.parametrize(
    "tree", ["[]", "{'dict': {'functions': [[1]], 'error': 3}}", "{'dict': {'functions': ['split'] * 9, 'error': ''}}"]
)
def test_answers_written_past_the_worker_are_no_repair(checked: Changed, columns: Assignment, tree: str) -> None:
    """A submission can write into the pipe of its answers; all that it can say there is arrays."""
    forge = f"{FORGED}for descriptor in range(3, 1000):\n    try: os.write(descriptor, answer({tree}) * 40)\n"
    forge += "    except OSError: pass\n"
    verdict = checked(columns, ("CLASSES = 10\n", f"CLASSES = 10\n{forge}"), repaired=True)
    assert not verdict.repaired
    assert not verdict.gone or verdict.new or verdict.error


@pytest.mark.parametrize(
    "params", ["None", "[]", "{}", "[np.ones((1, 64)), np.ones((10**6, 1)), W2, b2]", "X", "3 * params"]
)
def test_trainings_that_return_something_else(
    checked: Changed, columns: Assignment, params: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassnet.assignment.submission.RUNNING", 2.0)  # for the page itself, which runs them
    verdict = checked(
        columns,
        (
            "            params = update(params, grads, RATE)\n    return params",
            f"            params = update(params, grads, RATE)\n        W1, b1, W2, b2 = params\n    return {params}",
        ),
        repaired=True,
    )
    assert verdict.accuracy is None
    assert "train does not return the parameters" in verdict.training
    assert not verdict.repaired


@pytest.mark.parametrize("content", ["no json", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}', "[" * 9999])
def test_what_is_not_a_notebook(tmp_path: Path, content: str) -> None:
    file = tmp_path / "repair.ipynb"
    file.write_text(content)
    assert "not a Jupyter notebook" in check(file).error


def test_lines_of_a_cell_that_only_look_like_commands(tmp_path: Path) -> None:
    cells = [
        "%matplotlib inline\nfirst = 1\n!ls\n?first",
        'text = """\n%d of\n!important\n"""\nassert text == "\\n%d of\\n!important\\n"',
        'second = "\u2028%\x0c!"\nassert len(second) == 4',
        "def split(): pass",
    ]
    file = tmp_path / "repair.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}))
    with Submission(read_cells(file)) as submission:
        assert submission.error == ""
        assert "split" in submission.functions
    (tmp_path / "repair.py").write_text("%matplotlib inline\n")
    assert "SyntaxError" in check(tmp_path / "repair.py").error


def test_long_comments_are_read_and_too_long_ones_refused(
    checked: Changed, columns: Assignment, tmp_path: Path
) -> None:
    assert checked(columns, (LATER, f"# {'é' * 400_000}\n{LATER}"), repaired=True).repaired
    file = tmp_path / "long.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ""}] * 20_000}))
    assert "long.ipynb: more than 1 MiB of code" in check(file).error
    picture = {"cell_type": "code", "source": "a = 1", "outputs": [{"data": {"image/png": "x" * 2_000_000}}]}
    file.write_text(json.dumps({"cells": [picture]}))
    assert "it defines none of the functions" in check(file).error


def test_files_of_other_kinds_and_none(tmp_path: Path) -> None:
    assert "is a .py or .ipynb file" in check(tmp_path / "repair.txt").error
    assert "No such file" in check(tmp_path / "repair.py").error


def test_a_link_to_the_solution_is_no_submission(tmp_path: Path, columns: Assignment) -> None:
    (tmp_path / "solution.py").write_text(columns.page.text(), "utf-8")
    (tmp_path / "repair.py").symlink_to("solution.py")
    assert check(tmp_path / "solution.py", columns.key).repaired
    verdict = check(tmp_path / "repair.py", columns.key)
    assert verdict.error == f"{tmp_path / 'repair.py'}: a link to another file; hand in the file itself"


@pytest.mark.parametrize(
    ("function", "old", "new"),
    [
        ("forward", "return Z1, A1, Z2, softmax(Z2)", "return [], A1, Z2, softmax(Z2)"),
        ("backward", "return [dW1, db1, dW2, db2]", "return [dW1, db1, np.zeros((0, 2)), db2]"),
    ],
)
def test_an_array_without_elements_has_another_shape(
    checked: Changed, columns: Assignment, function: str, old: str, new: str
) -> None:
    verdict = checked(columns, (old, new))
    assert verdict.error == ""
    (told,) = (each.evidence for each in [*verdict.remaining, *verdict.new] if each.function == function)
    assert " has shape (0," in told
