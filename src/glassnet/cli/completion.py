"""``glassnet completion``: a script that completes commands, flags and the names of data sets in a shell."""

from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish", "powershell"], /) -> None:
    """Print a script that completes glassnet's commands and flags in a shell.

    bash: glassnet completion bash > ~/.local/share/bash-completion/completions/glassnet

    zsh: glassnet completion zsh > "${fpath[1]}/_glassnet"

    fish: glassnet completion fish > ~/.config/fish/completions/glassnet.fish

    Parameters
    ----------
    shell
        bash, zsh, fish or powershell.
    """
    from . import app

    script = app.generate_completion(shell=shell, prog_name="glassnet")
    if shell == "bash":  # what it has nothing for may be a file
        script = script.replace("complete -F _glassnet", "complete -o bashdefault -o default -F _glassnet")
    print(script)
