"""A quiz: which mistake is it? A round decides the mistake and the choices, so that a class can play the same one."""

from typing import NamedTuple

import numpy as np

from ..errors import check_count
from .gallery import SYMPTOMS, gallery

__all__ = ["ROUNDS", "Round", "quiz_round"]

ROUNDS = 1000  # of which a round without a number is one


class Round(NamedTuple):
    """One round.

    Attributes:
        right: the name of the mistake.
        choices: the names of mistakes to choose from, the right one among them.
    """

    right: str
    choices: list[str]


def quiz_round(number: int) -> Round:
    """Return the round of a number: a mistake, and among the choices one of each symptom that a curve can show.

    Raises:
        ConfigError: the number is not a whole number of at least 1.
    """
    check_count("number", number)
    rng = np.random.default_rng(number)
    little = len(SYMPTOMS) - 1  # the rank of those with little to see
    ranks = {name: facts["rank"] for name, facts in gallery().items() if facts["rank"] < little}
    names = rng.permutation(sorted(ranks)).tolist()
    chosen: dict[int, str] = {}
    for name in names:  # the first is the right one
        chosen.setdefault(ranks[name], name)
    return Round(names[0], rng.permutation([*chosen.values()]).tolist())
