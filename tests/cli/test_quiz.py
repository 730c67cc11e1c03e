"""``glassnet quiz``: a mistake is named only when it was guessed."""

import io
import sys
from collections import Counter

import pytest

from glassnet.cli import main
from glassnet.clinic import MISTAKES
from glassnet.study.gallery import SYMPTOMS, gallery
from glassnet.study.quiz import quiz_round

Capture = pytest.CaptureFixture[str]


def answered(monkeypatch: pytest.MonkeyPatch, capsys: Capture, text: bytes, seed: int) -> str:
    """What the quiz prints when it is answered with some text."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["quiz", "--seed", str(seed)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert max(map(len, captured.out.splitlines())) <= 80
    return captured.out


def test_a_round_has_a_choice_of_each_symptom_that_a_curve_can_show() -> None:
    rounds = [quiz_round(number) for number in range(1, 200)]
    for _, right, choices in rounds:
        assert right in choices
        assert sorted(gallery()[name]["rank"] for name in choices) == list(range(len(SYMPTOMS) - 1))
    assert rounds == [quiz_round(number) for number in range(1, 200)]
    assert len(Counter(right for _, right, _ in rounds)) > 12
    places = Counter(choices.index(right) for _, right, choices in rounds)
    assert min(places[place] for place in range(4)) > 20  # the place of the right one tells nothing


def test_a_round_is_the_same_on_every_machine() -> None:
    choices = ["training-accuracy-reported", "no-shuffling", "softmax-without-maximum", "equal-weights"]
    assert quiz_round(7) == (7, "equal-weights", choices)
    assert 1 <= quiz_round().number <= 1000


def test_after_the_answer_the_mistake_is_named_with_what_gives_it_away(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _, right, choices = quiz_round(7)
    number = choices.index(right) + 1
    out = answered(monkeypatch, capsys, f"9\nx\n\xb2\n\n{number}\n".encode("latin-1"), 7)
    asked, _, told = out.partition(f"Number, 1 to 4: {number}\n")
    assert asked.count("Give the number of one of them.") == 4
    assert all(name in asked for name in choices)
    assert right not in asked.partition("Which mistake is it?")[0]
    assert told.startswith(f"\nCorrect. It is:\n\n{right}\n")
    assert f"  {right}: " in told
    assert "quiz --seed 8" in told


def test_a_wrong_answer_says_what_would_have_shown(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    _, right, choices = quiz_round(7)
    chosen = next(name for name in choices if name != right)
    out = answered(monkeypatch, capsys, str(choices.index(chosen) + 1).encode(), 7)  # without a line feed
    told = " ".join(out.partition("Number, 1 to 4:")[2].split())
    assert f"No. It is: {right} " in told
    assert f"noticed with {chosen}: {' '.join(MISTAKES[chosen].symptom.split())}" in told


def test_without_an_answer_nothing_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    out = answered(monkeypatch, capsys, b"five\n", 7)
    assert "\nNo answer. The same round again: " in out
    assert "It is:" not in out
    monkeypatch.setattr(sys, "stdin", None)  # closed
    assert main(["quiz"]) == 0
    assert "No answer." in capsys.readouterr().out


@pytest.mark.parametrize("seed", ["0", "-3", "x", "4294967296", "1" * 30])
def test_a_round_that_is_none_is_one_line(capsys: Capture, seed: str) -> None:
    assert main(["quiz", "--seed", seed]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "--seed" in captured.err
