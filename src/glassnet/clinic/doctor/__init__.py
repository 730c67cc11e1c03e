"""What is wrong with somebody's own network. Read `examine` first; each check is a file."""

from .convolution import examine_convolution
from .diagnosis import Diagnosis, Finding
from .examine import examine

__all__ = ["Diagnosis", "Finding", "examine", "examine_convolution"]
