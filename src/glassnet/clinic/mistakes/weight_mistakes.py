"""Mistakes in the numbers that learning begins with, and in how far it then goes at a time."""

import math
from collections.abc import Iterator

import numpy as np

from ...nn import Conv2D, Dense, Network
from .mistake import Mistake

__all__ = ["EqualWeights", "IgnoredFanIn", "MixedUpScales", "RandomBiases", "SmallLearningRate", "UniformWeights"]


class UniformWeights(Mistake):
    """np.random.rand, where a distribution around zero was meant."""

    name = "uniform-weights"
    tutorial = "06-first-weights"
    summary = "Weights and biases are drawn uniformly from 0 to 1, so none is negative and most are large."
    wrong = "W, b ~ U(0, 1)"
    right = "W ~ N(0, 2 / fan_in)        b = 0"
    effect = (
        "Every sum Z is about fan_in / 2 times the mean input, positive, and nearly the same for each unit: every ReLU "
        "is always active, the softmax is certain of one class whatever the image, and the first step overshoots "
        "widely."
    )
    symptom = (
        "The loss at step 0 is far from ln k; the same class is predicted for all images, and accuracy stays near 10 %."
    )
    check = "loss at step 0 against ln k; share of negative weights"
    circumstances = {"hidden": [128, 64]}
    replaces = "the first weights"
    from_the_start = True

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        network.parameters[...] = rng.random(network.parameters.shape)


class IgnoredFanIn(Mistake):
    """The right rule with the wrong side of the matrix."""

    name = "ignored-fan-in"
    tutorial = "06-first-weights"
    summary = "The spread of the first weights does not follow the number of inputs that each unit sums over."
    wrong = "W, b ~ N(0, 1 / fan_out)"
    right = "W ~ N(0, 2 / fan_in)        b = 0"
    effect = (
        "From layer to layer the sums grow or shrink by √(fan_in / fan_out), over the whole network by √(pixels / "
        "classes), and ReLUs halve their mean square at each hidden layer. With 28×28 pixels the softmax begins "
        "confident in wrong classes, and training first has to undo that. With 8×8 pixels there is little to undo."
    )
    symptom = "The loss at step 0 is above ln k, the more so the larger the images; otherwise there is little to see."
    check = "spread of W against 1 / √fan_in"
    circumstances = {"hidden": [128, 64]}
    replaces = "the first weights"
    from_the_start = True

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        for layer in _weighted(network):
            deviation = math.sqrt(1 / len(layer.b))
            _draw(rng, layer, deviation, deviation)


class EqualWeights(Mistake):
    """No two units ever differ."""

    name = "equal-weights"
    tutorial = "06-first-weights"
    summary = "All weights begin with one and the same value."
    wrong = "W = 1 / fan_in"
    right = "W ~ N(0, 2 / fan_in)"
    effect = (
        "The units of a hidden layer compute the same, get the same gradient, and stay the same forever: in effect the "
        "layer has one unit, however wide it is."
    )
    symptom = "A wider layer changes nothing, and the rows or columns of a trained W are all identical."
    check = "do two units differ?"
    replaces = "the first weights"
    from_the_start = True

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        for layer in _weighted(network):
            layer.W[...] = 1 / _fan_in(layer)


class MixedUpScales(Mistake):
    """Each array has a spread, and most have that of another one."""

    name = "mixed-up-scales"
    tutorial = "06-first-weights"
    summary = "The spreads of the first weights and biases are taken from the shapes of other layers."
    wrong = "b₁ ~ N(0, 1 / units)        W₂ ~ N(0, 1 / (fan_in + units))        b₂ ~ N(0, 1 / pixels)"
    right = "W₂ ~ N(0, 2 / fan_in)        b = 0"
    effect = "Little in a shallow network: the first biases are noise, 0.3 with ten units, and training removes it."
    symptom = "The curves show nothing, and every spread by itself looks reasonable."
    check = "none: only reading the lines again, shape by shape, shows it"
    replaces = "the first weights"
    from_the_start = True

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        layers = list(_weighted(network))
        pixels = _fan_in(layers[0])
        for layer in layers:
            fan_in, units = _fan_in(layer), len(layer.b)
            _draw(
                rng,
                layer,
                math.sqrt(1 / (fan_in if layer is layers[0] else fan_in + units)),
                math.sqrt(1 / (pixels if layer is layers[-1] else units)),
            )


class RandomBiases(Mistake):
    """Harmless; many libraries do so."""

    name = "random-biases"
    tutorial = "06-first-weights"
    summary = "The biases begin with random numbers of the same spread as the weights."
    wrong = "b ~ N(0, 1 / fan_in)"
    right = "b = 0"
    effect = (
        "None that can be measured. The random weights already make the units differ; zero is one thing less to ask."
    )
    symptom = "There is nothing to notice."
    check = "none: gradients are right, and learning is as good"
    from_the_start = True

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        for layer in _weighted(network):
            layer.b[...] = rng.standard_normal(layer.b.shape) * math.sqrt(1 / _fan_in(layer))


class SmallLearningRate(Mistake):
    """Right directions, and steps too small to get there."""

    name = "small-learning-rate"
    tutorial = "07-steps"
    summary = (
        "The learning rate is a fraction of what the network could take, so training ends before it has converged."
    )
    wrong = "θ ← θ − (α / c) dθ        c is 10 here; in the notebooks 2 to 20"
    right = "θ ← θ − α dθ        α as large as the loss still falls steadily with"
    effect = (
        "The learning curve has the right shape but is stretched: training ends at a point that it should pass early "
        "on."
    )
    symptom = "The loss still falls, smoothly and slowly, when the run ends."
    check = "try three times the rate on a few steps: does the loss fall three times as fast?"
    settings = {"learning_rate": lambda rate: rate / 10}


def _weighted(network: Network) -> Iterator[Dense | Conv2D]:
    return (layer for layer in network.layers if isinstance(layer, Dense | Conv2D))


def _fan_in(layer: Dense | Conv2D) -> int:
    """Return how many numbers a unit, or a filter at one place, adds up."""
    return math.prod(layer.W.shape[:-1])


def _draw(rng: np.random.Generator, layer: Dense | Conv2D, weights: float, biases: float) -> None:
    """Draw weights and biases from normal distributions of these standard deviations."""
    for array, deviation in ((layer.W, weights), (layer.b, biases)):
        array[...] = rng.standard_normal(np.shape(array)) * deviation
