"""The mistakes, one small class each, to be planted in a run."""

from . import convolution_mistakes, data_mistakes, gradient_mistakes, softmax_mistakes, weight_mistakes
from .mistake import Mistake

__all__ = ["MISTAKES", "Mistake"]

MISTAKES: dict[str, type[Mistake]] = {
    mistake.name: mistake
    for mistake in (
        data_mistakes.UnscaledPixels,
        weight_mistakes.UniformWeights,
        weight_mistakes.IgnoredFanIn,
        weight_mistakes.EqualWeights,
        gradient_mistakes.OneBiasGradient,
        gradient_mistakes.WrongRowCount,
        gradient_mistakes.TimesPOneMinusP,
        gradient_mistakes.ReLUDerivativeOfWrongArray,
        softmax_mistakes.SoftmaxWithoutMaximum,
        softmax_mistakes.SoftmaxGlobalMaximum,
        softmax_mistakes.SoftmaxWrongAxis,
        softmax_mistakes.NarrowOneHot,
        data_mistakes.LabelsLeftBehind,
        data_mistakes.NoShuffling,
        data_mistakes.TrainingAccuracyReported,
        data_mistakes.TestImagesInTraining,
        weight_mistakes.SmallLearningRate,
        weight_mistakes.MixedUpScales,
        weight_mistakes.RandomBiases,
        data_mistakes.UnusedRows,
        convolution_mistakes.PoolGradientToAllPlaces,
        convolution_mistakes.UnflippedFilters,
        convolution_mistakes.ChannelsFoldedFirst,
        convolution_mistakes.WrongPadding,
        convolution_mistakes.BiasPerPixel,
    )
}
"""The mistakes by name: sixteen that `examine` looks for, four that it does not, and five of convolutions, which
`examine_convolution` looks for.

What they cost is another matter: a small learning rate costs much, and a single bias gradient hardly anything.
"""
