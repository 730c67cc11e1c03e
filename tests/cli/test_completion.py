import shutil
import subprocess
from pathlib import Path

import pytest

from glassnet.cli import main

ASK = """
source {script}
complete -p glassnet | grep -q -- "-F _glassnet"
complete -p glassnet | grep -q -- "-o default" || echo no files
ask() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _glassnet; echo "${{COMPREPLY[@]}}"; }}
ask glassnet tr
ask glassnet train --rec
ask glassnet train fash
ask glassnet audit emnist-
ask glassnet evaluate a-run dig
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_commands_and_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "glassnet"
    script.write_text(capsys.readouterr().out)
    asked = ["bash", "--norc", "-c", ASK.format(script=script)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["train", "--recipe", "fashion-mnist", "emnist-digits emnist-letters", "digits"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(f"{command}" in script for command in ("lr-find", "check-gradients", "audit"))


def test_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
