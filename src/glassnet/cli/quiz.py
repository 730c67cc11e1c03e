"""``glassnet quiz``: the curves of a mistake that is not named, and the verdict once it is guessed."""

import sys
import textwrap

from ..clinic import MISTAKES
from ..data import load_dataset
from ..errors import check_count
from ..study import study
from ..study.quiz import quiz_round
from ..training.settings import LARGEST_SEED
from .clinic import WIDTH, explain, paragraph, show_curves, show_findings
from .output import command, print_definitions

__all__ = ["quiz"]

LONGEST = 1_000  # bytes of an answer that are read


def quiz(*, seed: int | None = None) -> None:
    """Look at the curves of a network that trains with a mistake, and say which mistake it is.

    The answer is a number, from the keyboard or from a pipe. Then the mistake is named, with what gives it away.

    Parameters
    ----------
    seed
        The round, which decides mistake and choices, as on the page. Default: any of 1 to 1000.
    """
    if seed is not None:
        check_count("--seed", seed, LARGEST_SEED)
    number, right, choices = quiz_round(seed)
    again = command("quiz", "--seed", number)
    words = f"Round {number}. Two networks train on the same digits from the same initial weights. One has a mistake."
    print(textwrap.fill(words, WIDTH), flush=True)
    result = study(right, load_dataset("digits"), [number])
    show_curves(result.planted[0], result.cured[0], "the mistake")
    print("\nWhich mistake is it?\n")
    print_definitions({f"{i}  {name}": MISTAKES[name].summary for i, name in enumerate(choices, 1)})
    chosen = _ask(choices)
    if chosen is None:
        print(f"\nNo answer. The same round again: {again}")
        return
    print(f"\n{'Correct' if chosen == right else 'No'}. It is:\n")
    explain(MISTAKES[right])
    show_findings(result.planted[0], [right])
    if chosen != right:
        paragraph(f"What one would have noticed with {chosen}: {MISTAKES[chosen].symptom}")
    print(f"\nThe next round: {command('quiz', '--seed', number % LARGEST_SEED + 1)}")


def _ask(choices: list[str]) -> str | None:
    """Return the choice whose number comes from standard input, or None where that ends; ask until it is one."""
    while True:
        print(f"\nNumber, 1 to {len(choices)}: ", end="", flush=True)
        line = sys.stdin.buffer.readline(LONGEST) if sys.stdin else b""
        if not line:
            print()
            return None
        text = line.decode(errors="replace").strip()
        if not sys.stdin.isatty():
            print(text)  # where nobody types, it would not be seen
        if text.isdecimal() and 1 <= int(text) <= len(choices):
            return choices[int(text) - 1]
        print("Give the number of one of them.")
