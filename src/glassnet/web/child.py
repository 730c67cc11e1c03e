"""Python processes beside the server, which are told and tell by lines, and notice when it ends."""

import sys
from subprocess import PIPE, Popen

__all__ = ["start_module"]


def start_module(name: str) -> Popen[str]:
    """Start a module of this package as a process of its own, with pipes to its standard input and from its output.

    A session of its own keeps the terminal's Ctrl-C from it: that is for this process, whose end it sees by the end of
    its input. -P keeps modules in the working folder from it.
    """
    command = [sys.executable, "-P", "-m", name]
    return Popen(command, stdin=PIPE, stdout=PIPE, encoding="utf-8", start_new_session=True)
