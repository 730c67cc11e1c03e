"""A quiz: which mistake is it? A round decides the mistake and the choices, so that a class can play the same one."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from ..errors import check_count
from ..training.settings import LARGEST_SEED
from .gallery import SYMPTOMS, gallery

__all__ = ["Round", "quiz_round"]

ROUNDS = 1000  # a round without a number is drawn from 1 to this


class Round(NamedTuple):
    """One round.

    Attributes:
        number: which it is.
        right: the name of the mistake.
        choices: the names of mistakes to choose from, the right one among them.
    """

    number: int
    right: str
    choices: list[str]


def quiz_round(number: int | None = None) -> Round:
    """Return the round of a number: a mistake, and among the choices one of each symptom that a curve can show.

    Args:
        number: of the round; None draws one from 1 to 1000.

    Raises:
        ConfigError: the number is not a whole number from 1 to 2³² − 1: it is the seed of the runs.
    """
    if number is None:
        number = int(np.random.default_rng().integers(1, ROUNDS + 1))
    check_count("number", number, LARGEST_SEED)
    little = len(SYMPTOMS) - 1  # the rank of those with little to see
    ranks = {name: facts["rank"] for name, facts in gallery().items() if facts["rank"] < little}
    names = _shuffled(ranks, f"{number}")
    chosen: dict[int, str] = {}
    for name in names:  # the first is the right one
        chosen.setdefault(ranks[name], name)
    return Round(number, names[0], _shuffled(chosen.values(), f"{number} choices"))


def _shuffled(names: Iterable[str], seed: str) -> list[str]:
    """Return names in an order that the seed decides; that of a NumPy generator may change with its version."""
    return sorted(names, key=lambda name: sha256(f"{seed} {name}".encode()).digest())
