"""One image through one training step, with every stage's equation, shapes and numbers.

    explanation = explain(model, image, label, learning_rate=0.1)
    print(explanation)
    explanation["dW1"].array          # (pixels, units), float64

The numbers are those of `glassnet.nn`, a layer at a time. Read `stages` first; `wording` has the equation and the words
of each layer, `sums` writes a small network's arithmetic out, `images` has both of convolutions and pools, and
`explanation` prints it all. `answer` is what a page gets of it.

    print(trace(model, image).unit(1, 16))             # the exact sum of hidden layer 1, unit 17
    top_images(model, dataset.train)[1].indices[16]    # the images that excite it most
    project(model, dataset.test).coordinates           # a map of the last hidden layer

`units` says what a unit is and what it is connected with.
"""

from .answer import as_answer
from .explanation import Explanation, Stage
from .mathml import mathml
from .of_run import images_to_explain, trained_images, training_notes
from .projection import Projection, project
from .stages import explain
from .tiny import explain_tiny, explain_tiny_convolution
from .top_images import TopImages, top_images
from .trace import Trace, UnitSum, trace
from .units import Connections, UnitLayer

__all__ = [
    "Connections",
    "Explanation",
    "Projection",
    "Stage",
    "TopImages",
    "Trace",
    "UnitLayer",
    "UnitSum",
    "as_answer",
    "explain",
    "explain_tiny",
    "explain_tiny_convolution",
    "images_to_explain",
    "mathml",
    "project",
    "top_images",
    "trace",
    "trained_images",
    "training_notes",
]
