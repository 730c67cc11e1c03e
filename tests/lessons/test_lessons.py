"""Lesson files: what is refused, with its line, and whether the figures of those that come along are right."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

import glassnet
from glassnet import load_dataset, nn
from glassnet.errors import ConfigError, FileError
from glassnet.explain import Explanation, explain_tiny
from glassnet.explain.tiny import PARAMETERS
from glassnet.lessons import complaints, lesson_files, read_lesson
from glassnet.lessons.addresses import VIEWS
from glassnet.lessons.markdown import render
from glassnet.training import Config
from glassnet.training.architecture import build_layers

LESSONS = lesson_files()
STATIC = Path(glassnet.__file__).parent / "web/static"
TUTORIAL = Path(__file__).parents[2] / "docs/tutorial"
GOOD = """title = "A"
about = "B"

[[step]]
title = "One"
words = '''
[[step]]
view = 3
'''
view = "#train?recipe=fast&hidden=32,16&learning_rate=0.1"

[step.question]
ask = "?"
answer = 2
tolerance = 0.5
why = "because"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "one.toml"
    path.write_text(text)
    return path


def test_there_is_a_lesson_for_each_page_of_the_tutorial() -> None:
    assert list(LESSONS) == sorted(path.stem for path in TUTORIAL.glob("*.md"))


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_passes_its_check(name: str) -> None:
    assert complaints(LESSONS[name]) == []
    assert len(read_lesson(LESSONS[name]).step) >= 4


def test_a_lesson_is_read(tmp_path: Path) -> None:
    lesson = read_lesson(write(tmp_path, GOOD))
    question = lesson.step[0].question
    assert question
    assert (lesson.title, question.answer, question.tolerance) == ("A", 2.0, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('about = "B"', 'abut = "B"', 2, "no key called 'abut' in a lesson (did you mean 'about'?)"),
        ('title = "One"', 'title = ""', 5, "step 1: title: must be a string of at least 1 characters, not ''"),
        ("answer = 2", 'answer = "2"', 14, "step 1, question: answer: must be a number, since there are no choices"),
        ("answer = 2", "answer = nan", 14, "step 1, question: answer: must be a finite number, not nan"),
        ("tolerance = 0.5", "tolerance = -1", 15, "step 1, question: tolerance: must be at least 0, not -1"),
        ("tolerance = 0.5", "tol = 1", 15, "step 1, question: no key called 'tol' in a question"),
        ("fast", "fst", 10, "step 1: view: recipe: 'fst' is unknown (did you mean 'fast'?)"),
        ("hidden=32,16", "hiden=32", 10, "has no setting called 'hiden' (did you mean 'hidden'?)"),
        ("hidden=32,16", "hidden=-1", 10, "step 1: view: hidden: "),
        ("learning_rate=0.1", "learning_rate=fast", 10, "learning_rate: must be a number, not 'fast'"),
        ('"because"', '"see [that](#foo?bar=1)"', 16, "why: the link '#foo?bar=1': no view called 'foo'"),
        (
            '"because"',
            '"see [that](#step?rat=1)"',
            16,
            "the view 'step' has no setting called 'rat' (did you mean 'rate",
        ),
        (
            '"because"',
            '"[there](http://example.org)"',
            16,
            "must lead to a view such as '#draw', or begin with https://",
        ),
        ('"because"', '"[there](javascript:alert)"', 16, "the link 'javascript:alert': must lead to a view"),
        ('ask = "?"', 'ask = "?"\nchoices = ["2", "[3](#foo)"]', 14, "choices.2: the link '#foo': no view called"),
        ("#train", "#trian", 10, "no view called 'trian' (did you mean 'train'?)"),
        ('"#train', '"train', 10, "must be an address of the page such as '#train?recipe=fast', not 'train?recipe"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#step?parameters=1,2,x", 10, "must be 23 numbers"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#step?stage=W9", 10, "stage: 'W9' is unknown"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#step?image=1,2,3,256", 10, "from 0 to 255"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#network?step=2.5", 10, "step: must be a step of the"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#train?pace=0", 10, "pace: must be from 0.01 to 1000"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#clinic?mistake=no-shufling", 10, "'no-shuffling'?"),
        ("#train?recipe=fast&hidden=32,16&learning_rate=0.1", "#clinic?epochs=0", 10, "epochs: must be at least 1"),
        ('ask = "?"', 'ask = "?"\nchoices = ["2", "2"]', 14, "choices: two are the same"),
        ('ask = "?"', 'ask = "?"\nchoices = ["2", "3"]', 15, "answer: 2 is not among the choices"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, told: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    assert any(each.startswith(f"{path}:{line}: ") and told in each for each in complaints(path)), complaints(path)
    with pytest.raises(ConfigError, match=r"one\.toml:"):
        read_lesson(path)


def test_all_errors_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("about", "abut").replace("fast", "fst").replace("0.5", '"x"'))
    lines = [int(each.removeprefix(f"{path}:").partition(":")[0]) for each in complaints(path)]
    assert lines == [1, 2, 10, 15]
    with pytest.raises(ConfigError, match=r"about: is missing \(and 3 more; see them with `glassnet lesson check`\)"):
        read_lesson(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "hidden=32,16&learning_rate=0.1",
            "hiden=3&learning_rate=x&batch_size=0&as_written=no&data=mist",
            [
                "10: step 1: view: as_written: 'no' is unknown (known: true, false)",
                "10: step 1: view: batch_size: must be a whole number of at least 1, or all, not '0'",
                "10: step 1: view: data: 'mist' is unknown (did you mean 'mnist'?)",
                "10: step 1: view: learning_rate: must be a number, not 'x'",
                "10: step 1: view: the view 'train' has no setting called 'hiden' (did you mean 'hidden'?)",
            ],
        ),
        (
            "#train?recipe=fast&hidden=32,16&learning_rate=0.1",
            "#step?rate=-1&label=2&stage=W9&image=1,2",
            [
                "image: must be 4 numbers",
                "label: '2' is unknown",
                "rate: must be more than 0",
                "stage: 'W9' is unknown",
            ],
        ),
        (
            "answer = 2\ntolerance = 0.5",
            'choices = ["a"]\nanswer = "b"\ntolerance = -1',
            [
                "14: step 1, question: choices: must be a list of at least 2",
                "15: step 1, question: answer: 'b' is not",
                "16:",
            ],
        ),
        (
            'ask = "?"\nanswer = 2',
            'choices = ["a", "b", "b"]\nanswer = "c"',
            [
                "ask: is missing",
                "13: step 1, question: choices: two are the same",
                "'c' is not among",
                "tolerance: is for",
            ],
        ),
        ("answer = 2", "answer = nan", ["14: step 1, question: answer: must be a finite number, not nan"]),
        ("answer = 2", "answer = true", ["14: step 1, question: answer: must be a number, not True"]),
    ],
)
def test_no_error_hides_another(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in GOOD
    found = complaints(write(tmp_path, GOOD.replace(old, new, 1)))
    assert len(found) == len(told), found
    assert all(what in each for what, each in zip(told, found, strict=True)), found


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"\xff\xfea\0", b"a = 1\n" * 20_000, b"a" + b".a" * 5_000])
def test_what_is_no_toml_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.toml"
    path.write_bytes(content)
    (told,) = complaints(path)
    assert told.startswith(f"{path}: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name on this system")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "one.toml")
    assert "not a regular file" in complaints(tmp_path / "one.toml")[0]
    assert "cannot be read" in complaints(tmp_path)[0]


