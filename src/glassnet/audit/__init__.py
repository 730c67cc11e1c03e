"""A look at the labels of a data set: those that are probably wrong, and images that occur more than once."""

from .audit import Audit, Place, audit
from .duplicates import Pair, near_duplicates
from .labels import confident_mistakes, out_of_fold
from .page import write_audit

__all__ = ["Audit", "Pair", "Place", "audit", "confident_mistakes", "near_duplicates", "out_of_fold", "write_audit"]
