"""The mistakes, one small class each, to be planted in a run."""

from ...plugins import WithPlugins, blame, load_plugin
from . import convolution_mistakes, data_mistakes, gradient_mistakes, softmax_mistakes, weight_mistakes
from .mistake import Mistake, PlantedLoss

__all__ = ["MISTAKES", "Mistake", "PlantedLoss"]

OWN: dict[str, type[Mistake]] = {
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
TEXTS = ("name", "summary", "wrong", "right", "effect", "symptom", "check")  # which nobody may leave empty


def _brought(name: str) -> type[Mistake]:
    """Return a mistake that another package brings.

    Raises:
        ConfigError: it cannot be imported, is not a mistake, has another name, or does not say what it is.
    """
    mistake = load_plugin("glassnet.mistakes", name)
    if not (isinstance(mistake, type) and issubclass(mistake, Mistake)):
        raise blame("glassnet.mistakes", name, "it is not a subclass of glassnet.clinic.Mistake")
    texts = {text: getattr(mistake, text, None) for text in (*TEXTS, "tutorial")}
    for text, value in texts.items():
        if not isinstance(value, str) or (text in TEXTS and not value.strip()):
            raise blame("glassnet.mistakes", name, f"it has no text {text!r}")
    if mistake.name != name:
        raise blame("glassnet.mistakes", name, f"its name is {mistake.name!r}; the entry point's has to be the same")
    return mistake


MISTAKES: WithPlugins[type[Mistake]] = WithPlugins(OWN, "glassnet.mistakes", _brought)
"""The mistakes by name: sixteen that `examine` looks for, four that it does not, and five of convolutions, which
`examine_convolution` looks for; then those of other packages, see `glassnet.plugins`.

What they cost is another matter: a small learning rate costs much, and a single bias gradient hardly anything.
"""
