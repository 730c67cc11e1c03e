"""Repair this network: assignments for a class, made of the clinic's mistakes, and the check of what comes back.

`draw` takes a page of NumPy code and plants mistakes in it, `new_assignment` writes it with a task and a key, and
`check` runs a repaired page in a process of its own and says which mistakes are gone.
"""

from .check import check
from .key import Key, PlantedMistake, read_key
from .new import Assignment, draw, new_assignment
from .page import PAGES
from .verdict import Finding, Hidden, Verdict

__all__ = [
    "PAGES",
    "Assignment",
    "Finding",
    "Hidden",
    "Key",
    "PlantedMistake",
    "Verdict",
    "check",
    "draw",
    "new_assignment",
    "read_key",
]
