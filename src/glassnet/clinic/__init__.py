"""The mistakes that networks written by hand have: to be planted in a run beside its cure, and to be found in others.

One small class each, they are kept out of `glassnet.nn`, whose mathematics stays the right one. A run is given mistakes
by their names, ``train(dataset, mistakes=["one-bias-gradient"])``. `examine` says which of them are in somebody's own
network, and `examine_convolution` which are in somebody's own convolution.
"""

from .doctor import Diagnosis, Finding, examine, examine_convolution
from .mistakes import MISTAKES, Mistake, PlantedLoss

__all__ = ["MISTAKES", "Diagnosis", "Finding", "Mistake", "PlantedLoss", "examine", "examine_convolution"]
