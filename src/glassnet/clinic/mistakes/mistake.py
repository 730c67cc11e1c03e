"""What every mistake of the clinic says of itself, and where in a run it can be planted."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data import Examples
from ...nn import Layer, LossAndGradient, Network, SoftmaxCrossEntropy
from ...nn.types import Array

__all__ = ["Mistake", "PlantedLoss"]


class PlantedLoss(SoftmaxCrossEntropy):
    """The right loss, with places for mistakes. Those of several mistakes are combined by inheriting from all."""

    def __call__(
        self,
        logits: Array,
        labels: NDArray[Any],
        sample_weights: ArrayLike | None = None,
        total: float | None = None,
    ) -> LossAndGradient:
        found = self.measure(logits, labels, sample_weights, total)
        return LossAndGradient(found.value, self.spoil(found.gradient, logits, labels, total), found.right)

    def measure(
        self, logits: Array, labels: NDArray[Any], sample_weights: ArrayLike | None, total: float | None
    ) -> LossAndGradient:
        """Return loss and gradient; the arguments are those of a call."""
        return super().__call__(logits, labels, sample_weights, total)

    def spoil(self, dZ: Array, logits: Array, labels: NDArray[Any], total: float | None) -> Array:
        """Return what is taken for the gradient ``dZ`` of the logits."""
        return dZ


class Mistake:
    """One way in which a network written by hand goes wrong.

    The right mathematics knows nothing of it: a subclass overrides the one place of a run where it is made. Each run
    makes an object of its own.

    Attributes:
        name: in commands and files, such as ``one-bias-gradient``.
        tutorial: the page of the tutorial with the right equation, a file's name in ``docs/tutorial`` without ``.md``,
            or "" where there is none.
        summary: what it is, in one sentence.
        wrong: the equation as it was written.
        right: the equation as it should be.
        effect: what it does to learning.
        symptom: how a person would notice.
        check: which check catches it.
        settings: those that the mistake consists of, each a value or a function of what it would be without it.
        circumstances: settings in which the mistake shows, for the run with it and for the cured one beside it.
        whole_batch: whether it looks at all examples of a batch at once, which therefore cannot be cut into blocks.
        replaces: the part of a run that it replaces; only one mistake can replace it.
        from_the_start: whether it is made before the first step, or changes how many steps there are, so that it cannot
            be planted in a run that has begun.
        needs: of which entries of ``layers`` (conv, padded conv, pool) the network has at least how many, so that there
            is a place for it.
    """

    name: ClassVar[str]
    tutorial: ClassVar[str] = ""
    summary: ClassVar[str]
    wrong: ClassVar[str]
    right: ClassVar[str]
    effect: ClassVar[str]
    symptom: ClassVar[str]
    check: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    circumstances: ClassVar[Mapping[str, Any]] = {}
    whole_batch: ClassVar[bool] = False
    replaces: ClassVar[str] = ""
    from_the_start: ClassVar[bool] = False
    needs: ClassVar[Mapping[str, int]] = {}

    @classmethod
    def changes(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that the mistake consists of, given those of the run."""
        return {key: value(settings[key]) if callable(value) else value for key, value in cls.settings.items()}

    def see(self, training: Examples, held_out: Examples) -> None:
        """Look at the data as they were split, before any mistake changes them."""

    def examples(self, training: Examples, held_out: Examples, seed: int) -> tuple[Examples, Examples]:
        """Return what is learned from and what is called the validation images."""
        return training, held_out

    def layer(self, layer: Layer) -> Layer:
        """Return a layer of the network, or the one that takes its place."""
        return layer

    def layers(self, layers: Sequence[Layer]) -> list[Layer]:
        """Return the layers of the network, some of which may have others beside them or in their place."""
        return [self.layer(layer) for layer in layers]

    def initialize(self, network: Network, rng: np.random.Generator) -> None:
        """Change the first values of the parameters; random ones come from ``rng``."""

    def loss(self) -> type[SoftmaxCrossEntropy]:
        """Return the class of the loss. Those of several mistakes are combined by inheriting from all of them."""
        return SoftmaxCrossEntropy
