"""The figures of a report: each function returns one matplotlib `Figure`, and draws nothing on any screen.

All share one style: a white ground and a title that states the result. Lines have colours from the eight of Okabe and
Ito (2008) that the colour-blind can tell apart, and labels beside them in place of a legend.
"""

from .curves import learning_curves, learning_rate_search
from .images import augmented, first_layer_weights, hardest_images, samples
from .predictions import calibration, confusion_matrix
from .scatter import projection
from .style import SIGNED

__all__ = [
    "SIGNED",
    "augmented",
    "calibration",
    "confusion_matrix",
    "first_layer_weights",
    "hardest_images",
    "learning_curves",
    "learning_rate_search",
    "projection",
    "samples",
]
