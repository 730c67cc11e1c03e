"""The clinic: what is wrong with a network that does not learn, and what to change."""

from .diagnosis import Diagnosis, Finding
from .examine import examine

__all__ = ["Diagnosis", "Finding", "examine"]
