"""``glassnet clinic`` and its charts, ``glassnet data --image`` and ``glassnet evaluate --first``."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset
from glassnet.cli import main
from glassnet.cli.chart import HEIGHT, draw_chart
from glassnet.clinic import MISTAKES
from glassnet.study import study
from glassnet.study.page import write_study_page
from glassnet.training import notebook_names

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--recipe", "small", "--epochs", "1", "--out", str(folder)]) == 0
    return folder


def lines(capsys: Capture) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_without_a_name_mistakes_and_notebooks_are_listed(capsys: Capture) -> None:
    assert main(["clinic"]) == 0
    out = lines(capsys)
    assert max(map(len, out)) <= 80
    first_words = [line.split()[0] for line in out if line and not line.startswith(" ")]
    assert set(MISTAKES) | set(notebook_names()) <= set(first_words)
    text = " ".join(" ".join(out).split())
    assert all(mistake.summary in text for mistake in MISTAKES.values())


def test_the_list_as_json(capsys: Capture) -> None:
    assert main(["clinic", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["mistakes"]["one-bias-gradient"]["right"] == MISTAKES["one-bias-gradient"].right
    assert list(listed["notebooks"]) == notebook_names()


def test_a_mistake_beside_its_cure(capsys: Capture) -> None:
    assert main(["clinic", "softmax-without-maximum"]) == 0
    out = lines(capsys)
    assert max(map(len, out)) <= 80
    assert out[0] == "softmax-without-maximum"
    wrong, right = (
        next(i for i, line in enumerate(out) if line.startswith(f"  {side}")) for side in ("wrong", "right")
    )
    assert right == wrong + 1
    text = " ".join(" ".join(out).split())
    mistake = MISTAKES["softmax-without-maximum"]
    for words in (mistake.summary, mistake.wrong, mistake.right, mistake.effect, mistake.symptom, mistake.check):
        assert " ".join(words.split()) in text
    assert sum("!" in line for line in out) >= 3  # its mark in both charts, and what it means
    assert "It broke: the weights stopped being finite at step" in text
    assert re.search(r"loss at step 0 \(ln 10 = 2\.30\) +\d\.\d\d ± \d\.\d\d +\d", text)
    assert re.search(r"accuracy on new images +10\.\d ± \d\.\d % +9\d\.\d ±", text)
    assert re.search(r"before the first step, finds .*softmax-without-maximum: \d+ of \d+ probabilities are NaN", text)


def test_every_equation_fits_a_line(capsys: Capture) -> None:
    from glassnet.cli.clinic import explain

    for mistake in MISTAKES.values():
        explain(mistake)
    assert max(map(len, lines(capsys))) <= 80


def test_a_mistake_as_json(capsys: Capture) -> None:
    assert main(["clinic", "no-shuffling", "--seed", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["seeds"] == [4, 5, 6]
    assert len(result["planted"]) == len(result["cured"]) == 3
    assert {"step", "loss", "reported", "true"} == set(result["cured"][0]["points"][0])


def test_a_notebook_is_a_table_and_says_on_stderr_where_it_is(capsys: Capture) -> None:
    assert main(["clinic", "notebook-001"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    table = out.splitlines()[next(i for i, line in enumerate(out.splitlines()) if line.startswith("as written")) :]
    names = [line.split()[0] for line in table[:8]]
    assert names[1:4] == ["wrong-row-count", "one-bias-gradient", "mixed-up-scales"]
    assert err.splitlines()[0] == "run 1 of 8: as written"
    assert err.splitlines()[1] == "run 2 of 8: wrong-row-count cured"


def test_the_page_holds_its_figures_and_writes_each_beside_it(digits: Dataset, tmp_path: Path) -> None:
    names = ["training-accuracy-reported", "times-p-one-minus-p", "softmax-wrong-axis"]
    page = write_study_page([study(name, digits, [0]) for name in names], tmp_path / "new")
    assert page == tmp_path / "new" / "clinic.html"
    files = {f"{name}-{kind}.png" for name in names for kind in ("loss", "accuracy")} | {"clinic.html"}
    assert {file.name for file in page.parent.iterdir()} == files
    text = page.read_text("utf-8")
    assert text.count("data:image/png;base64,") == 2 * len(names)
    without = re.sub(r"base64,[^\"]+", "", text)
    assert not re.search(r"url\(|@import|https?:|<script|<link|<iframe|\$[a-z]", without)
    for name in names:
        assert f'href="#{name}"' in without
        assert f'<section id="{name}">' in without
        assert MISTAKES[name].effect.replace("'", "&#x27;") in without
    assert "<span>dZ = (p − t) ⊙ p ⊙ (1 − p)</span>" in without
    assert "<span>dZ = p − t</span><span>softmax and cross-entropy in one</span>" in without


def test_a_report_of_one_mistake(capsys: Capture, tmp_path: Path) -> None:
    assert main(["clinic", "random-biases", "--report", str(tmp_path / "a" / "b")]) == 0
    assert str(tmp_path / "a" / "b" / "clinic.html") in lines(capsys)[-1]
    assert "<h1>random-biases</h1>" in (tmp_path / "a" / "b" / "clinic.html").read_text("utf-8")


@pytest.mark.parametrize(("arguments", "complaint"), [
    (["one-bias-gradiant"], "no mistake or notebook called 'one-bias-gradiant' (did you mean 'one-bias-gradient'?)"),
    (["notebook-3"], "did you mean 'notebook-0"),
    (["no-shuffling", "--data", "nowhere.csv"], "nowhere.csv"),
    (["no-shuffling", "--seed", "-1"], "seed"),
    (["no-shuffling", "--report", "FILE/page"], "--report"),
])  # fmt: skip
def test_wrong_use_gets_one_line(arguments: list[str], complaint: str, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "FILE").write_text("")
    arguments = [argument.replace("FILE", str(tmp_path / "FILE")) for argument in arguments]
    assert main(["clinic", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert complaint in err


def test_too_few_images_get_one_line(mnist_folder: Path, capsys: Capture) -> None:
    assert main(["clinic", "no-shuffling", "--data", str(mnist_folder)]) == 2
    assert "50 training images are too few to show what a mistake costs" in capsys.readouterr().err


def test_a_chart_puts_values_where_its_axis_says() -> None:
    chart = draw_chart({"o": [(0, 0.0), (100, 1.0)], "x": [(0, 0.5), (50, 0.5)]}, "x", share=True).splitlines()
    assert len(chart) == HEIGHT + 2
    assert all(len(line) <= 76 for line in chart)
    assert chart[0].startswith("  100 % ┤")
    assert chart[0].endswith("o")
    assert len(chart[0]) == 76
    assert chart[HEIGHT - 1].startswith("    0 % ┤o")
    half = chart[HEIGHT // 2]
    assert half.startswith("   50 % ┤xxxxx")
    assert "*!" in half  # the letters of the other curve lie under its end
    assert sum(line.count("!") for line in chart) == 1
    assert chart[-1].split() == ["0", "step", "100"]


def test_a_chart_of_losses_is_logarithmic_and_each_column_has_its_letter() -> None:
    values = np.geomspace(100, 0.01, 40)
    chart = draw_chart({"o": list(enumerate(values.tolist()))}).splitlines()[:HEIGHT]
    labels = {float(line[:7].replace(",", "")): row for row, line in enumerate(chart) if line[:7].strip()}
    assert labels == {100: 0, 10: 3, 1: 6, 0.1: 9, 0.01: 12}
    assert all(any(line[column : column + 1] == "o" for line in chart) for column in range(9, 76))
    assert chart[6].index("o") in range(38, 46)  # 1 is half way from 100 to 0.01


def test_curves_that_meet_are_both_seen() -> None:
    flat = [(0, 0.5), (10, 0.5)]
    half = draw_chart({".": flat, "o": flat, "x": [(0, 0.5), (5, 0.5), (6, 1.0), (10, 1.0)]}, share=True).splitlines()[
        6
    ]
    assert re.fullmatch(r"   50 % ┤\*+o+", half)
    assert "....." in draw_chart({".": flat, "o": [(0, 1.0), (10, 1.0)]}, share=True).splitlines()[6]


def test_a_chart_of_one_flat_curve() -> None:
    assert "o" * 60 in draw_chart({"o": [(0, 2.0), (9, 2.0)], "x": []})


def test_data_draws_one_image(capsys: Capture, digits: Dataset) -> None:
    assert main(["data", "digits", "--image", "3"]) == 0
    out = lines(capsys)
    assert out[0] == f"training image 3 of 1,438, label {digits.train.labels[3]}"
    drawn = np.array([list(line.ljust(16)) for line in out[2:]])
    assert drawn.shape == (8, 16)
    dark = digits.train.images[3] > 140
    assert (drawn[:, ::2][dark] != " ").all()
    assert (drawn[:, ::2][digits.train.images[3] == 0] == " ").all()
    assert main(["data", "digits", "--image", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pixels"] == digits.train.images[0].tolist()


@pytest.mark.parametrize("number", ["1438", "-1"])
def test_an_image_out_of_range(number: str, capsys: Capture) -> None:
    assert main(["data", "digits", "--image", number]) == 2
    assert "training images 0 to 1,437" in capsys.readouterr().err


def test_the_first_predictions_beside_the_truth(run: Path, capsys: Capture, digits: Dataset) -> None:
    assert main(["evaluate", str(run), "--first", "50"]) == 0
    out = lines(capsys)
    assert max(map(len, out)) <= 80
    said, true, marks = ("".join(line[9:].ljust(70) for line in out[row:-1:4]) for row in (0, 1, 2))
    assert [int(label) for label in true.split()] == digits.test.labels[:50].tolist()
    wrong = [a != b for a, b in zip(said.split(), true.split(), strict=True)]
    assert [place // 2 for place, mark in enumerate(marks) if mark == "^"] == [i for i, w in enumerate(wrong) if w]
    assert out[-1] == f"{sum(wrong)} of 50 wrong"
    assert sum(wrong) > 0


def test_the_first_predictions_as_json_and_none(run: Path, capsys: Capture) -> None:
    assert main(["evaluate", str(run), "--first", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["evaluate", str(run), "--first", "0"]) == 2
    assert "--first 0" in capsys.readouterr().err
