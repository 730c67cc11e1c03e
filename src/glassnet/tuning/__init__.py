"""A search for good settings: many short runs, each judged by validation images."""

from .search import Search, Trial, search
from .space import DISTORTIONS

__all__ = ["DISTORTIONS", "Search", "Trial", "search"]
