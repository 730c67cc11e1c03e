"""The mistakes that networks written by hand have: to be planted in a run beside its cure, and to be found in others.

One small class each, they are kept out of `glassnet.nn`, whose mathematics stays the right one. A run is given mistakes
by their names, ``train(dataset, mistakes=["one-bias-gradient"])``. `examine` says which of them are in somebody's own
network.
"""

from .data_mistakes import (
    LabelsLeftBehind,
    NoShuffling,
    TestImagesInTraining,
    TrainingAccuracyReported,
    UnscaledPixels,
    UnusedRows,
)
from .diagnosis import Diagnosis, Finding
from .examine import examine
from .gradient_mistakes import OneBiasGradient, ReLUDerivativeOfWrongArray, TimesPOneMinusP, WrongRowCount
from .mistake import Mistake
from .softmax_mistakes import NarrowOneHot, SoftmaxGlobalMaximum, SoftmaxWithoutMaximum, SoftmaxWrongAxis
from .weight_mistakes import (
    EqualWeights,
    IgnoredFanIn,
    MixedUpScales,
    RandomBiases,
    SmallLearningRate,
    UniformWeights,
)

__all__ = ["MISTAKES", "Diagnosis", "Finding", "Mistake", "examine"]

MISTAKES: dict[str, type[Mistake]] = {
    mistake.name: mistake
    for mistake in (
        UnscaledPixels,
        UniformWeights,
        IgnoredFanIn,
        EqualWeights,
        OneBiasGradient,
        WrongRowCount,
        TimesPOneMinusP,
        ReLUDerivativeOfWrongArray,
        SoftmaxWithoutMaximum,
        SoftmaxGlobalMaximum,
        SoftmaxWrongAxis,
        NarrowOneHot,
        LabelsLeftBehind,
        NoShuffling,
        TrainingAccuracyReported,
        TestImagesInTraining,
        SmallLearningRate,
        MixedUpScales,
        RandomBiases,
        UnusedRows,
    )
}
"""The mistakes by name: sixteen that cost something, then four that the five notebooks have besides."""
