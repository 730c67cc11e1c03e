"""The stages of one training step on one image: up through the layers, back down, the update, and up again."""

from collections.abc import Iterator
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import as_pixels
from ..errors import ConfigError, DataError
from ..model import Model
from ..nn import SGD, Conv2D, Network, Pass, SoftmaxCrossEntropy
from ..nn.types import Array
from . import images, sums, wording
from .explanation import WORKED, Explanation, Part, Stage
from .wording import Words

__all__ = ["explain"]


def explain(model: Model, image: NDArray[Any], label: int, learning_rate: float = 0.1) -> Explanation:
    """Take one image through one step of plain gradient descent on a float64 copy of the network.

    Dropout is off and batch normalisation uses its running averages, as when predicting: of one image there is no mean
    to take. So normalisation is a fixed scaling and shift here, and its gradient is that of one.

    Args:
        model: dense layers and convolutions with any activations, pools, dropout and batch normalisation. It is not
            changed.
        image: (h, w) pixels, as the model takes them.
        label: the true class, an index into ``model.classes``.
        learning_rate: η, more than 0.

    Raises:
        ConfigError: a learning rate that is not positive, or so large that the numbers overflow.
        DataError: an image of another shape, a label that is not one of the classes, a network with other layers, or
            weights so large that the loss is NaN.
    """
    if not 0 < learning_rate < inf:
        raise ConfigError(f"learning_rate: must be more than 0 and finite, not {learning_rate:g}")
    if not 0 <= label < len(model.classes):
        raise DataError(f"the label {label} is not one of the model's {len(model.classes)} classes")
    pixels = as_pixels(image, model.image_shape, "image")
    if len(pixels) != 1:
        raise DataError(f"{len(pixels)} images, and a step is explained on one; give one")
    with np.errstate(all="ignore"):
        step = _Step(model, pixels, label)
        stages = (*step.forward(), *step.backward(), *step.update(learning_rate), *step.forward(after=True))
    notes = tuple(wording.notes(step.network.layers, len(model.networks)))
    explanation = Explanation(pixels[0], label, model.classes, learning_rate, step.given, stages, notes)
    if not isfinite(float(explanation["L"].array)):
        raise DataError("the model's weights are so large that its answer is NaN; train it again")
    if not all(np.isfinite(stage.array).all() for stage in stages):
        raise ConfigError(f"learning_rate: {learning_rate:g} makes a step to numbers too large; give a smaller one")
    return explanation


