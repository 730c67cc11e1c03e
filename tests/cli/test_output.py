"""What is printed, whatever the names in it are."""

import json
from pathlib import Path

import numpy as np
import pytest

from glassnet import load_dataset, train
from glassnet.cli import main
from glassnet.cli.output import print_facts, print_json, print_table, printable, say

EVIL = "\x1b]0;evil\x07\x9b31m\u202egnp"
SHOWN = "\\u001b]0;evil\\u0007\\u009b31m\\u202egnp"


def test_control_characters_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("plain ×\n– text") == "plain ×\n– text"
    assert printable(EVIL) == SHOWN
    say(EVIL)
    print_facts({EVIL: EVIL})
    print_table(["run"], [[EVIL]])
    print_json({EVIL: EVIL})
    out, err = capsys.readouterr()
    assert err == f"{SHOWN}\n"
    assert out.splitlines()[:3] == [f"{SHOWN}  {SHOWN}", f"run{' ' * (len(SHOWN) - 3)}".rstrip(), SHOWN]
    assert json.loads(out.splitlines()[3]) == {EVIL: EVIL}
    assert not set(out + err) & set(EVIL[:1] + EVIL[8:10] + "\u202e")


def test_no_command_sends_a_name_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    dataset = load_dataset((images, np.arange(60) % 3), classes=["a", EVIL, "c"])
    run = train(dataset, "fast", epochs=1, hidden=[4], batch_size=10, out=tmp_path / EVIL)
    for tokens in (["compare"], ["log"], ["evaluate"], ["evaluate", "--json"], ["explain"], ["report"], ["nonsense"]):
        main([*tokens, str(run.path)])
    main(["train", str(tmp_path / EVIL)])
    out, err = capsys.readouterr()
    assert not set(out + err) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert SHOWN in out
    assert SHOWN in err


@pytest.mark.parametrize(
    "tokens",
    [
        ["train", "digits", "--out", "loop", "--watch", "--port", "0"],
        ["train", "digits", "--tensorboard", "loop"],
        ["train", "digits", "--out", "loop"],
        ["search", "digits", "--out", "loop"],
        ["explain", "loop"],
        ["serve", "loop"],
        ["train", "loop"],
    ],
    ids=" ".join,
)
def test_a_link_to_itself_is_one_line(
    tokens: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert main(tokens) == 2
    assert "loop" in capsys.readouterr().err.splitlines()[-1]
