"""Every mistake by what it looks like: curves that were measured beforehand, and the symptom that they show.

`benchmarks/gallery.py` measures them, on the digits, with seeds 0 to 2; the curves are of seed 0.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["FILE", "SYMPTOMS", "gallery", "symptom"]

FILE = Path(__file__).with_name("gallery.json")
SYMPTOMS = {
    "breaks": "Training breaks down",
    "stuck": "It hardly learns",
    "worse": "It learns too slowly, or less well",
    "flatters": "It reports more than is true",
    "hidden": "There is little to see",
}
HALF = 0.5  # accuracy on new images below which a network has hardly learned
CHANCE = 0.025  # accuracy on some hundreds of images that is no more than chance


@cache
def gallery() -> dict[str, dict[str, Any]]:
    """Return what was measured of each mistake, by name.

    Of each: whether it ``broke`` every run; the mean accuracy that was ``reported`` at the end, and that on new images
    with the mistake (``planted``) and without (``cured``); ``curves`` of these three against the step; and the
    ``group`` of mistakes with the same symptom, and its ``rank`` from the plainest, 0, to that of little to see.
    """
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    names = list(SYMPTOMS)
    return {
        name: facts | {"group": SYMPTOMS[shown], "rank": names.index(shown)}
        for name, facts in found.items()
        for shown in [symptom(facts)]
    }


def symptom(facts: dict[str, Any]) -> str:
    """Return which of `SYMPTOMS` a mistake shows, by its figures alone."""
    if facts["broken"]:
        return "breaks"
    if facts["planted"] < HALF:
        return "stuck"
    if facts["reported"] - facts["planted"] > CHANCE:
        return "flatters"
    return "worse" if facts["cured"] - facts["planted"] > CHANCE else "hidden"