class _Step:
    """A float64 copy of a model's network, which is taken through one step; each method yields the stages it does."""

    def __init__(self, model: Model, pixels: NDArray[np.uint8], label: int) -> None:
        trained = model.network
        self.network = network = Network.from_specification(
            trained.specification(), trained.input_shape, dtype=np.float64, seed=None
        )
        network.parameters[...], network.statistics[...] = trained.parameters, trained.statistics
        self.symbols = wording.symbols(network.layers)  # of what each layer returns, and of X before them
        self.worked = network.parameters.size <= WORKED
        self.loss = SoftmaxCrossEntropy(len(model.classes))
        self.passed = Pass(network, gradients=network.gradients)
        self.model, self.pixels, self.label = model, pixels, label
        # The parameters before the step, by the names that the equations use, such as W1.
        self.given = {wording.ascii_name(name): view.copy() for name, view in self._named(network.named_parameters)}
        # Nothing below the lowest layer that learns needs a gradient.
        self.lowest = min((int(name.partition(".")[0]) for name in network.named_parameters), default=0)

    def forward(self, after: bool = False) -> Iterator[Stage]:
        """Go up through the layers, by each layer's own ``forward``."""
        part: Part = "after" if after else "forward"
        X = self.model.preprocessing.apply(self.pixels, dtype=np.float64)
        Y = X = X.reshape(1, *self.network.input_shape)
        if not after:
            scaling = wording.scaling(self.model.preprocessing)
            yield self._stage(part, "X", scaling, X, sums.scaling(self.model.preprocessing, self.pixels, X))
        for i, layer in enumerate(self.network.layers):
            x, y = self.symbols[i : i + 2]
            Y = layer.forward(X, self.passed.layers[i])
            if y != x:
                yield self._forward_stage(part, i, X, Y)
            X = Y
        logits = self.symbols[-1]
        self.found, P = self.loss(Y, np.array([self.label])), self.loss.probabilities(Y)
        self.P, loss = P, self.found.value
        yield self._stage(part, "P", wording.softmax(logits, P.shape), P, sums.softmax(Y, P), per_class=True)
        words = wording.loss(self.model.classes[self.label], P.shape)
        yield self._stage(part, "L", words, np.float64(loss), sums.loss(P, self.label, loss))

    def _forward_stage(self, part: Part, i: int, X: Array, Y: Array) -> Stage:
        """Return what layer ``i`` made of X."""
        layer, x, y = self.network.layers[i], *self.symbols[i : i + 2]
        if isinstance(layer, images.OF_IMAGES):
            words, arithmetic = images.forward(layer, x, y, X, Y), images.sums(layer, X, Y)
            example = () if part == "after" else tuple(images.example(layer, X, Y))
        else:
            words, arithmetic, example = wording.forward(layer, x, y, X.shape), sums.forward(layer, X, Y), ()
        return self._stage(part, y, words, Y, arithmetic, per_class=y == self.symbols[-1], example=example)

    def backward(self) -> Iterator[Stage]:
        """Come back down by the chain rule, by each layer's own gradients."""
        dY, P = self.found.gradient, self.P
        words = wording.logits_gradient(self.symbols[-1], P.shape)
        arithmetic = sums.logits_gradient(P, self.label, dY)
        yield self._stage("backward", f"d{self.symbols[-1]}", words, dY, arithmetic, per_class=True)
        for i in reversed(range(self.lowest, len(self.network.layers))):
            layer, x, y = self.network.layers[i], self.symbols[i], self.symbols[i + 1]
            p = self.passed.layers[i]
            layer.parameter_gradients(dY, p)
            for name, gradient in self._gradients(i):
                symbol = f"d{wording.parameter(name, y)}"
                if isinstance(layer, Conv2D):
                    words = images.parameter_gradient(layer, name, x, y, p)
                    arithmetic = images.gradient_sums(name, dY, p)
                else:
                    words = wording.parameter_gradient(layer, name, x, y, gradient.shape)
                    arithmetic = sums.parameter_gradient(layer, name, dY, p)
                per_class = y == self.symbols[-1] and gradient.ndim == 1
                yield self._stage("backward", symbol, words, gradient, arithmetic, per_class=per_class)
            if i > self.lowest:
                above = dY.copy()  # which the layer may overwrite
                dY = layer.input_gradient(dY, p)
                if y == x:
                    continue
                if isinstance(layer, images.OF_IMAGES):
                    words = images.input_gradient(layer, x, y, dY, above)
                    arithmetic = images.input_gradient_sums(layer, x, above, dY, p)
                else:
                    words = wording.input_gradient(layer, x, y, dY.shape)
                    arithmetic = sums.input_gradient(layer, x, above, dY, p)
                yield self._stage("backward", f"d{x}", words, dY, arithmetic)

    def update(self, learning_rate: float) -> Iterator[Stage]:
        """Move every parameter against its gradient."""
        SGD(self.network.parameters, self.network.gradients).step(learning_rate)
        gradients = dict(self._named(self.network.named_gradients))
        for symbol, moved in self._named(self.network.named_parameters):
            before = self.given[wording.ascii_name(symbol)]
            arithmetic = sums.update(symbol, before, learning_rate, gradients[symbol], moved)
            yield self._stage("update", symbol, wording.update(symbol, moved.shape), moved, arithmetic)

    def _gradients(self, index: int) -> Iterator[tuple[str, Array]]:
        """Yield the gradients of one layer by the names of its parameters."""
        for name, gradient in self.network.named_gradients.items():
            layer, _, parameter = name.partition(".")
            if int(layer) == index:
                yield parameter, gradient

    def _named(self, tensors: dict[str, Any]) -> Iterator[tuple[str, Array]]:
        for name, tensor in tensors.items():
            index, _, parameter = name.partition(".")
            yield wording.parameter(parameter, self.symbols[int(index) + 1]), tensor

    def _stage(
        self,
        part: Part,
        symbol: str,
        words: Words,
        array: Any,
        arithmetic: Iterator[str],
        *,
        per_class: bool = False,
        example: tuple[str, ...] = (),
    ) -> Stage:
        name = wording.ascii_name(symbol) + (" after" if part in ("update", "after") else "")
        written = tuple(arithmetic) if self.worked else ()
        return Stage(name, part, *words[:3], np.array(array, np.float64), words.meaning, written, example, per_class)
