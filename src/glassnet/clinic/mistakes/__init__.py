"""The mistakes, one small class each, to be planted in a run."""

from .data_mistakes import (
    LabelsLeftBehind,
    NoShuffling,
    TestImagesInTraining,
    TrainingAccuracyReported,
    UnscaledPixels,
    UnusedRows,
)
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

__all__ = ["MISTAKES", "Mistake"]

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
"""The mistakes by name: sixteen that `examine` looks for, then four that it does not.

What they cost is another matter: a small learning rate costs much, and a single bias gradient hardly anything.
"""
