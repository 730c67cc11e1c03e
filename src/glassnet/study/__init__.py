"""A mistake beside its cure, and a notebook cured step by step: runs, measured, and what they show.

Read `pairs` and `compare` first; `results` is what it returns, `tables` and `plots` show it, `page` puts it on a page.
"""

from .compare import study, study_notebook
from .results import Chain, Comparison, Course, Point, Stage

__all__ = ["Chain", "Comparison", "Course", "Point", "Stage", "study", "study_notebook"]
