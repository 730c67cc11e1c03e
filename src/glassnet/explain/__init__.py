"""One image through one training step, with every stage's equation, shapes and numbers.

    explanation = explain(model, image, label, learning_rate=0.1)
    print(explanation)
    explanation["dW1"].array          # (pixels, units), float64

The numbers are those of `glassnet.nn`, a layer at a time. Read `stages` first; `wording` has the equation and the words
of each layer, `sums` writes a small network's arithmetic out, `images` has both of convolutions and pools, and
`explanation` prints it all. `answer` is what a page gets of it.
"""

from .answer import as_answer
from .explanation import Explanation, Stage
from .mathml import mathml
from .of_run import images_to_explain, training_notes
from .stages import explain
from .tiny import explain_tiny, explain_tiny_convolution

__all__ = [
    "Explanation",
    "Stage",
    "as_answer",
    "explain",
    "explain_tiny",
    "explain_tiny_convolution",
    "images_to_explain",
    "mathml",
    "training_notes",
]