def test_links_that_lead_somewhere_are_right(tmp_path: Path) -> None:
    links = "[a](#draw) [b](<#step?stage=W1 after&rate=0.1>) [c](https://example.org) [d](#lessons) ![e](http://f.org/g.png)"
    assert complaints(write(tmp_path, GOOD.replace("because", links))) == []


def test_what_is_no_part_of_a_lesson_is_shown_as_it_stands() -> None:
    html = render("a ![b](https://c.org/d.png) e\n\n# f\n\n<b>g</b> [h](#draw) ![i][j]\n\n[j]: https://k.org")
    assert "<img" not in html
    assert "<p>a ![b](https://c.org/d.png) e</p>" in html
    assert "<p># f</p>" in html
    assert '&lt;b&gt;g&lt;/b&gt; <a href="#draw">h</a> ![i][j]' in html
    assert html.count("<a ") == 1
    for link in ("[a](http://b.org)", "[a](javascript:document.title=1)", "[a](//b.org)"):
        assert render(link) == f"<p>{link}</p>\n"


def test_lessons_of_ones_own_stand_beside_the_others(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    own = tmp_path / "07-steps.toml"
    own.write_text(GOOD)
    found = lesson_files(tmp_path)
    assert set(found) == {*LESSONS, "one"}
    assert found["07-steps"] == own
    with pytest.raises(FileError, match="cannot be read"):
        lesson_files(tmp_path / "none")


def test_a_stray_file_takes_no_lesson_away(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / ".#one.toml").symlink_to("somebody@somewhere.1:2")  # an editor's lock
    (tmp_path / "._one.toml").write_bytes(b"\0\5\x16\7")
    bad = {"a b": tmp_path / "a b.toml", "b\ufffd": Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.toml"))}
    for path in bad.values():
        path.write_text(GOOD)
    found = lesson_files(tmp_path)
    assert found == LESSONS | {"one": tmp_path / "one.toml"} | bad
    for path in bad.values():
        (told,) = complaints(path)
        assert "name a lesson with up to 80 letters, digits, hyphens and underscores alone" in told
        assert told.isprintable()
        with pytest.raises(ConfigError, match="name a lesson"):
            read_lesson(path)


def step(**given: Any) -> Explanation:
    return explain_tiny(**given)


def at(explanation: Explanation, name: str) -> np.ndarray:
    return next(stage.array for stage in explanation.stages if stage.name == name)


def nudged(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    parameters = {key: np.array(values) for key, values in PARAMETERS.items()}
    parameters[name][index] = value
    return parameters


def losses(rate: float, count: int) -> list[float]:
    parameters, found = dict(PARAMETERS), []
    for _ in range(count):
        one = step(learning_rate=rate, parameters=parameters)
        found.append(float(at(one, "L")))
        parameters = {name: at(one, f"{name} after") for name in parameters}
    return found


def parameters(**settings: Any) -> int:
    """Return how many parameters a network for the digits has."""
    return nn.Network(build_layers(Config.resolve("small", **settings), (8, 8), 10), 64).parameters.size


ONE_STEP = step()
STEPS = losses(0.1, 12)
TRAINING = len(load_dataset("digits").split(0.1, 0)[0])
ANSWERS = {
    ("01-one-neuron", 2): lambda: at(step(image=[[255, 51], [0, 255]]), "Z1")[0, 1],
    ("01-one-neuron", 4): lambda: -0.1 - at(ONE_STEP, "Z1")[0, 1],
    ("01-one-neuron", 5): lambda: at(ONE_STEP, "L after"),
    ("02-a-layer", 1): lambda: np.size(PARAMETERS["W1"]),
    ("02-a-layer", 2): lambda: sum(np.size(values) for values in PARAMETERS.values()),
    ("02-a-layer", 3): lambda: parameters(hidden=[32]),
    ("03-softmax-and-cross-entropy", 1): lambda: at(ONE_STEP, "P")[0, 0],
    ("03-softmax-and-cross-entropy", 2): lambda: np.log(2),
    ("03-softmax-and-cross-entropy", 3): lambda: at(step(label=1), "L"),
    ("03-softmax-and-cross-entropy", 4): lambda: np.log(10),
    ("04-the-chain-rule", 1): lambda: at(ONE_STEP, "dZ2")[0, 1],
    ("04-the-chain-rule", 2): lambda: at(ONE_STEP, "dZ1")[0, 1],
    ("04-the-chain-rule", 3): lambda: np.sum(at(ONE_STEP, "dW1") == 0),
    ("04-the-chain-rule", 4): lambda: at(ONE_STEP, "W1 after")[0, 0],
    ("05-is-the-gradient-right", 1): lambda: 0.1 * -at(ONE_STEP, "dW1")[0, 0],
    ("05-is-the-gradient-right", 2): lambda: at(step(parameters=nudged("W1", (0, 0), 0.4)), "L"),
    ("05-is-the-gradient-right", 3): lambda: at(ONE_STEP, "dW1")[0, 0],
    ("06-first-weights", 5): lambda: np.sqrt(2 / 50),
    ("07-steps", 1): lambda: STEPS[1],
    ("07-steps", 2): lambda: next(number for number, loss in enumerate(STEPS) if loss < 0.29),
    ("08-batches", 1): lambda: -(-TRAINING // 32),
    ("11-convolution", 1): lambda: nn.Network([nn.Conv2D(16, 3)], (8, 8, 1)).parameters.size,
    ("11-convolution", 2): lambda: nn.Network([nn.Conv2D(16, 3)], (8, 8, 1)).output_shape[0],
    ("12-a-convolutional-network", 1): lambda: nn.Network([nn.Conv2D(16, 3), nn.MaxPool2D(2)], (8, 8, 1)).output_shape[
        0
    ],
    ("12-a-convolutional-network", 2): lambda: parameters(layers=["conv 16 3x3", "pool 2", "dense 32"]),
}


def test_every_number_that_is_asked_for_is_right() -> None:
    asked = {
        (name, number): one.question
        for name, path in LESSONS.items()
        for number, one in enumerate(read_lesson(path).step, 1)
        if one.question and not one.question.choices
    }
    assert asked.keys() == ANSWERS.keys()
    for place, question in asked.items():
        assert isinstance(question.answer, float)
        assert float(ANSWERS[place]()) == pytest.approx(question.answer, abs=max(question.tolerance, 1e-9)), place


def test_the_addresses_show_what_their_words_say() -> None:
    higher, lower = (read_lesson(LESSONS["05-is-the-gradient-right"]).step[i].view for i in (1, 2))
    for view, weight in ((higher, 0.4), (lower, 0.2)):
        numbers = [float(part) for part in parse_qs(view.partition("?")[2])["parameters"][0].split(",")]
        flat = np.concatenate([np.ravel(values) for values in nudged("W1", (0, 0), weight).values()])
        np.testing.assert_allclose(numbers, flat)


def test_the_page_reads_no_setting_that_a_lesson_cannot_name() -> None:
    app = (STATIC / "app.js").read_text("utf-8")
    listed = re.findall(r"const VIEWS = \[(.*?)\]", app)[0]
    assert set(re.findall(r'"(\w+)"', listed)) == {*VIEWS, "lessons"}
    for view, known in VIEWS.items():
        scripts = "".join(path.read_text("utf-8") for path in (STATIC / "views" / view).glob("*.js"))
        read = set(re.findall(r'settings\.(?:get|getAll|has)\("(\w+)"\)', scripts))
        assert read <= set(known), f"{view}: add {read - set(known)} to glassnet.lessons.addresses"
